"""What a running task can ask about itself, by ``current_execution()`` or a parameter."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from .forks import free_in_child
from .models import TaskExecution


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
        """A logger that adds the ids as ``extra``."""
        ids = {"execution_id": self.execution_id, "task_id": self.task_id, "attempt": self.attempt}
        return logging.LoggerAdapter(logging.getLogger("advanced_scheduler.task"), ids)


CURRENT: Final[ContextVar[TaskContext | None]] = ContextVar("current_execution", default=None)


def current_execution() -> TaskContext:
    """The context of the execution that calls this.

    Raises ``LookupError`` outside a task.
    """
    context = CURRENT.get()
    if context is None:
        raise LookupError("current_execution() was called outside a task")
    return context
