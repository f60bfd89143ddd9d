"""One run of a task, from the moment it is scheduled until it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal, NoReturn, cast

from .drafts import drafts_of
from .tasks import TaskDefinition, TaskDependency, TaskPriority, TaskStatus

DEFAULT_QUEUE: Final = "default"


class _Nothing(dict[str, Any]):
    """An empty dict that stays empty."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the mappings of an execution are read-only")

    __setitem__ = setdefault = update = __ior__ = _refuse


NOTHING: Final[Mapping[str, Any]] = _Nothing()
"""What rows share that have no keyword arguments, metrics or extras: a dict is 64 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions ``find`` answers, and in what order.

    ``order`` is ``newest`` (by id, the latest first) or ``claim`` (priority, rank, due time,
    arrival). ``cursor`` is the id after which a page of ``newest`` begins.
    """

    statuses: frozenset[TaskStatus] | None = None
    task_id: str | None = None
    workflow_id: str | None = None
    schedule_id: str | None = None
    priority: TaskPriority | None = None
    queue: str | None = None
    order: Literal["newest", "claim"] = "newest"
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The few fields of an execution that a search looks at, where most rows do not fit."""

    execution_id: str
    task_id: str
    task_name: str
    completed_time: datetime | None = None
    error: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    node: str | None = None
    tags: tuple[str, ...] = ()
    workflow_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExecution:
    """One run of a task, from the moment it is scheduled until it has ended.

    The first block are the fields that users see; the second is what the state machine
    needs. All datetimes are aware, in UTC; durations are seconds. Of equal priority the higher
    ``rank`` goes first.

    ``extras`` has what few executions have, each if it has it: ``retry``, fields of a
    ``RetryConfig`` that take the place of the task's; ``executor``, the name of a pool;
    ``inputs``, which arguments are the results of which executions ({"0": id} by position,
    {"name": id} by name); ``metadata``, the caller's own; ``unchecked``, of an event that was
    told of where nobody knew the task: the payload is added when it starts; ``attempts``, those
    that were followed by another, see ``attempts_of``; ``again`` and ``parent``, the ids of the
    execution that this one runs again, and of the one that asked for it.
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
    queue: str = DEFAULT_QUEUE
    rank: int = 0
    extras: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None  # why it waits, or why it did not run
    cause: str | None = None  # the failure at the root of a chain of skipped executions

    @property
    def due(self) -> datetime:
        """The instant from which the execution may be claimed."""
        return self.due_time or self.scheduled_time

    def with_changes(
        self, changes: Mapping[str, Any], status: TaskStatus | None = None
    ) -> TaskExecution:
        """A copy with some fields changed; a tenth of the cost of ``dataclasses.replace``."""
        draft = _thawed(self)
        for name, value in changes.items():
            setattr(draft, name, value)
        if status is not None:
            draft.status = status
        draft.__class__ = TaskExecution
        copy: TaskExecution = draft
        return copy

    @staticmethod
    def make(**values: Any) -> TaskExecution:
        """The same as the constructor, at a third of its cost."""
        draft = _Draft(**values)
        draft.__class__ = TaskExecution
        return cast(TaskExecution, draft)


def blank_of(definition: TaskDefinition) -> TaskExecution:
    """What all executions of a task have in common; each has an id, times and arguments besides.

    A copy of it with these costs a fifth of a call with every field.
    """
    return TaskExecution(
        execution_id="",
        task_id=definition.task_id,
        task_name=definition.task_name,
        priority=definition.priority,
        scheduled_time=_NEVER,
        metrics=NOTHING,
        kwargs=NOTHING,
        timeout=definition.timeout,
        tags=tuple(definition.tags),
        at_most_once=definition.at_most_once,
        extras=NOTHING,
    )


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FIELDS: Final = fields(TaskExecution)
EXECUTION_FIELDS: Final = tuple(item.name for item in _FIELDS)
_Draft, _thawed = drafts_of(TaskExecution)

_OUTLINE: Final = tuple(one.name for one in fields(Outline))


def outline_of(row: TaskExecution) -> Outline:
    """The outline of a whole row."""
    return Outline(**{name: getattr(row, name) for name in _OUTLINE})
