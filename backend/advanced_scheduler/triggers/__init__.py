"""When tasks run: pure APScheduler triggers that state themselves as JSON."""

from __future__ import annotations

from .calendar import DailyTrigger, MonthlyTrigger, WeeklyTrigger
from .combined import AndTrigger, OrTrigger
from .cron import CronTrigger
from .date import OneTimeTrigger
from .event import EventTrigger
from .foreign import as_trigger
from .foreign_calendar import ForeignCalendarTrigger
from .foreign_cron import ForeignCronTrigger
from .interval import IntervalTrigger
from .lint import NextRun, describe, lint, next_runs
from .objects import ObjectTrigger
from .timestamps import TimestampTrigger
from .trigger import Trigger, trigger_from_json

__all__ = [
    "AndTrigger",
    "CronTrigger",
    "DailyTrigger",
    "EventTrigger",
    "ForeignCalendarTrigger",
    "ForeignCronTrigger",
    "IntervalTrigger",
    "MonthlyTrigger",
    "NextRun",
    "ObjectTrigger",
    "OneTimeTrigger",
    "OrTrigger",
    "TimestampTrigger",
    "Trigger",
    "WeeklyTrigger",
    "as_trigger",
    "describe",
    "lint",
    "next_runs",
    "trigger_from_json",
]
