"""Triggers of APScheduler become ours that mean the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger as ForeignAnd
from apscheduler.triggers.combining import OrTrigger as ForeignOr
from apscheduler.triggers.cron import CronTrigger as ForeignCron
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger as ForeignInterval

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import (
    AndTrigger,
    DailyTrigger,
    ForeignCalendarTrigger,
    ForeignCronTrigger,
    IntervalTrigger,
    OneTimeTrigger,
    OrTrigger,
    as_trigger,
    trigger_from_json,
)
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc

ZONES = [
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "Pacific/Apia",
]
CRONS: list[dict[str, Any]] = [
    {"hour": 2, "minute": 30},
    {"minute": "*/17"},
    {"day_of_week": "0", "hour": "1-2", "minute": "30"},
    {"day_of_week": "mon-fri", "hour": 9},
    {"day": "last", "hour": "23", "minute": 59},
    {"day": "2nd tue", "hour": 0},
    {"week": "13,44", "second": "*/30"},
]


def test_ours_stay_what_they_are() -> None:
    trigger = DailyTrigger("09:00")

    assert as_trigger(trigger) is trigger


def test_an_interval_counts_from_its_start() -> None:
    theirs = ForeignInterval(
        minutes=7, start_date="2026-01-01", end_date="2026-02-01", timezone="UTC", jitter=3
    )

    assert as_trigger(theirs) == IntervalTrigger(
        420, start_time="2026-01-01", end_time="2026-02-01", jitter=3
    )


def test_a_date_runs_once() -> None:
    theirs = DateTrigger("2026-05-01 10:00:00", timezone="Asia/Tokyo")

    assert as_trigger(theirs) == OneTimeTrigger("2026-05-01T10:00", timezone="Asia/Tokyo")


def test_weekday_0_of_its_cron_is_monday() -> None:
    trigger = as_trigger(ForeignCron(day_of_week="0", hour=9, timezone="UTC"))

    assert upcoming_utc(trigger, "2026-01-01", 1) == ["2026-01-05T09:00"]
    assert trigger.to_json() == {
        "type": "apscheduler_cron",
        "v": 1,
        "fields": {"day_of_week": "0", "hour": "9"},
        "timezone": "UTC",
    }


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("fields", CRONS)
def test_its_cron_runs_when_it_would_and_always_later(zone: str, fields: dict[str, Any]) -> None:
    theirs = ForeignCron(**fields, timezone=zone)
    trigger = as_trigger(theirs)
    restored = trigger_from_json(json.loads(json.dumps(trigger.to_json())))

    for since in map(utc, ("2024-03-09", "2024-04-05", "2024-09-07", "2024-11-02", "2011-12-29")):
        runs = [run.astimezone(UTC) for run in upcoming(restored, since, 5)]
        assert all(earlier < later for earlier, later in pairwise(runs))
        for earlier, later in pairwise([since - timedelta(seconds=1), *runs]):
            asked = (earlier + timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
            expected = theirs.get_next_fire_time(None, asked)
            assert expected.astimezone(UTC) in (later, later.replace(microsecond=0))


def test_start_end_and_jitter_of_its_cron_are_kept() -> None:
    theirs = ForeignCron(
        hour=9, start_date="2026-01-02", end_date="2026-01-03 10:00:00", timezone="UTC", jitter=60
    )

    runs = upcoming(as_trigger(theirs), "2020-01-01", 9)

    assert [run.date().isoformat() for run in runs] == ["2026-01-02", "2026-01-03"]
    assert all(run.second > 0 for run in runs)
    assert runs == upcoming(as_trigger(theirs), "2020-01-01", 9)


@pytest.mark.parametrize("fields", [{"day": 31, "month": 2}, {"week": 53, "month": 6}])
def test_a_search_of_its_cron_for_what_never_comes_ends(fields: dict[str, Any]) -> None:
    trigger = as_trigger(ForeignCron(**fields, timezone="UTC"))

    assert trigger.get_next_fire_time(None, utc("2026-01-01")) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"months": 1, "start_date": "2024-01-31", "hour": 9},
        {"years": 1, "start_date": "2024-02-29"},
        {"weeks": 2, "days": 1, "start_date": "2024-01-05", "hour": 2, "minute": 30},
        {"months": 1, "days": 1, "start_date": "2024-01-10", "hour": 2, "minute": 30},
        {"days": 1, "start_date": "2024-03-08", "hour": 2, "minute": 30},
        {"days": 1, "start_date": "2024-11-01", "end_date": "2024-11-05", "hour": 1, "minute": 30},
    ],
)
def test_a_calendar_interval_runs_when_it_would(arguments: dict[str, Any]) -> None:
    theirs = CalendarIntervalTrigger(**arguments, timezone="America/New_York")
    expected: list[datetime] = []
    while len(expected) < 12:
        following = theirs.get_next_fire_time(expected[-1] if expected else None, utc("2024-01-01"))
        if following is None:
            break
        expected.append(following)

    trigger = as_trigger(theirs)

    assert len(expected) >= 5
    assert [run.astimezone(UTC) for run in upcoming(trigger, "2024-01-01", len(expected))] == [
        run.astimezone(UTC) for run in expected
    ]
    assert trigger_from_json(json.loads(json.dumps(trigger.to_json()))) == trigger


def test_a_calendar_interval_beyond_the_calendar_ends() -> None:
    theirs = CalendarIntervalTrigger(years=5000, start_date="2024-02-29", timezone="UTC")

    assert upcoming_utc(as_trigger(theirs), "2024-01-01", 9) == [
        "2024-02-29T00:00",
        "7024-02-29T00:00",
    ]


def test_combinations_become_ours_with_all_their_parts() -> None:
    nine = ForeignCron(hour=9, timezone="UTC")
    monday = ForeignCron(day_of_week="mon", hour="*", timezone="UTC")

    both, either = as_trigger(ForeignAnd([nine, monday])), as_trigger(ForeignOr([nine, monday]))

    assert both == AndTrigger([as_trigger(nine), as_trigger(monday)])
    assert either == OrTrigger([as_trigger(nine), as_trigger(monday)])
    assert upcoming_utc(both, "2026-01-01", 1) == ["2026-01-05T09:00"]


def test_intervals_that_hang_it_are_refused() -> None:
    never = ForeignAnd(
        [
            ForeignInterval(seconds=2, start_date=start, timezone="UTC")
            for start in ("2026-01-01 00:00:00", "2026-01-01 00:00:01")
        ]
    )

    with pytest.raises(InvalidTrigger, match="never runs"):
        as_trigger(never)


def test_jitter_of_a_combination_is_refused() -> None:
    with pytest.raises(InvalidTrigger, match="has jitter"):
        as_trigger(ForeignOr([ForeignCron(hour=9, timezone="UTC")], jitter=5))


def test_a_zone_without_a_name_is_refused() -> None:
    class Nameless(ZoneInfo):
        key = None  # type: ignore[assignment]

    theirs = ForeignInterval(seconds=5, start_date="2026-01-01", timezone="UTC")
    theirs.timezone = Nameless("UTC")

    with pytest.raises(InvalidTrigger, match="has no name"):
        as_trigger(theirs)


@pytest.mark.parametrize("thing", [None, 5, "0 9 * * *", object(), ForeignCron, {"hour": 9}])
def test_what_is_no_trigger_is_refused(thing: object) -> None:
    with pytest.raises(InvalidTrigger, match="is not a trigger"):
        as_trigger(thing)


@pytest.mark.parametrize(
    ("thing", "meant"),
    [
        ("0 9 * * *", "give CronTrigger('0 9 * * *') for a cron text"),
        (timedelta(minutes=5), "give IntervalTrigger(datetime.timedelta(seconds=300))"),
        (300, "give IntervalTrigger(300)"),
        (datetime(2030, 1, 1, tzinfo=UTC), "give OneTimeTrigger(datetime.datetime(2030, 1, 1"),
    ],
)
def test_an_argument_of_a_trigger_is_told_which_trigger_takes_it(thing: object, meant: str) -> None:
    with pytest.raises(InvalidTrigger, match=re.escape(meant)):
        as_trigger(thing)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ForeignCronTrigger({"hour": "25"}),
        lambda: ForeignCronTrigger({"moon": "1"}),
        lambda: ForeignCalendarTrigger([0, 0, 0, 0], [9, 0, 0], "2026-01-01"),
        lambda: ForeignCalendarTrigger([0, 0, 0, -1], [9, 0, 0], "2026-01-01"),
        lambda: ForeignCalendarTrigger([0, 0, 1], [9, 0, 0], "2026-01-01"),
        lambda: ForeignCalendarTrigger([0, 0, 0, 1], [25, 0, 0], "2026-01-01"),
        lambda: ForeignCalendarTrigger([0, 0, 0, 1], [9, 0, 0], "soon"),
        lambda: ForeignCalendarTrigger([0, 1, 0, 0], [9, 0, 0], "2026-01-31", short="first"),  # type: ignore[arg-type]
    ],
)
def test_a_state_that_makes_no_such_trigger_is_refused(make: Any) -> None:
    with pytest.raises(InvalidTrigger):
        make()


def test_a_run_that_it_passes_over_after_a_clock_change_is_found() -> None:
    trigger = as_trigger(ForeignCron(hour=0, minute="0,30", timezone="America/New_York"))

    runs = ["2024-03-10T05:00", "2024-03-10T05:30", "2024-03-11T04:00", "2024-03-11T04:30"]
    assert upcoming_utc(trigger, "2024-03-10T05:00", 4) == runs


def test_a_month_that_is_too_short_may_run_on_its_last_day() -> None:
    state = ForeignCalendarTrigger([0, 5, 0, 0], [9, 0, 0], "2025-10-30", short="last").to_json()
    runs = ["2025-10-30T09:00", "2026-03-30T09:00", "2026-08-30T09:00", "2027-01-30T09:00"]
    assert upcoming_utc(trigger_from_json(state), "2025-10-01T00:00", 4) == runs
    monthly = ForeignCalendarTrigger([0, 1, 0, 0], [9, 0, 0], "2024-01-31", short="last")
    runs = ["2024-01-31T09:00", "2024-02-29T09:00", "2024-03-31T09:00", "2024-04-30T09:00"]
    assert upcoming_utc(monthly, "2024-01-01T00:00", 4) == runs
