"""What a running task can ask about itself, by ``current_execution()`` or a parameter."""

from __future__ import annotations

import logging
import math
import reprlib
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from .errors import InvalidArguments, SchedulerStateError
from .forks import free_in_child
from .models import LONGEST, Progress, ScheduleOptions, TaskExecution


class Signal:
    """Set at most once; a ``threading.Event`` that costs nothing until somebody waits for it."""

    # On the class: every attempt makes two, and nearly all stay as they are.
    _set = False
    _event: threading.Event | None = None

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake whoever waits."""
        self._set = True
        if self._event is not None:
            self._event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until it is set, or ``timeout`` seconds; answers ``is_set()``."""
        with _SIGNALS:
            if self._event is None:
                self._event = threading.Event()
        if self._set:  # set() may have come before there was an event to set
            return True
        return self._event.wait(timeout) or self._set


_SIGNALS: Final = free_in_child(threading.Lock())


def _no_results() -> Mapping[str, Any]:
    return {}


class Spawning(NamedTuple):
    """An execution that a task asks for; ``key`` tells it from others of the same task."""

    task: object
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    options: ScheduleOptions | None
    key: str | None


class Desk(Protocol):
    """What the engine does for the tasks that it runs; safe from any thread, and quick."""

    keeps_logs: bool

    def progress(self, context: TaskContext, progress: Progress) -> None:
        """Remember how far the attempt is."""
        ...

    def log(self, context: TaskContext, level: int, text: str, error: BaseException | None) -> None:
        """Keep a line."""
        ...

    def extend(self, context: TaskContext, seconds: float) -> None:
        """Let the time-out strike so much later."""
        ...

    def spawn(self, context: TaskContext, wanted: Spawning) -> str:
        """Schedule an execution, unless an attempt has done so; answers its id."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: made for every attempt
class TaskContext:
    """One attempt of one execution, as the task body sees it.

    ``cancelled`` and ``lock_lost`` are set at most once and never cleared; a thread that runs
    long should look at them, since nobody can stop a thread from outside. ``deadline`` is the
    instant at which the time-out strikes. ``lock_fence`` grows with every grant of the task's
    lock: send it along with writes, and let the other side refuse a smaller one.
    """

    execution: TaskExecution
    node: str
    started: datetime
    deadline: datetime | None = None
    lock_fence: int | None = None
    cancelled: Signal = field(default_factory=Signal)
    lock_lost: Signal = field(default_factory=Signal)
    load_results: Callable[[], Mapping[str, Any]] = _no_results
    desk: Desk | None = field(default=None, repr=False)

    @property
    def execution_id(self) -> str:
        """The id of the run."""
        return self.execution.execution_id

    @property
    def task_id(self) -> str:
        """The id of the definition."""
        return self.execution.task_id

    @property
    def attempt(self) -> int:
        """1 for the first call of the function."""
        return self.execution.attempt

    @property
    def retry_count(self) -> int:
        """How many attempts have failed before this one."""
        return self.execution.retry_count

    @property
    def fence(self) -> int:
        """How often the execution was claimed."""
        return self.execution.fence

    @property
    def scheduled_time(self) -> datetime:
        """When the run was meant to start."""
        return self.execution.scheduled_time

    @property
    def lateness(self) -> float:
        """Seconds from the scheduled time to the start of this attempt."""
        return (self.started - self.execution.scheduled_time).total_seconds()

    @property
    def workflow_id(self) -> str | None:
        """The workflow run that this execution belongs to."""
        return self.execution.workflow_id

    @property
    def schedule_id(self) -> str | None:
        """The schedule that made this execution."""
        return self.execution.schedule_id

    @property
    def results(self) -> Mapping[str, Any]:
        """The results of the dependencies, by task id; read from the store at each call."""
        return self.load_results()

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that adds the ids as ``extra``, and keeps lines with the execution.

        From level INFO on, or from the logger's own level if that is lower; the latest 200 lines.
        """
        return _TaskLogger(self)

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the work is: in ``get_task_status``, the dashboard, live events.

        Cheap: it is stored once a second at most, and with the end. Raises ``InvalidArguments``.
        """
        if not _is_number(done) or not (total is None or _is_number(total)):
            raise InvalidArguments(
                f"progress(done={reprlib.repr(done)}, total={reprlib.repr(total)}) takes numbers"
            )
        if not (message is None or isinstance(message, str)):
            raise InvalidArguments(f"message={reprlib.repr(message)} must be a text, or None")
        if self.desk is not None:
            self.desk.progress(self, Progress(done=done, total=total, message=message))

    def extend(self, seconds: float) -> None:
        """Let the time-out strike so many seconds later; nothing happens if there is none.

        Raises ``InvalidArguments``.
        """
        if not _is_number(seconds) or not 0 < seconds <= LONGEST:
            raise InvalidArguments(
                f"seconds={reprlib.repr(seconds)} must be more than 0, at most 100 years"
            )
        if self.deadline is not None:
            self.deadline += timedelta(seconds=seconds)
            if self.desk is not None:
                self.desk.extend(self, seconds)

    def spawn(
        self,
        task: str | Callable[..., Any],
        /,
        *args: Any,
        options: ScheduleOptions | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Schedule an execution that names this one as its parent; answers its id.

        As ``schedule_task``, in the same workflow run. Another attempt that comes to the same
        call answers the same id and schedules nothing: calls are told apart by ``key``, or by
        their number, which serves where their order is always the same. At most 1,000 for one
        execution, in no transaction of the caller's. Raises what ``schedule_task`` does, and
        ``SchedulerStateError`` once this attempt has been cancelled.
        """
        if self.desk is None or self.cancelled.is_set():
            why = "no scheduler runs it" if self.desk is None else "this attempt was cancelled"
            raise SchedulerStateError(f"spawn() in execution {self.execution_id}: {why}")
        return self.desk.spawn(self, Spawning(task, args, kwargs, options, key))


class _TaskLogger(logging.LoggerAdapter[logging.Logger]):
    """Passes on what the logger's level lets through, and keeps INFO in any case."""

    def __init__(self, context: TaskContext) -> None:
        row = context.execution
        ids = {"execution_id": row.execution_id, "task_id": row.task_id, "attempt": row.attempt}
        super().__init__(_LOGGER, ids)
        self._context = context

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name that logging gave it
        """Whether a line of this level goes anywhere."""
        desk = self._context.desk
        kept = desk is not None and desk.keeps_logs and level >= logging.INFO
        return kept or super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the ids to the caller's own ``extra``."""
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Keep it, and pass it on."""
        if not self.isEnabledFor(level):
            return
        desk = self._context.desk
        if desk is not None and desk.keeps_logs:
            error = kwargs.get("exc_info")
            if error and not isinstance(error, BaseException):
                error = sys.exc_info()[1]
            desk.log(self._context, level, _formatted(msg, args), error or None)
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller's line, not this one
        super().log(level, msg, *args, **kwargs)


_LOGGER: Final = logging.getLogger("advanced_scheduler.task")


def _formatted(msg: object, args: tuple[object, ...]) -> str:
    """As ``logging`` does it; what does not fit together is shown as it is."""
    try:
        record = logging.LogRecord("", 0, "", 0, msg, args, None)
        return record.getMessage()
    except Exception:
        return f"{reprlib.repr(msg)} {reprlib.repr(args)}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


CURRENT: Final[ContextVar[TaskContext | None]] = ContextVar("current_execution", default=None)


def current_execution() -> TaskContext:
    """The context of the execution that calls this.

    Raises ``LookupError`` outside a task.
    """
    context = CURRENT.get()
    if context is None:
        raise LookupError("current_execution() was called outside a task")
    return context
