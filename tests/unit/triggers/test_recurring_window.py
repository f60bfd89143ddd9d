"""Start, end, number of runs and jitter, which cron and interval triggers have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import CronTrigger, IntervalTrigger, Trigger
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc

NEW_YEAR = "2026-01-01T00:00"


@pytest.mark.parametrize(
    "start",
    [
        utc("2026-06-01T06:00"),
        utc("2026-06-01T08:00").replace(tzinfo=None),
        "2026-06-01T08:00",
        "2026-06-01T06:00Z",
        utc("2026-06-01T06:00").timestamp(),
    ],
)
def test_start_and_end_are_inclusive_and_naive_ones_are_in_the_zone(start: Any) -> None:
    trigger = CronTrigger(
        "0 * * * *", timezone="Europe/Berlin", start_time=start, end_time="2026-06-01T10:00"
    )

    expected = ["2026-06-01T06:00", "2026-06-01T07:00", "2026-06-01T08:00"]
    assert upcoming_utc(trigger, NEW_YEAR, 9) == expected


@pytest.mark.parametrize(
    "trigger",
    [
        CronTrigger("0 * * * *", start_time="2026-01-01T00:30", max_runs=3),
        IntervalTrigger(3600, start_time="2026-01-01T01:00", max_runs=3),
    ],
)
def test_runs_are_counted_from_the_start_whenever_somebody_asks(trigger: Trigger) -> None:
    all_runs = ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]

    assert upcoming_utc(trigger, "2026-01-01T02:30", 9) == all_runs[2:]
    assert upcoming_utc(trigger, "2026-01-01T03:01", 9) == []
    assert upcoming_utc(trigger, "2000-01-01T00:00", 9) == all_runs


def test_fewer_runs_than_allowed_may_fit_the_window() -> None:
    trigger = CronTrigger("0 0 * * *", start_time="2026-01-01", end_time="2026-01-02", max_runs=5)

    assert upcoming_utc(trigger, NEW_YEAR, 9) == ["2026-01-01T00:00", "2026-01-02T00:00"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"max_runs": 3}, "max_runs=3 needs a start_time"),
        ({"max_runs": 0, "start_time": NEW_YEAR}, "max_runs=0 must be"),
        ({"max_runs": True, "start_time": NEW_YEAR}, "max_runs=True must be"),
        ({"max_runs": 1.5, "start_time": NEW_YEAR}, "max_runs=1.5 must be"),
        ({"start_time": "2026-01-02", "end_time": "2026-01-01"}, "end_time='2026-01-01' is before"),
        ({"start_time": "soon"}, "start_time='soon' is not a time"),
        ({"start_time": "0001-01-01"}, "start_time='0001-01-01' is out of range"),
        ({"end_time": 1e18}, "end_time=1e\\+18 is not a time"),
        ({"end_time": [2026]}, "is not a time"),
        ({"jitter": -1}, "jitter=-1 must be"),
        ({"jitter": float("nan")}, "jitter=nan must be"),
        ({"jitter": "5"}, "jitter='5' is not a number"),
        ({"jitter": 5, "jitter_seed": 7}, "jitter_seed=7 is not a str"),
        ({"timezone": "Mars/Olympus"}, "timezone='Mars/Olympus' is unknown"),
        ({"timezone": "America"}, "timezone='America' is unknown"),
        ({"timezone": "../etc/passwd"}, "timezone='../etc/passwd' is unknown"),
        ({"timezone": "UTC+99:00"}, "timezone='UTC\\+99:00' is unknown"),
        ({"timezone": 5}, "timezone=5 has no name"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], problem: str) -> None:
    for make in (
        lambda: CronTrigger("0 * * * *", **arguments),
        lambda: IntervalTrigger(5, **arguments),
    ):
        with pytest.raises(InvalidTrigger, match=problem):
            make()


TRIGGERS = st.sampled_from(["* * * * *", "*/7 3 * * *", "30 2 * * *", "0 0 L * *", 90, 0.5])


def make(what: str | float, **arguments: Any) -> Trigger:
    if isinstance(what, str):
        return CronTrigger(what, timezone="America/New_York", **arguments)
    return IntervalTrigger(what, **arguments)


@given(
    TRIGGERS,
    st.floats(0.001, 300),
    st.datetimes(utc("2000-01-01").replace(tzinfo=None), utc("2050-01-01").replace(tzinfo=None)),
)
def test_jitter_delays_by_less_than_it_says_and_never_past_the_next_run(
    what: str | float, jitter: float, since: datetime
) -> None:
    start = since.replace(tzinfo=UTC)
    exact = upcoming(make(what, start_time=start), start, 6)

    delayed = upcoming(make(what, start_time=start, jitter=jitter), start, 5)

    for run, nominal, following in zip(delayed, exact[:5], exact[1:], strict=True):
        assert timedelta(0) <= run - nominal <= timedelta(seconds=jitter)
        assert run < following
    assert all(earlier < later for earlier, later in pairwise(delayed))


def test_jitter_is_the_same_in_every_process() -> None:
    trigger = CronTrigger("0 9 * * *", jitter=60)

    expected = ["2026-01-01T09:00:12.274593", "2026-01-02T09:00:49.757857"]
    assert upcoming_utc(trigger, NEW_YEAR, 2) == expected
    assert upcoming_utc(trigger, "2026-01-01T09:00:01", 2) == expected


def test_jitter_differs_by_seed() -> None:
    delays = {
        upcoming(CronTrigger("0 9 * * *", jitter=60, jitter_seed=f"job-{n}"), NEW_YEAR, 1)[0]
        for n in range(20)
    }

    assert len(delays) == 20


def test_jitter_does_not_reach_beyond_the_end() -> None:
    trigger = CronTrigger("* * * * *", jitter=59, end_time="2026-01-01T00:01")

    assert upcoming(trigger, NEW_YEAR, 9)[-1] == utc("2026-01-01T00:01")


def test_a_jitter_of_any_length_is_found_at_once() -> None:
    trigger = CronTrigger("* * * * * *", jitter=1e300, start_time="2020-01-01")

    runs = upcoming(trigger, NEW_YEAR, 100)

    assert all(earlier < later for earlier, later in pairwise(runs))
    assert runs[-1] - runs[0] <= timedelta(seconds=100)


@given(TRIGGERS, st.floats(0.001, 10**7), st.integers(0, 10**9))
def test_delayed_runs_are_the_same_from_wherever_somebody_asks(
    what: str | float, jitter: float, microseconds: int
) -> None:
    trigger = make(what, jitter=jitter)
    runs = upcoming(trigger, NEW_YEAR, 4)
    between = utc(NEW_YEAR) + timedelta(microseconds=microseconds)

    for earlier, later in pairwise(runs):
        asked = min(max(between, earlier + timedelta(microseconds=1)), later)
        assert upcoming(trigger, asked, 1) == [later]


def test_more_runs_than_can_be_counted_are_refused() -> None:
    with pytest.raises(InvalidTrigger, match="max_runs=100001 must be at most 100,000"):
        CronTrigger("* * * * *", start_time=NEW_YEAR, max_runs=100_001)
