"""The trigger that runs at moments of a job's own time, which stops while the job is paused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import IntervalTrigger, TimestampTrigger
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc

START = utc("2026-01-01T00:00")
SECOND = timedelta(seconds=1)


def test_it_runs_so_many_milliseconds_after_the_start() -> None:
    trigger = TimestampTrigger([2000, 0, 500, 1000.5], start_time=START)

    assert upcoming_utc(trigger, "2026-01-01T00:00", 9) == [
        "2026-01-01T00:00",
        "2026-01-01T00:00:00.500000",
        "2026-01-01T00:00:01.000500",
        "2026-01-01T00:00:02",
    ]
    assert upcoming_utc(trigger, "2026-01-01T00:00:01.5", 9) == ["2026-01-01T00:00:02"]
    assert upcoming(trigger, START + 3 * SECOND, 9) == []


@given(st.lists(st.floats(0, 10**9) | st.integers(0, 10), min_size=1, max_size=30))
def test_every_timestamp_runs_once_and_is_known_by_its_index(timestamps: list[float]) -> None:
    trigger = TimestampTrigger(timestamps, start_time=START)

    runs = upcoming(trigger, START, 40)

    assert [trigger.index_of(run) for run in runs] == list(range(len(timestamps)))
    for run, milliseconds in zip(runs, sorted(timestamps), strict=True):
        late = run - START - timedelta(milliseconds=milliseconds)
        assert abs(late) <= timedelta(microseconds=30)


def test_equal_timestamps_are_a_microsecond_apart() -> None:
    trigger = TimestampTrigger([5, 5, 5, 5.001], start_time=START)

    runs = upcoming(trigger, START, 9)

    assert [(run - START).microseconds for run in runs] == [5000, 5001, 5002, 5003]


def test_an_instant_that_is_none_of_them_has_no_index() -> None:
    trigger = TimestampTrigger([0, 500], start_time=START)

    assert trigger.index_of(START + SECOND) is None
    assert trigger.index_of(START - SECOND) is None
    assert TimestampTrigger([0]).index_of(START) is None
    assert IntervalTrigger(5).index_of(START) is None


def test_time_stops_during_a_pause() -> None:
    trigger = TimestampTrigger([0, 1000, 2000], start_time=START)

    later = trigger.after_pause(START + SECOND / 2, START + 10 * SECOND)
    again = later.after_pause(START + 10 * SECOND, START + 11 * SECOND)

    assert upcoming(later, START + 10 * SECOND, 9) == [
        START + 10.5 * SECOND,
        START + 11.5 * SECOND,
    ]
    assert [again.index_of(run) for run in upcoming(again, START + 11 * SECOND, 9)] == [1, 2]
    assert upcoming(again, START + 11 * SECOND, 1) == [START + 11.5 * SECOND]


def test_a_pause_before_the_start_counts_from_the_start_on() -> None:
    trigger = TimestampTrigger([0], start_time=START)

    assert trigger.after_pause(START - 20 * SECOND, START - SECOND) is trigger
    later = trigger.after_pause(START - 20 * SECOND, START + 3 * SECOND)
    assert upcoming(later, START, 1) == [START + 3 * SECOND]


def test_a_pause_changes_no_trigger_that_runs_by_the_calendar() -> None:
    trigger = IntervalTrigger(5, start_time=START)

    assert trigger.after_pause(START, START + SECOND) is trigger


def test_without_a_start_time_it_counts_from_when_it_is_scheduled() -> None:
    trigger = TimestampTrigger([0, 500])

    with pytest.raises(InvalidTrigger, match="has no start_time"):
        trigger.get_next_fire_time(None, START)
    assert trigger.starting(START) == TimestampTrigger([0, 500], start_time=START)
    assert trigger.starting(START).starting(START + SECOND) == trigger.starting(START)
    assert trigger.after_pause(START, START + SECOND) is trigger


@pytest.mark.parametrize(
    ("timestamps", "problem"),
    [
        ([], "timestamps has 0 items"),
        ([0] * 100_001, "timestamps has 100001 items"),
        ([0, -1], r"timestamps\[1\]=-1 is not"),
        ([float("nan")], r"timestamps\[0\]=nan is not"),
        ([float("inf")], r"timestamps\[0\]=inf is not"),
        ([True], r"timestamps\[0\]=True is not"),
        (["5"], r"timestamps\[0\]='5' is not"),
        ("500", "timestamps='500' is not a list"),
        (500, "timestamps=500 is not a list"),
        ([10**18], "after the year 9998"),
    ],
)
def test_what_is_no_list_of_milliseconds_is_refused(timestamps: Any, problem: str) -> None:
    with pytest.raises(InvalidTrigger, match=problem):
        TimestampTrigger(timestamps, start_time=START)


def test_a_hundred_thousand_are_accepted() -> None:
    trigger = TimestampTrigger(range(100_000), start_time=START)

    assert trigger.index_of(START + timedelta(milliseconds=99_999)) == 99_999
