"""The nouns of the scheduler: immutable values without decisions and without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, make_dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from operator import attrgetter
from typing import Any, Final, Literal, cast


class TaskPriority(IntEnum):
    """Five levels; the lower number runs first."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BACKGROUND = 4


class TaskStatus(StrEnum):
    """Where an execution stands; ``lifecycle`` has the arrows between them."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class RetryStrategy(StrEnum):
    """How the delay grows with the number of retries."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIXED = "fixed"
    NONE = "none"


LONGEST: Final = 100 * 365 * 86400.0
"""A hundred years, in seconds: what is longer could leave the calendar."""

DependencyType = Literal["completion", "success", "failure"]
DEPENDENCY_TYPES: Final[tuple[DependencyType, ...]] = ("completion", "success", "failure")


@dataclass(frozen=True, slots=True)
class TaskDependency:
    """One edge of the graph: ``task_id`` must have ended as ``dependency_type`` says.

    ``timeout`` is in seconds from the moment the dependent was scheduled; when it passes, the
    dependent is skipped. ``execution_id`` is the run that counts, once that is known.
    """

    task_id: str
    dependency_type: DependencyType = "completion"
    timeout: float | None = None
    execution_id: str | None = None

    def __post_init__(self) -> None:
        if self.dependency_type not in DEPENDENCY_TYPES:
            raise ValueError(
                f"dependency_type={self.dependency_type!r} of the dependency on {self.task_id!r} "
                f"is unknown; use one of {', '.join(DEPENDENCY_TYPES)}"
            )
        if self.execution_id is not None and not isinstance(self.execution_id, str):
            raise ValueError(
                f"execution_id={self.execution_id!r} of the dependency on {self.task_id!r} is no id"
            )
        if self.timeout is None:
            return
        if not _is_number(self.timeout) or not 0 < self.timeout <= LONGEST:
            raise ValueError(
                f"timeout={self.timeout!r} of the dependency on {self.task_id!r} must be more "
                "than 0 seconds, or None to wait without a limit; at most 100 years"
            )

    @property
    def key(self) -> str:
        """What the dependent waits for: an execution id, or the next run of the task."""
        return self.execution_id or task_key(self.task_id)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def task_key(task_id: str) -> str:
    """The name under which a dependent waits for the next run of a task, whichever it is."""
    return f"task:{task_id}"


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """When to try again, and after how long.  Delays are in seconds.

    ``max_attempts`` is the number of retries allowed after the first run. ``retry_on`` and
    ``give_up_on`` are exception types; ``give_up_on`` wins. ``wait``, ``stop`` and ``retry``
    take any tenacity object of that kind, which then replaces the fields it speaks for.
    """

    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    max_attempts: int = 3
    initial_delay: float = 60
    max_delay: float = 3600
    backoff_multiplier: float = 2.0
    jitter: bool = True
    retry_on: tuple[type[BaseException], ...] = ()
    give_up_on: tuple[type[BaseException], ...] = ()
    wait: Callable[[Any], float] | None = None
    stop: Callable[[Any], bool] | None = None
    retry: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", RetryStrategy(self.strategy))
        for name in ("max_attempts", "initial_delay", "max_delay", "backoff_multiplier"):
            value = getattr(self, name)
            if not _is_number(value) or not value >= 0:
                raise ValueError(f"{name}={value!r} of a RetryConfig must be a number, 0 or more")
        if not isinstance(self.jitter, bool):
            raise ValueError(f"jitter={self.jitter!r} of a RetryConfig must be True or False")
        for name in ("retry_on", "give_up_on"):
            object.__setattr__(self, name, _error_types(name, getattr(self, name)))
        for name in ("wait", "stop", "retry"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, type) or not callable(value)):
                raise ValueError(
                    f"{name}={value!r} of a RetryConfig must be an object that can be called, "
                    f"such as tenacity's for {name}"
                )


def _error_types(name: str, value: object) -> tuple[type[BaseException], ...]:
    """One type or several, as the tuple that isinstance() takes."""
    types = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    for one in types:
        if not isinstance(one, type) or not issubclass(one, BaseException):
            raise ValueError(
                f"{name}={value!r} of a RetryConfig must be a tuple of exception types"
            )
    return types


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """Something that can be run.

    ``func_path`` is a dotted path (``pkg.mod.func`` or ``pkg.mod:func``) or a callable.
    ``lock_timeout`` and ``timeout`` are in seconds; ``timeout=None`` means no limit.
    ``executor`` is ``auto`` (coroutines on the loop, plain functions in threads), ``thread``
    or ``process``. With ``at_most_once`` a crash of the node ends the execution FAILED, where
    it would else be run again.
    """

    task_id: str
    task_name: str
    func_path: str | Callable[..., Any]
    priority: TaskPriority = TaskPriority.NORMAL
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    retry_config: RetryConfig | None = None
    dependencies: Sequence[TaskDependency] = ()
    require_lock: bool = False
    lock_timeout: float = 300
    timeout: float | None = None
    tags: Sequence[str] = ()
    executor: Literal["auto", "thread", "process"] = "auto"
    at_most_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """How one call of ``schedule_task`` differs from the definition.

    ``at`` is an aware datetime, ``delay`` a number of seconds; at most one of them. ``after``
    names execution ids that must have completed (whether they succeeded or not) first.
    ``unique`` is a key: while an execution with it has not ended, scheduling again answers
    that execution's id. ``workflow_id`` puts the execution into a workflow run. ``connection``
    is the caller's SQLAlchemy connection or session on the database of the store: the
    execution is then part of the caller's transaction.
    """

    at: datetime | None = None
    delay: float | None = None
    priority: TaskPriority | None = None
    after: Sequence[str] = ()
    unique: str | None = None
    timeout: float | None = None
    tags: Sequence[str] = ()
    workflow_id: str | None = None
    connection: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExecution:
    """One run of a task, from the moment it is scheduled until it has ended.

    The first block are the fields that users see; the second is what the state machine
    needs. All datetimes are aware, in UTC; durations are seconds.
    """

    execution_id: str
    task_id: str
    task_name: str
    status: TaskStatus = TaskStatus.PENDING
    priority: TaskPriority = TaskPriority.NORMAL
    scheduled_time: datetime
    started_time: datetime | None = None
    completed_time: datetime | None = None
    result: Any = None
    error: str | None = None
    traceback_str: str | None = None
    retry_count: int = 0
    lock_id: str | None = None
    dependencies: tuple[TaskDependency, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)

    created_time: datetime | None = None
    due_time: datetime | None = None  # claimable from here on; None means scheduled_time
    attempt: int = 0  # calls of the function that count against the retry limit
    fence: int = 0  # claims ever made; never goes back
    crashes: int = 0  # leases that ran out under this execution
    node: str | None = None
    lease_until: datetime | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    tags: tuple[str, ...] = ()
    unique_key: str | None = None
    workflow_id: str | None = None
    schedule_id: str | None = None
    blocked_by: frozenset[str] = frozenset()  # keys of dependencies that have not settled
    wait_until: datetime | None = None  # the earliest time-out of a dependency
    at_most_once: bool = False  # a lost lease ends it
    reason: str | None = None  # why it waits, or why it did not run
    cause: str | None = None  # the failure at the root of a chain of skipped executions

    @property
    def due(self) -> datetime:
        """The instant from which the execution may be claimed."""
        return self.due_time or self.scheduled_time

    def with_changes(self, changes: Mapping[str, Any]) -> TaskExecution:
        """A copy with some fields changed; a sixth of the cost of ``dataclasses.replace``."""
        draft = _Draft(*_READ(self))
        for name, value in changes.items():
            setattr(draft, name, value)
        draft.__class__ = TaskExecution
        return cast(TaskExecution, draft)

    @staticmethod
    def make(**values: Any) -> TaskExecution:
        """The same as the constructor, at a third of its cost."""
        draft = _Draft(**values)
        draft.__class__ = TaskExecution
        return cast(TaskExecution, draft)


def _default_of(item: Field[Any]) -> Any:
    if item.default_factory is not MISSING:
        return field(default_factory=item.default_factory)
    return None if item.default is MISSING else item.default  # what is required is always given


_FIELDS: Final = fields(TaskExecution)
EXECUTION_FIELDS: Final = tuple(item.name for item in _FIELDS)
_READ: Final = attrgetter(*EXECUTION_FIELDS)
# The twin of TaskExecution before it is frozen: each field of a frozen dataclass costs a call of
# object.__setattr__, and copies are made several times in every execution's life.
_Draft: Final[Any] = make_dataclass(
    "_Draft",
    [(item.name, Any, _default_of(item)) for item in _FIELDS],
    slots=True,
)


class MisfirePolicy(StrEnum):
    """What to do about instants that passed while nobody looked."""

    SKIP = "skip"
    RUN_LATEST = "run_latest"
    RUN_ALL = "run_all"


class OverlapPolicy(StrEnum):
    """What to do when a schedule is due and its last execution has not ended.

    ``queue_one`` lets one execution wait for the running one, ``queue_all`` any number, one
    after the other; ``cancel_running`` cancels what has not ended and runs the new one.
    """

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    QUEUE_ALL = "queue_all"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"


class TickOutcome(StrEnum):
    """What became of one instant at which a schedule was due."""

    FIRED = "fired"
    COALESCED = "coalesced"
    MISFIRED = "misfired"
    OVERLAP = "overlap"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Trigger, task, arguments and policies; ``trigger`` is what the trigger says of itself.

    ``grace_seconds=None`` means half the time to the next tick. ``version`` counts edits.
    ``ledger_from`` is when this version began: from there up to ``next_fire_time`` the ledger
    has a tick for every instant. ``last_fire_time`` is the last instant that was recorded;
    instants before ``resumed_time`` fell into a pause.
    """

    schedule_id: str
    task_id: str
    trigger: Mapping[str, Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: TaskPriority | None = None
    next_fire_time: datetime | None = None
    last_fire_time: datetime | None = None
    ledger_from: datetime | None = None
    resumed_time: datetime | None = None
    paused: bool = False
    version: int = 1
    misfire: MisfirePolicy = MisfirePolicy.RUN_LATEST
    max_catch_up: int = 10
    grace_seconds: float | None = None
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The one record of one instant at which a schedule was due."""

    schedule_id: str
    instant: datetime
    version: int
    outcome: TickOutcome
    execution_id: str | None = None
    reason: str | None = None
    recorded_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What became of one instant of a schedule, in words.

    ``outcome`` is None where the ledger has no row, and ``reason`` then says why. ``status`` is
    that of the execution, if there was one and the history still has it.
    """

    schedule_id: str
    instant: datetime
    outcome: TickOutcome | None
    reason: str
    execution_id: str | None = None
    status: TaskStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A stretch of the ledger: from ``start`` up to, without, ``end``.

    ``ticks`` are all that was recorded, by instant. ``missing`` are instants that were passed
    over without a record: there should never be one.
    """

    schedule_id: str
    start: datetime
    end: datetime
    ticks: Sequence[Explanation]
    missing: Sequence[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Something stored that this node cannot use; it is kept for one that can.

    ``kind`` is ``task`` (executions wait for a task that is not registered here; ``id`` is the
    task id and ``count`` how many wait), ``execution`` or ``schedule`` (``id`` is its own).
    """

    kind: Literal["task", "execution", "schedule"]
    id: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions ``find`` answers, and in what order.

    ``order`` is ``newest`` (by id, the latest first) or ``claim`` (priority, due time,
    arrival). ``cursor`` is the id after which a page of ``newest`` begins.
    """

    statuses: frozenset[TaskStatus] | None = None
    task_id: str | None = None
    workflow_id: str | None = None
    schedule_id: str | None = None
    priority: TaskPriority | None = None
    order: Literal["newest", "claim"] = "newest"
    cursor: str | None = None
    limit: int = 100
