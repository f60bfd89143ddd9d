"""Triggers made of others: when all of them run, or any of them."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import (
    AndTrigger,
    CronTrigger,
    DailyTrigger,
    EventTrigger,
    IntervalTrigger,
    MonthlyTrigger,
    OneTimeTrigger,
    OrTrigger,
    TimestampTrigger,
    Trigger,
    WeeklyTrigger,
)
from advanced_scheduler.triggers.combined import Effort
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc

NEW_YEAR = "2026-01-01T00:00"


def test_any_of_them_runs_once_each_instant() -> None:
    trigger = OrTrigger([DailyTrigger("09:00"), WeeklyTrigger("thu", ["09:00", "12:00"])])

    assert upcoming_utc(trigger, NEW_YEAR, 4) == [
        "2026-01-01T09:00",
        "2026-01-01T12:00",
        "2026-01-02T09:00",
        "2026-01-03T09:00",
    ]


def test_all_of_them_must_name_the_instant() -> None:
    trigger = AndTrigger([MonthlyTrigger(13, "09:00"), WeeklyTrigger("friday", "09:00")])

    assert upcoming_utc(trigger, NEW_YEAR, 3) == [
        "2026-02-13T09:00",
        "2026-03-13T09:00",
        "2026-11-13T09:00",
    ]


def test_they_meet_in_real_time_whatever_their_zones() -> None:
    trigger = AndTrigger([DailyTrigger("09:00", timezone="Europe/London"), DailyTrigger("08:00")])

    assert upcoming_utc(trigger, NEW_YEAR, 1) == ["2026-03-29T08:00"]


def test_they_nest() -> None:
    noon_or_six = OrTrigger([DailyTrigger("12:00"), DailyTrigger("18:00")])
    trigger = AndTrigger([noon_or_six, AndTrigger([IntervalTrigger(7 * 3600)]), noon_or_six])

    for run in upcoming(trigger, NEW_YEAR, 5):
        assert run.hour in (12, 18)
        assert (run - utc("1970-01-01")) % timedelta(hours=7) == timedelta(0)


def test_both_passes_of_a_repeated_hour_are_told_apart() -> None:
    minutes = OrTrigger(
        [CronTrigger(text, timezone="America/New_York") for text in ("*/30 * * * *", "15 * * * *")]
    )

    runs = [run.astimezone(UTC) for run in upcoming(minutes, "2024-11-03T04:30", 8)]

    assert runs == sorted(set(runs))
    assert runs[-1] - runs[0] == timedelta(hours=2, minutes=30)


def test_a_number_of_runs_counts_its_part() -> None:
    two = DailyTrigger("09:00", start_time="2026-01-01", max_runs=2)

    assert len(upcoming(OrTrigger([two, DailyTrigger("10:00")]), NEW_YEAR, 9)) == 9
    assert len(upcoming(OrTrigger([two]), NEW_YEAR, 9)) == 2
    assert len(upcoming(AndTrigger([two, DailyTrigger("09:00")]), NEW_YEAR, 9)) == 2


def test_what_has_passed_is_no_part_of_what_comes() -> None:
    trigger = OrTrigger([OneTimeTrigger("2025-01-01"), OneTimeTrigger("2027-01-01")])

    assert upcoming_utc(trigger, NEW_YEAR, 9) == ["2027-01-01T00:00"]


@pytest.mark.parametrize(
    "parts",
    [
        [DailyTrigger("09:00"), DailyTrigger("10:00")],
        [IntervalTrigger(86_399), IntervalTrigger(86_401)],
        [CronTrigger("* * * * * *"), IntervalTrigger(1, start_time=1_577_836_800.5)],
        [DailyTrigger("09:00"), OneTimeTrigger("2026-01-01T10:00")],
        [
            AndTrigger([IntervalTrigger(97), IntervalTrigger(101)]),
            AndTrigger([IntervalTrigger(89.5), IntervalTrigger(103.1)]),
        ],
    ],
)
def test_what_never_meets_is_refused_after_a_bounded_search(parts: list[Trigger]) -> None:
    with pytest.raises(InvalidTrigger, match="have no instant in common within 50 years"):
        AndTrigger(parts)


def test_a_later_search_that_finds_nothing_ends_the_trigger() -> None:
    trigger = AndTrigger([DailyTrigger("09:00", end_time="2026-01-02"), IntervalTrigger(3600)])

    assert upcoming_utc(trigger, NEW_YEAR, 9) == ["2026-01-01T09:00"]


def test_a_search_that_gives_up_does_not_end_what_stands_beside_it() -> None:
    rare = AndTrigger([IntervalTrigger(n, start_time="2020-01-01") for n in (86_399, 86_401)])
    trigger = OrTrigger([rare, AndTrigger([DailyTrigger("09:00"), IntervalTrigger(3600)])])

    assert upcoming_utc(rare, "2020-01-01", 9) == ["2020-01-01T00:00"]
    assert upcoming_utc(trigger, "2026-06-01", 1) == ["2026-06-01T09:00"]


RARE = AndTrigger([IntervalTrigger(3001), IntervalTrigger(3011)])


def test_each_of_those_side_by_side_may_search_as_long_as_one_alone() -> None:
    alone = upcoming(RARE, NEW_YEAR, 1)

    assert len(alone) == 1
    assert upcoming(OrTrigger([RARE] * 6), NEW_YEAR, 1) == alone


def test_depth_costs_nothing_of_a_search() -> None:
    once = OneTimeTrigger("2027-01-01")
    nested: Trigger = RARE
    for _ in range(16):
        nested = OrTrigger([once, nested])

    assert upcoming(nested, NEW_YEAR, 1) == upcoming(RARE, NEW_YEAR, 1)


def test_many_that_find_nothing_end_all_the_same() -> None:
    never = AndTrigger([IntervalTrigger(n, start_time="2020-01-01") for n in (86_399, 86_401)])
    effort = Effort()

    found = OrTrigger([never] * 100).after(utc(NEW_YEAR), effort)

    assert found is None
    assert -1000 < effort.left <= 0


def test_jitter_is_refused_in_parts_that_have_to_meet() -> None:
    late = DailyTrigger("09:00", jitter=5)

    with pytest.raises(InvalidTrigger, match="cannot be part of an AndTrigger: it has jitter"):
        AndTrigger([DailyTrigger("09:00"), OrTrigger([late])])
    assert OrTrigger([late]).parts == (late,)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "must be a list of 1 to 100"),
        (DailyTrigger("09:00"), "must be a list of 1 to 100"),
        ([DailyTrigger("09:00")] * 101, "must be a list of 1 to 100"),
        (["0 9 * * *"], r"triggers\[0\]='0 9 \* \* \*' is not a trigger"),
        ([DailyTrigger("09:00"), EventTrigger("x")], r"triggers\[1\]=.* has no instants"),
        ([{"type": "lunar"}], "type='lunar' of a trigger is unknown"),
    ],
)
def test_what_cannot_be_combined_is_refused(parts: Any, problem: str) -> None:
    for kind in (AndTrigger, OrTrigger):
        with pytest.raises(InvalidTrigger, match=problem):
            kind(parts)


def test_start_and_pause_reach_the_parts() -> None:
    start, second = utc(NEW_YEAR), timedelta(seconds=1)
    daily = DailyTrigger("09:00")

    trigger = OrTrigger([TimestampTrigger([1000]), daily]).starting(start)
    later = trigger.after_pause(start, start + 5 * second)

    assert trigger == OrTrigger([TimestampTrigger([1000], start_time=start), daily])
    assert upcoming(later, start, 2) == [start + 6 * second, utc("2026-01-01T09:00")]
    assert OrTrigger([daily]).starting(start).parts == (daily,)
