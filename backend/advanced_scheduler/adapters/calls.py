"""Owns tasks as document 000 has them: each is one call of some function, whichever it is."""

from __future__ import annotations

import reprlib
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any, Final

from ..definitions import TASK_ID_LENGTH, definition_for
from ..engine.options import MOST_LISTED
from ..engine.views import status_of
from ..errors import (
    ConfigurationError,
    ExecutionNotFound,
    InvalidArguments,
    TaskAlreadyRegistered,
)
from ..forks import free_in_child
from ..functions import path_of
from ..lifecycle import FINAL, OPEN
from ..models import ScheduleOptions, TaskExecution, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .background import Background
from .call_checks import USUAL_PRIORITY, check_callback, check_function, level_of

Callback = Callable[[str, bool, Any], object]
Tasks = dict[str, dict[str, Any]]
"""What ``get_task_status`` answers, by task id; the newest first."""


class SchedulerManager:
    """Tasks by the id of their execution; thread-safe.

    They run on a scheduler in memory, from the first task on, or on the ``scheduler`` that is
    given, such as one on a database. That one runs from when the application starts it, or
    ``start_scheduler`` does; ``stop_scheduler`` stops it only in the second case. All executions
    of its store are tasks. ``get_scheduler_manager()`` answers the one that the process shares,
    which is in memory. Raises ``ConfigurationError``.
    """

    def __init__(
        self,
        max_concurrent_tasks: int | None = None,
        *,
        scheduler: AdvancedTaskScheduler | None = None,
    ) -> None:
        if scheduler is None:
            slots = 10 if max_concurrent_tasks is None else max_concurrent_tasks
            scheduler = AdvancedTaskScheduler(None, slots, store="memory://")
            self._at_rest = False
        elif max_concurrent_tasks is None:
            self._at_rest = True
        else:
            raise ConfigurationError(
                f"max_concurrent_tasks={max_concurrent_tasks!r}: the scheduler that is given has "
                "its own; leave it out"
            )
        self.scheduler: Final = scheduler
        self._background = Background(scheduler)
        self._names = free_in_child(threading.Lock())  # who takes and gives back task ids

    def schedule_task(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        priority: int = USUAL_PRIORITY,
        dependencies: Collection[str] | None = None,
        callback: Callback | None = None,
        executor_id: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Call ``func(*args, **kwargs)`` once, soon; answers the id of the task.

        ``priority`` is -1000 to 1000, and the higher goes first: from 10 on it is HIGH, below 5
        LOW. ``dependencies`` are ids of tasks that must have ended first. ``callback(task_id,
        success, result_or_error)`` is called when it has ended. ``executor_id`` is a process
        pool, ``process`` or ``thread``. An argument may be ``result_of(task_id)``.

        Starts the scheduler, unless it was given, or stopped: then the task waits for a start.
        Raises ``ValueError`` before anything is stored, ``ExecutionNotFound`` for a dependency
        that is unknown.
        """
        check_function(func, kwargs)
        check_callback(callback)
        level, rank = level_of(priority)
        options = ScheduleOptions(
            priority=level, rank=rank, after=self._known(dependencies), executor=executor_id
        )
        with self._names:
            task_id = self._named(func)
            try:
                one = self.scheduler.schedule_task(task_id, *args, options=options, **kwargs)
            except BaseException:
                self._forget(task_id)
                raise
            stays = self._stays(task_id)
        if callback is not None or not stays:
            self.scheduler.on_end(one, lambda row: self._end(row, callback))
        if not self._at_rest:
            self._background.start()
        return one

    def get_task_status(self, task_id: str) -> dict[str, Any] | None:
        """The task as a dict: ``status``, ``result``, ``error`` and more; None if unknown."""
        row = self.scheduler.get_execution(task_id)
        return None if row is None else _shown(row)

    def wait_for_task(self, task_id: str, timeout: float | None = None) -> Any:
        """The result; None after ``timeout`` seconds, or if there is none as the task failed.

        Raises ``ExecutionNotFound``.
        """
        return self.scheduler.wait_for_task(task_id, timeout)

    def cancel_task(self, task_id: str) -> bool:
        """Cancel it, and skip what waits for its result; False if it had ended or is unknown."""
        return self.scheduler.cancel_task(task_id)

    def get_all_tasks(self) -> Tasks:
        """All tasks that are remembered: the latest 1,000 that have ended, and all others."""
        return self._tasks(None)

    def get_pending_tasks(self) -> Tasks:
        """The tasks that have not begun."""
        return self._tasks(OPEN - {TaskStatus.RUNNING})

    def get_running_tasks(self) -> Tasks:
        """The tasks that run now."""
        return self._tasks({TaskStatus.RUNNING})

    def get_completed_tasks(self) -> Tasks:
        """The tasks that have ended, however: completed, failed, cancelled or skipped."""
        return self._tasks(FINAL)

    def clear_completed_tasks(self) -> int:
        """Forget the tasks that have ended; answers how many."""
        return self.scheduler.clear_history()

    def start_scheduler(self) -> None:
        """Run tasks from now on; does nothing if it runs."""
        self._at_rest = False
        self._background.start()

    def stop_scheduler(self) -> None:
        """Begin no task any more; those that run have ``drain_seconds`` (30) to end.

        Callbacks of tasks that have ended return first, within 5 seconds.
        """
        self._at_rest = True
        self._background.stop()

    def create_process_pool(self, max_workers: int) -> str:
        """Add a pool of so many processes; answers its id, for ``executor_id``."""
        return self.scheduler.add_process_pool(max_workers)

    def _known(self, dependencies: object) -> tuple[str, ...]:
        """The ids, of tasks that there are."""
        given = () if dependencies is None else dependencies
        if isinstance(given, str) or not isinstance(given, Collection):
            raise InvalidArguments(f"dependencies={reprlib.repr(given)} must be a list of task ids")
        for one in given:
            if self.scheduler.get_execution(one) is None:
                raise ExecutionNotFound(
                    f"dependencies={reprlib.repr(given)}: there is no task {one!r}; it never "
                    "existed, or it was cleared"
                )
        return tuple(given)

    def _named(self, func: Callable[..., Any]) -> str:
        """The id under which this very function is registered: its name, or name#2 and so on."""
        definition = definition_for(func)
        name = definition.task_id[: TASK_ID_LENGTH - 10]
        for number in count(1):
            task_id = name if number == 1 else f"{name}#{number}"
            with suppress(TaskAlreadyRegistered):
                self.scheduler.register_task(replace(definition, task_id=task_id))
                break
            if self.scheduler.task_definitions[task_id].func_path == func:
                break
        return task_id

    def _end(self, row: TaskExecution, callback: Callback | None) -> None:
        with self._names:
            self._forget(row.task_id)
        if callback is not None:
            success = row.status is TaskStatus.COMPLETED
            outcome = row.result if success else row.error or row.reason or row.status.value
            callback(row.execution_id, success, outcome)

    def _stays(self, task_id: str) -> bool:
        """Whether it is the one function of its name, which others may call by it as well."""
        function = self.scheduler.task_definitions[task_id].func_path
        return "#" not in task_id and callable(function) and path_of(function) is not None

    def _forget(self, task_id: str) -> None:
        """Let a function go that does not stay, once no call of it is left."""
        if task_id not in self.scheduler.task_definitions or self._stays(task_id):
            return
        if not self.scheduler.executions(task_id=task_id, statuses=OPEN, limit=1):
            self.scheduler.unregister_task(task_id)

    def _tasks(self, statuses: Collection[TaskStatus] | None) -> Tasks:
        found: Tasks = {}
        cursor: str | None = None
        while page := self.scheduler.executions(
            statuses=statuses, limit=MOST_LISTED, cursor=cursor
        ):
            found |= {row.execution_id: _shown(row) for row in page}
            cursor = page[-1].execution_id
        return found


def _shown(row: TaskExecution) -> dict[str, Any]:
    return {**status_of(row), "task_id": row.execution_id}
