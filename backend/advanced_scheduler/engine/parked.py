"""Lists what is stored and cannot be used by this node, which keeps it for one that can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from ..errors import InvalidTrigger
from ..lifecycle import OPEN
from ..models import ExecutionFilter, Parked, Schedule
from ..registry import TaskRegistry
from ..stores.base import Store
from ..triggers import trigger_from_json

LOOKED_AT: Final = 1000


def parked(store: Store, registry: TaskRegistry, unfired: Mapping[str, str]) -> list[Parked]:
    """Tasks that executions wait for and nobody here knows, schedules, and unreadable rows.

    ``unfired`` says of schedules that were due, by id, why this node cannot fire them. Executions
    that cannot be read are those that this process has met within a minute, and those among the
    newest 1,000 that have not ended. Raises ``StoreUnavailable``.
    """
    store.find(ExecutionFilter(statuses=OPEN, limit=LOOKED_AT))  # what it cannot read, it notes
    strangers = [
        Parked(kind="task", id=task_id, reason=_not_registered(task_id), count=waiting)
        for task_id, waiting in sorted(store.waiting_tasks().items())
        if task_id not in registry
    ]
    schedules = [
        Parked(kind="schedule", id=schedule.schedule_id, reason=reason)
        for schedule in store.schedules()
        if (reason := why_parked(schedule, registry, unfired)) is not None
    ]
    return [*strangers, *schedules, *store.unreadable()]


def count_parked(
    store: Store, registry: TaskRegistry, unfired: Mapping[str, str]
) -> dict[str, int]:
    """How much of each kind is parked, without reading all schedules.

    One whose trigger cannot be used counts from when it is due. Raises ``StoreUnavailable``.
    """
    unreadable = Counter(one.kind for one in store.unreadable())
    waiting, scheduled = store.waiting_tasks(), store.scheduled_tasks()
    known = sum(one.task_id in registry for one in store.schedules(list(unfired)))
    return {
        "task": sum(n for task_id, n in waiting.items() if task_id not in registry),
        "execution": unreadable["execution"],
        "schedule": unreadable["schedule"]
        + known
        + sum(n for task_id, n in scheduled.items() if task_id not in registry),
    }


def why_parked(
    schedule: Schedule, registry: TaskRegistry, unfired: Mapping[str, str]
) -> str | None:
    """Why this node cannot fire it; None if it can."""
    if schedule.task_id not in registry:
        return _not_registered(schedule.task_id)
    return trigger_problem(schedule) or unfired.get(schedule.schedule_id)


def trigger_problem(schedule: Schedule) -> str | None:
    """Why its trigger cannot be used; None if it can."""
    try:
        trigger_from_json(schedule.trigger)
    except InvalidTrigger as error:
        return str(error)
    return None


def _not_registered(task_id: str) -> str:
    return f"task {task_id!r} is not registered on this node"
