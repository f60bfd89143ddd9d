"""Owns what becomes of triggers that are not ours: APScheduler's, and the application's own."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger as ForeignAnd
from apscheduler.triggers.combining import OrTrigger as ForeignOr
from apscheduler.triggers.cron import CronTrigger as ForeignCron
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger as ForeignInterval

from ..errors import InvalidTrigger
from .combined import AndTrigger, CombinedTrigger, OrTrigger
from .date import OneTimeTrigger
from .foreign_calendar import ForeignCalendarTrigger
from .foreign_cron import ForeignCronTrigger
from .interval import IntervalTrigger
from .objects import ObjectTrigger
from .trigger import Trigger


def as_trigger(trigger: object) -> Trigger:
    """Our trigger for what an application may pass.

    Ours as it is; APScheduler's interval, date, cron, calendar interval, and and or trigger as
    one of ours that means the same (jitter is then the same at every asking); any other object
    with ``get_next_run_time(after_time)`` or ``get_next_fire_time(previous, now)`` as an
    ObjectTrigger, which the memory store alone can keep. Raises InvalidTrigger for anything else.
    """
    if isinstance(trigger, Trigger):
        return trigger
    if convert := _CONVERSIONS.get(type(trigger)):
        return convert(trigger)
    if meant := _meant(trigger):
        raise InvalidTrigger(f"{reprlib.repr(trigger)} is not a trigger; give {meant}")
    return ObjectTrigger(trigger)


def _meant(given: object) -> str | None:
    """The trigger that somebody may have had in mind who gives its argument alone."""
    if isinstance(given, str):
        return f"CronTrigger({reprlib.repr(given)}) for a cron text"
    if isinstance(given, timedelta | int | float):
        return f"IntervalTrigger({given!r}) for an interval"
    if isinstance(given, datetime):
        return f"OneTimeTrigger({given!r}) for a single time"
    return None


def _from_cron(trigger: Any) -> Trigger:
    return ForeignCronTrigger(
        {field.name: str(field) for field in trigger.fields if not field.is_default},
        timezone=trigger.timezone,
        start_time=trigger.start_date,
        end_time=trigger.end_date,
        jitter=trigger.jitter,
    )


def _from_interval(trigger: Any) -> Trigger:
    return IntervalTrigger(
        trigger.interval,
        timezone=trigger.timezone,
        start_time=trigger.start_date,
        end_time=trigger.end_date,
        jitter=trigger.jitter,
    )


def _from_date(trigger: Any) -> Trigger:
    return OneTimeTrigger(trigger.run_date, timezone=trigger.run_date.tzinfo)


def _from_calendar(trigger: Any) -> Trigger:
    at = trigger._time
    return ForeignCalendarTrigger(
        [trigger.years, trigger.months, trigger.weeks, trigger.days],
        [at.hour, at.minute, at.second],
        trigger.start_date.isoformat(),
        trigger.end_date.isoformat() if trigger.end_date else None,
        timezone=trigger.timezone,
        jitter=trigger.jitter,
    )


def _combination(kind: type[CombinedTrigger]) -> Callable[[Any], Trigger]:
    def convert(trigger: Any) -> Trigger:
        if trigger.jitter:
            raise InvalidTrigger(
                f"{trigger!r} has jitter, which a combined trigger cannot have here; give the "
                "jitter to the parts of an or trigger"
            )
        return kind([as_trigger(part) for part in trigger.triggers])

    return convert


_CONVERSIONS: Final[dict[type, Callable[[Any], Trigger]]] = {
    ForeignCron: _from_cron,
    ForeignInterval: _from_interval,
    DateTrigger: _from_date,
    CalendarIntervalTrigger: _from_calendar,
    ForeignAnd: _combination(AndTrigger),
    ForeignOr: _combination(OrTrigger),
}
