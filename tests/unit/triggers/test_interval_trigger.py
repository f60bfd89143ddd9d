"""Triggers that run at equal distances of real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import IntervalTrigger
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc


def test_runs_are_multiples_from_the_start_however_late_somebody_asks() -> None:
    trigger = IntervalTrigger(timedelta(minutes=7), start_time="2026-01-01T00:01")

    assert upcoming_utc(trigger, "2025-01-01", 2) == ["2026-01-01T00:01", "2026-01-01T00:08"]
    assert upcoming_utc(trigger, "2026-01-01T00:08:01", 2) == [
        "2026-01-01T00:15",
        "2026-01-01T00:22",
    ]


def test_without_a_start_runs_are_multiples_since_1970_in_the_zone() -> None:
    kolkata = IntervalTrigger(3600, timezone="Asia/Kolkata")
    daily = IntervalTrigger(timedelta(days=1))

    assert upcoming_utc(kolkata, "2026-01-01T00:00", 2) == ["2026-01-01T00:30", "2026-01-01T01:30"]
    assert upcoming_utc(daily, "2026-01-01T00:01", 1) == ["2026-01-02T00:00"]


def test_a_clock_change_does_not_change_the_distance() -> None:
    trigger = IntervalTrigger(3600, timezone="America/New_York")

    runs = upcoming(trigger, "2024-11-03T04:00", 4)

    assert [run.hour for run in runs] == [0, 1, 1, 2]


@given(
    st.floats(0.001, 10**7),
    st.datetimes(timezones=st.just(UTC), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001
)
def test_a_thousandth_run_is_where_arithmetic_puts_it(seconds: float, since: datetime) -> None:
    start = utc("2026-01-01")
    trigger = IntervalTrigger(seconds, start_time=start)
    distance = timedelta(microseconds=round(seconds * 1_000_000))

    run = trigger.get_next_fire_time(start + 999 * distance, since)

    assert run == start + 1000 * distance


def test_fractions_of_a_second_are_kept() -> None:
    trigger = IntervalTrigger(0.25, start_time="2026-01-01")

    runs = upcoming(trigger, "2026-01-01", 5)

    assert [run.microsecond for run in runs] == [0, 250_000, 500_000, 750_000, 0]


@pytest.mark.parametrize(
    "interval", [0, -5, float("inf"), float("nan"), 1e-9, 1e305, 10**400, True, "5", None]
)
def test_an_interval_that_is_no_duration_is_refused(interval: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^interval="):
        IntervalTrigger(interval)


def test_the_end_of_time_is_an_end() -> None:
    assert IntervalTrigger(10**9).get_next_fire_time(None, utc("9998-12-31")) is None
