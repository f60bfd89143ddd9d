"""Tasks: what can be run, how each is doing, and a form that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ..schemas import ExecutionOut
from ..svg import Level, histogram
from .page import Context, Nav, Page, Visit

_SHOWN: Final = 40
_LEVELS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
"""Seconds: the buckets of the metric ``execution_duration_seconds``."""


def tasks(visit: Visit) -> Context:
    """The list, with the last runs of each."""
    service = visit.service.tasks
    found = service.page(_SHOWN, visit.first("cursor"))
    recent = {one.id: service.recent(one.id) for one in found.tasks}
    return {
        "tasks": found.tasks,
        "next_cursor": found.next_cursor,
        "recent": {name: rows[::-1] for name, rows in recent.items()},
        "rate": {name: success(rows) for name, rows in recent.items()},
    }


def task(visit: Visit) -> Context:
    """One of them."""
    service, wanted = visit.service.tasks, visit.path["task_id"]
    one = service.get(wanted)
    picture = histogram(
        levels(service.durations(wanted)),
        f"How long executions of {wanted} took",
        p50=one.p50_seconds,
        p95=one.p95_seconds,
    )
    return {
        "title": one.name,
        "one": one,
        "recent": service.recent(wanted)[::-1],
        "histogram": picture if one.p50_seconds is not None else "",
        "delays": service.retry_delays(wanted),
    }


def levels(durations: Iterable[float]) -> list[Level]:
    """How many fell between each two bounds, from the first that has any to the last."""
    counts = [0] * (len(_LEVELS) + 1)
    for seconds in durations:
        counts[sum(seconds > one for one in _LEVELS)] += 1
    used = [at for at, number in enumerate(counts) if number]
    if not used:
        return []
    bounds: tuple[float | None, ...] = (*_LEVELS, None)
    first, last = max(used[0] - 1, 0), min(used[-1] + 2, len(counts))
    return [
        Level(limit=limit, count=number)
        for limit, number in zip(bounds[first:last], counts[first:last], strict=True)
    ]


def success(rows: Sequence[ExecutionOut]) -> float | None:
    """The share of those that ended well among those that ended, in percent."""
    ended = [row.status for row in rows if row.status in ("completed", "failed")]
    return 100.0 * ended.count("completed") / len(ended) if ended else None


PAGES: Final = (
    Page("tasks", "tasks.html", "Tasks", tasks, nav=Nav("Tasks", "tasks", 40)),
    Page("tasks/{task_id}", "task.html", "Task", task, within="tasks"),
)
