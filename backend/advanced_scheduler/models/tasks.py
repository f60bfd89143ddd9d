"""What can be run, and how one call of it differs: definitions, dependencies, retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, Literal


class TaskPriority(IntEnum):
    """Five levels; the lower number runs first."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BACKGROUND = 4

    @property
    def word(self) -> str:
        """``high`` for ``HIGH``: what settings, metrics and REST call it."""
        return self.name.lower()


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
        if type(self.max_attempts) is not int or self.max_attempts < 0:
            raise ValueError(
                f"max_attempts={self.max_attempts!r} of a RetryConfig must be a whole number, "
                "0 or more"
            )
        for name in ("initial_delay", "max_delay", "backoff_multiplier"):
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
    that execution's id. ``workflow_id`` puts the execution into a workflow run. ``queue`` is
    the lane it waits in; of equal priority the higher ``rank`` (-1000 to 1000) goes first.
    ``execution_id`` is a UUID of version 7 of the caller's own: as long as the execution is in the
    history, scheduling again under it stores nothing, and another task under it is refused.
    ``retry`` takes the place of the task's, but for exception types and tenacity's objects,
    which belong to the definition. ``executor``
    is ``thread``, ``process``, or a pool made by ``add_process_pool``. ``metadata`` (JSON) is
    kept with the execution. ``connection`` is the caller's SQLAlchemy connection or session on
    the database of the store: the execution is then part of the caller's transaction.
    """

    at: datetime | None = None
    delay: float | None = None
    priority: TaskPriority | None = None
    after: Sequence[str] = ()
    unique: str | None = None
    timeout: float | None = None
    tags: Sequence[str] = ()
    workflow_id: str | None = None
    queue: str | None = None
    rank: int = 0
    execution_id: str | None = None
    retry: RetryConfig | None = None
    executor: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    connection: Any = None


@dataclass(frozen=True, slots=True)
class ResultOf:
    """Stands for the result of an execution in the arguments of another; see ``result_of``."""

    execution_id: str


def result_of(execution_id: str) -> Any:
    """An argument that becomes the result of that execution when the task starts.

    The new execution waits for that one to succeed, and is skipped if it does not. Typed
    ``Any``, since it stands where a value of the parameter's type is wanted.
    """
    return ResultOf(execution_id)
