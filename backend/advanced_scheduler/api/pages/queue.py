"""The queue: five lanes, and in each the real order with what everyone waits for."""

from __future__ import annotations

from typing import Final, get_args

from ..fields import PriorityName
from ..problems import not_found
from . import charts
from .page import Context, Nav, Page, Visit

PRIORITIES: Final[tuple[PriorityName, ...]] = get_args(PriorityName)

_SHOWN: Final = 50  # of a lane


def queue(visit: Visit) -> Context:
    """All lanes, and the one that the address asks for; else the first that is not empty."""
    state = visit.service.cluster.queue()
    busy = next((one.priority for one in state.lanes if one.waiting), "normal")
    asked = visit.first("lane") or busy
    lane = next((one for one in state.lanes if one.priority == asked), None)
    if lane is None:
        raise not_found("lane", asked)
    series = visit.service.series.read()
    return {
        "queue": state,
        "depths": {one: charts.depth(series, one) for one in PRIORITIES},
        "waits": series.lane_p95,
        "lane": lane,
        "line": visit.service.waiting.lane(lane.priority, _SHOWN),
        "priorities": PRIORITIES,
        "shown": _SHOWN,
    }


PAGES: Final = (Page("queue", "queue.html", "Queue", queue, nav=Nav("Queue", "queue", 20)),)
