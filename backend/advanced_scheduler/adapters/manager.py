"""Document 000: module-level functions that call any function, on one scheduler for the process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from ..models import result_of
from .background import Shared
from .call_checks import USUAL_PRIORITY
from .calls import Callback, SchedulerManager, Tasks

__all__ = [
    "SchedulerManager",
    "cancel_task",
    "clear_completed_tasks",
    "get_all_tasks",
    "get_completed_tasks",
    "get_pending_tasks",
    "get_process_manager",
    "get_running_tasks",
    "get_scheduler_manager",
    "get_task_status",
    "result_of",
    "schedule_task",
    "start_scheduler",
    "stop_scheduler",
    "wait_for_task",
]

_shared: Final = Shared(SchedulerManager)


def get_scheduler_manager() -> SchedulerManager:
    """What the functions of this module work on, in memory; made at the first call."""
    return _shared.get()


def get_process_manager() -> SchedulerManager:
    """The same, for its ``create_process_pool(max_workers)``."""
    return _shared.get()


def schedule_task(
    func: Callable[..., Any],
    /,
    *args: Any,
    priority: int = USUAL_PRIORITY,
    dependencies: Collection[str] | None = None,
    callback: Callback | None = None,
    executor_id: str | None = None,
    **kwargs: Any,
) -> str:
    """Call ``func(*args, **kwargs)`` once; answers the id of the task.

    For the keywords and errors see ``SchedulerManager.schedule_task``.
    """
    return _shared.get().schedule_task(
        func,
        *args,
        priority=priority,
        dependencies=dependencies,
        callback=callback,
        executor_id=executor_id,
        **kwargs,
    )


def get_task_status(task_id: str) -> dict[str, Any] | None:
    """The task as a dict: ``status``, ``result``, ``error`` and more; None if unknown."""
    return _shared.get().get_task_status(task_id)


def wait_for_task(task_id: str, timeout: float | None = None) -> Any:
    """The result; None after ``timeout`` seconds, or if there is none as the task failed.

    Raises ``ExecutionNotFound``.
    """
    return _shared.get().wait_for_task(task_id, timeout)


def cancel_task(task_id: str) -> bool:
    """Cancel it, and skip what waits for its result; False if it had ended or is unknown."""
    return _shared.get().cancel_task(task_id)


def get_all_tasks() -> Tasks:
    """All tasks that are remembered, by id: those that have not ended, and the latest others."""
    return _shared.get().get_all_tasks()


def get_pending_tasks() -> Tasks:
    """The tasks that have not begun, by id."""
    return _shared.get().get_pending_tasks()


def get_running_tasks() -> Tasks:
    """The tasks that run now, by id."""
    return _shared.get().get_running_tasks()


def get_completed_tasks() -> Tasks:
    """The tasks that have ended, by id: completed, failed, cancelled or skipped."""
    return _shared.get().get_completed_tasks()


def clear_completed_tasks() -> int:
    """Forget the tasks that have ended; answers how many."""
    return _shared.get().clear_completed_tasks()


def start_scheduler() -> None:
    """Run tasks from now on; does nothing if they run."""
    _shared.get().start_scheduler()


def stop_scheduler() -> None:
    """Begin no task any more; those that run have ``drain_seconds`` (30) to end.

    Callbacks of tasks that have ended return first, within 5 seconds.
    """
    _shared.get().stop_scheduler()
