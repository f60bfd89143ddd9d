"""What ``@scheduler.task`` makes of a function: still that function, and a task as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from ..models import TaskDependency

P = ParamSpec("P")
R = TypeVar("R")


class Face(Protocol):
    """What a handle needs of the scheduler."""

    @property
    def schedule_task(self) -> Callable[..., str]:
        """Schedule one execution."""
        ...

    @property
    def schedule_cron_task(self) -> Callable[..., str]:
        """Schedule executions by cron text."""
        ...


class TaskHandle(Generic[P, R]):
    """A function that is registered as a task: call it as before, or schedule it."""

    def __init__(self, scheduler: Face, task_id: str, function: Callable[P, R]) -> None:
        self.task_id = task_id
        self._scheduler = scheduler
        self._function = function
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without the scheduler."""
        return self._function(*args, **kwargs)

    def schedule(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Schedule one execution; answers its id."""
        return self._scheduler.schedule_task(self.task_id, *args, **kwargs)

    def cron(self, expression: str, **options: Any) -> str:
        """Schedule executions by cron text; answers the id of the schedule.

        ``options`` are those of ``schedule_cron_task``: zone, bounds and policies.
        """
        return self._scheduler.schedule_cron_task(self.task_id, expression, **options)


def dependency_on(task: str | TaskDependency | TaskHandle[Any, Any]) -> TaskDependency:
    """A dependency, from however a caller of the decorator names it."""
    if isinstance(task, TaskDependency):
        return task
    return TaskDependency(task.task_id if isinstance(task, TaskHandle) else task)
