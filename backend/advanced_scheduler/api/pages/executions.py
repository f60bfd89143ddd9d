"""Executions: the list with its filters, and one of them with all that is known of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, get_args

from ..fields import StatusName
from ..problems import Problem
from ..schemas import ExecutionDetail, ExecutionQuery
from ..svg import Span, timeline
from .page import Context, Nav, Page, Visit
from .queue import PRIORITIES

STATUSES: Final[tuple[StatusName, ...]] = get_args(StatusName)
LAST: Final = {
    "15min": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
}
"""What ``last`` in an address may be."""

_FIELDS: Final = (
    *("task_id", "schedule_id", "workflow_id", "queue", "priority"),
    *("node", "tag", "text"),
)
_SHOWN: Final = 50


def query_of(visit: Visit) -> ExecutionQuery:
    """The filters of an address; raises ``Problem`` for a value that cannot be."""
    given: dict[str, Any] = {
        name: value for name in _FIELDS if (value := visit.first(name)) is not None
    }
    for name in ("since", "until"):
        given[name] = visit.instant(name)
    if statuses := [one for one in visit.query.get("status", ()) if one]:
        given["status"] = statuses
    if last := visit.first("last"):
        if last not in LAST:
            raise Problem(422, "invalid-value", f"last={last!r} must be one of {', '.join(LAST)}")
        given["since"] = visit.now - LAST[last]
    try:
        return ExecutionQuery(**given)
    except ValueError as error:
        raise Problem(422, "invalid-value", f"The filter cannot be read: {error}") from None


def executions(visit: Visit) -> Context:
    """A page of the list, the newest first."""
    query = query_of(visit)
    found = visit.service.executions.page(query, _SHOWN, visit.first("cursor"))
    asked = query.model_dump(mode="json", exclude_none=True)
    if query.status is not None:
        asked["status"] = sorted(query.status)
    return {
        "rows": found.executions,
        "next_cursor": found.next_cursor,
        "complete": found.complete,
        "query": asked,
        "statuses": STATUSES,
        "status": sorted(query.status or ()),
        "priorities": PRIORITIES,
        "lasts": list(LAST),
        "since": visit.instant("since"),
        "until": query.until,
        "attempts": visit.service.tasks.attempts(),
    }


def execution(visit: Visit) -> Context:
    """One of them."""
    service, wanted = visit.service, visit.path["execution_id"]
    one = service.executions.get(wanted)
    spans = spans_of(one, visit.now)
    return {
        "title": f"{one.task_id} {one.id[-8:]}",
        "one": one,
        "active": one.status in ("pending", "running", "retrying"),
        "timeline": timeline(spans, f"States of the execution {one.id}") if spans else "",
        "downstream": service.executions.downstream(wanted),
        "audit": service.audit.about(wanted),
        "logs": service.executions.logs(wanted).lines,
        "most": service.tasks.attempts().get(one.task),
    }


def spans_of(one: ExecutionDetail, now: datetime) -> list[Span]:
    """The states it went through: it waits, then runs and waits for the next attempt in turn."""
    marks: list[tuple[str, datetime]] = []
    if one.created_time is not None:
        marks.append(("pending", one.created_time))
    for attempt in one.attempts:
        if attempt.started_time is not None:
            marks.append(("running", attempt.started_time))
            if attempt.ended_time is not None:
                marks.append(("retrying", attempt.ended_time))
    last = max([one.end_time or now, *(start for _, start in marks)])
    ends = [start for _, start in marks[1:]] + [last]
    return [
        Span(state=state, start=start, end=end)
        for (state, start), end in zip(marks, ends, strict=True)
        if end > start
    ]


PAGES: Final = (
    Page(
        "executions",
        "executions.html",
        "Executions",
        executions,
        nav=Nav("Executions", "executions", 30),
    ),
    Page(
        "executions/{execution_id}",
        "execution.html",
        "Execution",
        execution,
        within="executions",
    ),
)
