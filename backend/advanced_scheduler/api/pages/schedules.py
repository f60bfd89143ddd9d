"""The pages of schedules: when what runs, why something did not, and how to change it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, get_args

from ...errors import SchedulerError
from ..fields import PriorityName
from ..problems import Problem
from ..schedule_schemas import (
    MisfireName,
    OverlapName,
    PreviewAsked,
    ScheduleDetail,
    StateName,
)
from .page import Context, Nav, Page, Visit

_LIMIT: Final = 50
_SHOWN: Final = 50  # instants of the ledger
_MOST_RUNS: Final = 100  # of a preview
_LONGEST_TEXT: Final = 200
_DAY: Final = timedelta(days=1)
_LONGEST: Final = timedelta(days=400)


def schedules(visit: Visit) -> Context:
    """All schedules; a preview of any cron text."""
    states: dict[str | None, StateName] = {one: one for one in get_args(StateName)}
    page = visit.service.schedules.page(
        _LIMIT,
        visit.first("cursor"),
        task_id=visit.first("task_id"),
        status=states.get(visit.first("status")),
        tag=visit.first("tag"),
    )
    return {
        "schedules": page.items,
        "last": visit.service.executions.latest_of(page.items),
        "next_cursor": page.next_cursor,
        "states": get_args(StateName),
        "tasks": sorted(one.id for one in visit.service.workflows.graph().nodes),
        **_preview(visit),
    }


def schedule(visit: Visit) -> Context:
    """One schedule with its next runs, versions and ledger."""
    found = visit.service.schedules.get(visit.path["schedule_id"])
    return {
        "schedule": found,
        "title": found.name or found.id,
        "versions": visit.service.schedules.history(found.id).items,
        "misfires": get_args(MisfireName),
        "overlaps": get_args(OverlapName),
        "priorities": get_args(PriorityName),
        **_ledger(visit, found),
        **_explained(visit, found.id),
    }


def _preview(visit: Visit) -> Context:
    """What the cron text of the query means; ``refused`` says why it means nothing."""
    cron = visit.first("cron")
    if cron is None:
        return {"preview": None, "refused": None}
    try:
        asked = PreviewAsked(
            cron=cron[:_LONGEST_TEXT],
            timezone=(visit.first("timezone") or "UTC")[:_LONGEST_TEXT],
            count=_count(visit.first("count")),
        )
        return {"preview": visit.service.schedules.preview(asked), "refused": None}
    except (ValueError, SchedulerError, Problem) as error:
        return {"preview": None, "refused": str(error)}


def _count(text: str | None) -> int:
    """How many runs a preview shows."""
    given = int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else 10
    return min(max(given, 1), _MOST_RUNS)


def _ledger(visit: Visit, found: ScheduleDetail) -> Context:
    """What became of the last instants, the latest first; more of them with ``since``."""
    since = visit.instant("since") or visit.now - _stretch(found)
    try:
        ledger = visit.service.schedules.ledger(found.id, since, visit.now)
    except (SchedulerError, Problem) as error:
        return {"ticks": [], "missing": [], "since": since, "unread": str(error)}
    ticks = ledger.ticks[::-1][:_SHOWN]
    return {"ticks": ticks, "missing": ledger.missing, "since": since, "unread": None}


def _stretch(found: ScheduleDetail) -> timedelta:
    """About as long as fifty instants take."""
    if len(found.next_runs) < 2:
        return _DAY
    first, second = (one.instant for one in found.next_runs[:2])
    return min((second - first) * _SHOWN, _LONGEST)


def _explained(visit: Visit, schedule_id: str) -> Context:
    instant = visit.instant("instant")
    told: Context = {"instant": instant, "explained": None, "unexplained": None}
    if instant is None:
        return told
    try:
        return told | {"explained": visit.service.schedules.explain(schedule_id, instant)}
    except (SchedulerError, Problem) as error:
        return told | {"unexplained": str(error)}


PAGES: Final = (
    Page("schedules", "schedules.html", "Schedules", schedules, nav=Nav("Schedules", "clock", 60)),
    Page("schedules/{schedule_id}", "schedule.html", "Schedule", schedule, within="schedules"),
)
