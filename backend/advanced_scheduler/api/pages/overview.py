"""The first page: how it goes, what needs attention, what comes next, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from ..schemas import ExecutionOut, ExecutionQuery
from . import attention, charts
from .page import Context, Nav, Page, Visit

_ERRORS: Final = 10
_FIRES: Final = 10
_COUNTED: Final = 200  # failures of an hour; beyond them it says "200+"
_SCHEDULES: Final = 1000


class Failing(NamedTuple):
    """A task that failed: how often, and the execution that did so last."""

    times: int
    last: ExecutionOut


def overview(visit: Visit) -> Context:
    """The state of everything at a glance."""
    service = visit.service
    queue, nodes = service.cluster.queue(), service.cluster.nodes().items
    hour = ExecutionQuery(status=frozenset({"failed"}), since=visit.now - timedelta(hours=1))
    failed = service.executions.page(hour, _COUNTED)
    schedules = service.schedules.page(_SCHEDULES).items
    coming = sorted(
        (one for one in schedules if one.status == "active" and one.next_run is not None),
        key=lambda one: (one.next_run, one.id),
    )
    window = charts.window_of(visit)
    series = service.series.read(window)
    return {
        "queue": queue,
        "window": window,
        "windows": charts.WINDOWS,
        "finished": charts.finished(series),
        "waits": charts.waits(series),
        "latest_wait": charts.latest_wait(series),
        "slots": sum(one.slots for one in nodes if one.state == "alive"),
        "ready": sum(one.ready for one in queue.lanes),
        "delayed": sum(one.delayed + one.blocked + one.retrying for one in queue.lanes),
        "failed": len(failed.executions),
        "more_failed": failed.next_cursor is not None,
        "dead_letters": service.dead_letters.count(),
        "alarms": [
            *attention.of_nodes(nodes),
            *attention.of_queue(queue),
            *attention.of_failures(failed.executions),
            *attention.of_schedules(schedules, visit.now),
            *attention.of_locks(service.cluster.locks().items),
        ],
        "coming": coming[:_FIRES],
        "errors": _failing(failed.executions)[:_ERRORS],
    }


def _failing(failed: Iterable[ExecutionOut]) -> Sequence[Failing]:
    """Each task once, the one that failed last first, of executions with the newest first."""
    found: dict[str, list[ExecutionOut]] = {}
    for one in failed:
        found.setdefault(one.task_id, []).append(one)
    return [Failing(len(ones), ones[0]) for ones in found.values()]


PAGES: Final = (
    Page("", "overview.html", "Overview", overview, nav=Nav("Overview", "overview", 10)),
)
