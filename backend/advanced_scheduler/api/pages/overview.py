"""The first page: how it goes, what needs attention, what comes next, what went wrong."""

from __future__ import annotations

from typing import Final

from ..schemas import ExecutionQuery
from .page import Context, Nav, Page, Visit

_ERRORS: Final = 10


def overview(visit: Visit) -> Context:
    """The state of everything at a glance."""
    service = visit.service
    queue = service.cluster.queue()
    failed = service.executions.page(ExecutionQuery(status=frozenset({"failed"})), _ERRORS)
    return {"queue": queue, "errors": failed.executions, "nodes": service.cluster.nodes().items}


PAGES: Final = (
    Page("", "overview.html", "Overview", overview, nav=Nav("Overview", "overview", 10)),
)
