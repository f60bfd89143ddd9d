"""What runs once tells when the time that was given is skipped, or comes twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import (
    DailyTrigger,
    NextRun,
    OneTimeTrigger,
    lint,
    next_runs,
    trigger_from_json,
)

BERLIN = "Europe/Berlin"
START = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2027-03-28T02:30", "2027-03-28 02:30 does not exist in Europe/Berlin: runs at 03:00"),
        ("2027-10-31T02:30", "2027-10-31 02:30 happens twice in Europe/Berlin: runs the first"),
    ],
)
@pytest.mark.parametrize("kind", [str, datetime.fromisoformat])
def test_a_time_that_the_clocks_skip_or_repeat_is_told(
    given: str, words: str, kind: type[str]
) -> None:
    made = OneTimeTrigger(kind(given), timezone=BERLIN)
    for trigger in (made, trigger_from_json(made.to_json())):
        assert trigger == made
        (line,) = lint(trigger, START)
        assert line.startswith(words)
        assert next_runs(trigger, 1, made.run_at) == [NextRun(made.run_at, line)]
        assert lint(trigger, datetime(2028, 1, 1, tzinfo=UTC)) == []


def test_the_second_of_two_is_told_as_such() -> None:
    trigger = OneTimeTrigger(datetime(2027, 10, 31, 2, 30, fold=1), timezone=BERLIN)  # noqa: DTZ001
    (line,) = lint(trigger, START)
    assert line == "2027-10-31 02:30 happens twice in Europe/Berlin: runs the second time"


@pytest.mark.parametrize("given", ["2027-06-01T02:30", "2027-03-28T02:30+00:00", 1806193800])
def test_of_any_other_time_nothing_is_told(given: str | float) -> None:
    trigger = OneTimeTrigger(given, timezone=BERLIN)
    assert lint(trigger, START) == []
    assert "wall" not in trigger.to_json()


def test_a_wall_time_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidTrigger, match="wall='soon' is not an ISO 8601 time"):
        OneTimeTrigger("2027-06-01T02:30", wall="soon")


def test_a_run_at_the_very_jump_has_its_note_also_as_the_first_one() -> None:
    daily = DailyTrigger(["02:30"], timezone=BERLIN)
    jump = datetime(2027, 3, 28, 1, tzinfo=UTC)
    first, second = next_runs(daily, 2, jump)
    assert first.instant == jump
    assert "02:30 does not exist" in str(first.note)
    assert second.note is None
