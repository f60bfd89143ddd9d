"""Lists what is stored and cannot be used by this node, which keeps it for one that can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..errors import InvalidTrigger
from ..models import Parked, Schedule
from ..registry import TaskRegistry
from ..stores.base import Store
from ..triggers import trigger_from_json


def parked(store: Store, registry: TaskRegistry) -> list[Parked]:
    """Tasks that executions wait for and nobody here knows, schedules, and unreadable rows.

    Raises ``StoreUnavailable``.
    """
    strangers = [
        Parked(kind="task", id=task_id, reason=_not_registered(task_id), count=waiting)
        for task_id, waiting in sorted(store.waiting_tasks().items())
        if task_id not in registry
    ]
    schedules = [one for schedule in store.schedules() for one in _parked(schedule, registry)]
    return [*strangers, *schedules, *store.unreadable()]


def count_parked(store: Store, registry: TaskRegistry, schedules: int) -> dict[str, int]:
    """How much of each kind is parked, ``schedules`` of them as the ticker has found.

    Cheaper than ``parked``, since schedules are not read. Raises ``StoreUnavailable``.
    """
    unreadable = Counter(one.kind for one in store.unreadable())
    waiting = store.waiting_tasks().items()
    return {
        "task": sum(number for task_id, number in waiting if task_id not in registry),
        "execution": unreadable["execution"],
        "schedule": unreadable["schedule"] + schedules,
    }


def trigger_problem(schedule: Schedule) -> str | None:
    """Why its trigger cannot be used; None if it can."""
    try:
        trigger_from_json(schedule.trigger)
    except InvalidTrigger as error:
        return str(error)
    return None


def _parked(schedule: Schedule, registry: TaskRegistry) -> Iterator[Parked]:
    reason = trigger_problem(schedule)
    if schedule.task_id not in registry:
        reason = _not_registered(schedule.task_id)
    if reason is not None:
        yield Parked(kind="schedule", id=schedule.schedule_id, reason=reason)


def _not_registered(task_id: str) -> str:
    return f"task {task_id!r} is not registered on this node"
