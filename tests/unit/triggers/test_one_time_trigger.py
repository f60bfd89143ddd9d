"""The trigger that runs once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import OneTimeTrigger
from tests.unit.triggers.occurrences import upcoming_utc, utc

NOON = utc("2026-01-01T12:00")


@pytest.mark.parametrize("since", ["2025-01-01", "2026-01-01T12:00", "2027-01-01"])
def test_it_runs_once_also_when_it_is_late(since: str) -> None:
    assert upcoming_utc(OneTimeTrigger(NOON), since, 9) == ["2026-01-01T12:00"]


@pytest.mark.parametrize(
    "run_at", [NOON, NOON.timestamp(), "2026-01-01T13:00", "2026-01-01T12:00Z"]
)
def test_a_time_can_be_said_in_several_ways(run_at: Any) -> None:
    trigger = OneTimeTrigger(run_at, timezone="Europe/Berlin")

    answer = trigger.get_next_fire_time(None, NOON)

    assert answer == NOON
    assert str(answer.tzinfo) == "Europe/Berlin"


def test_a_skipped_time_means_right_after_the_jump_and_a_repeated_one_the_first() -> None:
    skipped = OneTimeTrigger("2024-03-10T02:30", timezone="America/New_York")
    repeated = OneTimeTrigger("2024-11-03T01:30", timezone="America/New_York")

    assert upcoming_utc(skipped, NOON, 1) == ["2024-03-10T07:00"]
    assert upcoming_utc(repeated, NOON, 1) == ["2024-11-03T05:30"]


def test_what_ran_in_the_first_pass_was_before_the_second() -> None:
    first = datetime(2024, 11, 3, 1, 45, tzinfo=ZoneInfo("America/New_York"))
    trigger = OneTimeTrigger(first.replace(minute=30, fold=1), timezone="America/New_York")

    answer = trigger.get_next_fire_time(first, first)

    assert answer is not None
    assert answer.astimezone(UTC) == utc("2024-11-03T06:30")


@pytest.mark.parametrize("run_at", ["tomorrow", None, float("nan"), 1e30, "9999-06-01"])
def test_what_is_no_time_is_refused(run_at: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^run_at="):
        OneTimeTrigger(run_at)
