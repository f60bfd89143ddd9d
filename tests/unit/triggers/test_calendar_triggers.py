"""Triggers that run at times of the day, on days of the week or of the month."""

from __future__ import annotations

from typing import Any

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import DailyTrigger, MonthlyTrigger, Trigger, WeeklyTrigger
from tests.unit.triggers.occurrences import upcoming_utc

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (
            DailyTrigger(["17:00", "09:00", "13:00:30"]),
            ["2026-01-30T09:00", "2026-01-30T13:00:30", "2026-01-30T17:00", "2026-01-31T09:00"],
        ),
        (
            DailyTrigger("09:00", timezone="Asia/Tokyo"),
            ["2026-01-30T00:00", "2026-01-31T00:00"],
        ),
        (
            WeeklyTrigger(["monday", "THU"], "10:00"),
            ["2026-02-02T10:00", "2026-02-05T10:00", "2026-02-09T10:00"],
        ),
        (
            WeeklyTrigger("Sun", ["10:00", "08:00"]),
            ["2026-02-01T08:00", "2026-02-01T10:00", "2026-02-08T08:00"],
        ),
        (
            MonthlyTrigger([1, 15], "12:00"),
            ["2026-02-01T12:00", "2026-02-15T12:00", "2026-03-01T12:00"],
        ),
        (
            MonthlyTrigger([31], "12:00"),
            ["2026-01-31T12:00", "2026-03-31T12:00", "2026-05-31T12:00"],
        ),
        (
            MonthlyTrigger([31, 30], "12:00", short="last"),
            ["2026-01-30T12:00", "2026-01-31T12:00", "2026-02-28T12:00", "2026-03-30T12:00"],
        ),
        (
            MonthlyTrigger("last", ["00:00", "12:00"]),
            ["2026-01-31T00:00", "2026-01-31T12:00", "2026-02-28T00:00"],
        ),
        (
            MonthlyTrigger(29, "00:00", start_time="2028-02-01"),
            ["2028-02-29T00:00", "2028-03-29T00:00"],
        ),
    ],
)
def test_it_runs_at_its_times_of_its_days(trigger: Trigger, expected: list[str]) -> None:
    assert upcoming_utc(trigger, "2026-01-30T00:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["2024-03-10T07:00", "2024-03-11T06:30"]),
        ({"gap": "skip"}, ["2024-03-11T06:30", "2024-03-12T06:30"]),
    ],
)
def test_a_time_that_is_skipped_runs_right_after_the_jump_or_not(
    options: Any, expected: list[str]
) -> None:
    trigger = DailyTrigger("02:30", timezone=NEW_YORK, **options)

    assert upcoming_utc(trigger, "2024-03-10T05:30", 2) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["2024-11-03T05:30", "2024-11-10T06:30"]),
        ({"fold": "second"}, ["2024-11-03T06:30", "2024-11-10T06:30"]),
        ({"fold": "both"}, ["2024-11-03T05:30", "2024-11-03T06:30"]),
    ],
)
def test_a_time_that_comes_twice_runs_once_or_as_told(options: Any, expected: list[str]) -> None:
    trigger = WeeklyTrigger("sunday", "01:30", timezone=NEW_YORK, **options)

    assert upcoming_utc(trigger, "2024-11-03T04:00", 2) == expected


def test_start_end_and_number_of_runs_hold_as_for_cron() -> None:
    window: Any = {"start_time": "2026-01-01T09:00", "end_time": "2026-01-03T09:00"}

    runs = ["2026-01-01T09:00", "2026-01-02T09:00", "2026-01-03T09:00"]
    assert upcoming_utc(DailyTrigger("09:00", **window), "2020-01-01", 9) == runs
    assert upcoming_utc(DailyTrigger("09:00", **window, max_runs=2), "2020-01-01", 9) == runs[:2]


def test_jitter_differs_by_seed_and_is_the_same_again() -> None:
    runs = [
        upcoming_utc(DailyTrigger("09:00", jitter=60, jitter_seed=seed), "2026-01-01", 1)[0]
        for seed in ("one", "two", "one")
    ]

    assert runs[0] == runs[2] != runs[1]
    assert all(run.startswith("2026-01-01T09:00:") for run in runs)


@pytest.mark.parametrize(
    "time", ["24:00", "9", "09:60", "09:00:60", "\u0660\u0669:\u0660\u0660", "", " 9:00", 9, None]
)
def test_what_is_no_time_of_the_day_is_refused(time: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^times=.* is not a time of the day"):
        DailyTrigger([time])
    with pytest.raises(InvalidTrigger, match=r"^time=.* is not a time of the day"):
        WeeklyTrigger("mon", time)


@pytest.mark.parametrize("day", ["mo", "Montag", "", 1, None])
def test_what_is_no_day_of_the_week_is_refused(day: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^days=.* is not a day of the week"):
        WeeklyTrigger([day], "10:00")


@pytest.mark.parametrize("day", [0, 32, -2, True, 1.0, "first", None])
def test_what_is_no_day_of_the_month_is_refused(day: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^days=.* is not a day of the month"):
        MonthlyTrigger([day], "10:00")


def test_what_would_never_run_or_is_unknown_is_refused() -> None:
    anything: Any = "sometimes"
    with pytest.raises(InvalidTrigger, match=r"^times=\[\] is empty"):
        DailyTrigger([])
    with pytest.raises(InvalidTrigger, match=r"^days=\[\] is empty"):
        MonthlyTrigger([], "10:00")
    with pytest.raises(InvalidTrigger, match="short='sometimes' is unknown"):
        MonthlyTrigger(1, "10:00", short=anything)
    with pytest.raises(InvalidTrigger, match="gap='sometimes' is unknown"):
        DailyTrigger("10:00", gap=anything)
