"""Which task the function of an APScheduler job is: a registered one, or one made of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from ..definitions import definition_for
from ..engine.handle import TaskHandle
from ..errors import TaskAlreadyRegistered, TaskInUse, TaskNotRegistered
from ..functions import path_of
from ..models import TaskDefinition
from ..scheduler import AdvancedTaskScheduler


class JobTasks:
    """Registers the functions that jobs hold, and no others: nothing is imported by a name.

    ``lock`` is what the tasks made here have; one that the application registered has its own.
    """

    def __init__(
        self, scheduler: AdvancedTaskScheduler, *, lock: bool, lock_timeout: float
    ) -> None:
        self._scheduler: Final = scheduler
        self._lock = lock
        self._lock_timeout = lock_timeout
        self._nameless: dict[str, str] = {}  # task ids by job id

    def task_of(self, job_id: str, function: Callable[..., Any]) -> str:
        """The id of the task that this function is, or was made by this call.

        A function that nobody could find by a name, such as a lambda, is a task of its job.
        Raises ``ValueError`` for what can be no task.
        """
        registry = self._scheduler.task_registry
        if isinstance(function, TaskHandle) and function.task_id in registry:
            return function.task_id
        definition = definition_for(function)
        known = [definition.task_id, *registry] if definition.task_id in registry else registry
        for task_id in known:
            with suppress(TaskNotRegistered):
                if registry.get(task_id).function == function:
                    return task_id
        if path_of(function) is None or definition.task_id in registry:
            return self._make_nameless(job_id, definition)
        return self._make(definition)

    def forget(self, job_id: str) -> None:
        """The job has gone, and with it the task that was its own."""
        if task_id := self._nameless.pop(job_id, None):
            with suppress(TaskNotRegistered, TaskInUse):
                self._scheduler.unregister_task(task_id)

    def _make_nameless(self, job_id: str, definition: TaskDefinition) -> str:
        self.forget(job_id)  # it has another function now
        name = self._make(replace(definition, task_id=f"{definition.task_id}:{job_id}"))
        self._nameless[job_id] = name
        return name

    def _make(self, definition: TaskDefinition) -> str:
        wanted = replace(definition, require_lock=self._lock, lock_timeout=self._lock_timeout)
        with suppress(TaskAlreadyRegistered):  # another thread was faster
            self._scheduler.register_task(wanted)
        return wanted.task_id
