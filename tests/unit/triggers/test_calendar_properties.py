"""Calendar triggers run at the instants of the cron texts that say the same, in every zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_scheduler.triggers import (
    CronTrigger,
    DailyTrigger,
    MonthlyTrigger,
    Trigger,
    WeeklyTrigger,
)
from tests.unit.triggers.occurrences import upcoming

ZONES = sorted(available_timezones())
NAMES = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

CHANGES = [
    ("Australia/Lord_Howe", "2024-04-05", "2024-10-04"),
    ("Africa/Cairo", "2024-04-25", "2024-10-30"),
    ("Asia/Beirut", "2024-03-29", "2024-10-25"),
    ("America/Havana", "2024-03-09", "2024-11-02"),
    ("America/Santiago", "2024-04-06", "2024-09-07"),
    ("Pacific/Apia", "2011-12-28", "2011-09-23"),
    ("America/New_York", "2024-03-09", "2024-11-02"),
]

hours = st.sets(st.integers(0, 23), min_size=1, max_size=4)
minutes = st.sampled_from([0, 15, 30, 59])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Callable[..., Trigger], str]:
    """How to make a calendar trigger, and the cron text that says the same."""
    chosen, minute = sorted(draw(hours)), draw(minutes)
    times = [f"{hour:02}:{minute:02}" for hour in chosen]
    time = f"{minute} {','.join(map(str, chosen))}"
    kind = draw(st.sampled_from(["daily", "weekly", "monthly", "last"]))
    if kind == "daily":
        return lambda **options: DailyTrigger(times, **options), f"{time} * * *"
    if kind == "weekly":
        days = sorted(draw(st.sets(st.integers(0, 6), min_size=1)))
        names = [NAMES[day] for day in days]
        text = f"{time} * * {','.join(map(str, days))}"
        return lambda **options: WeeklyTrigger(names, times, **options), text
    if kind == "monthly":
        dates: list[int | str] = sorted(draw(st.sets(st.integers(1, 31), min_size=5)))
        text = f"{time} {','.join(map(str, dates))} * *"
        return lambda **options: MonthlyTrigger(dates, times, **options), text
    return lambda **options: MonthlyTrigger("last", times, **options), f"{time} L * *"


@settings(max_examples=150)
@given(
    pairs(),
    st.sampled_from(ZONES),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([{}, {"gap": "skip"}, {"fold": "both"}, {"fold": "second"}]),
)
def test_they_agree_in_every_zone_at_any_time(
    pair: tuple[Callable[..., Trigger], str], zone: str, since: datetime, rule: dict[str, Any]
) -> None:
    make, text = pair

    assert_equal(make(timezone=zone, **rule), CronTrigger(text, timezone=zone, **rule), since)


@settings(max_examples=40)
@given(
    pairs(),
    st.fixed_dictionaries(
        {
            "gap": st.sampled_from([None, "run_after", "skip"]),
            "fold": st.sampled_from([None, "first", "second", "both"]),
        }
    ),
)
@pytest.mark.parametrize(("zone", "one", "other"), CHANGES)
def test_they_agree_where_clocks_are_changed(
    zone: str,
    one: str,
    other: str,
    pair: tuple[Callable[..., Trigger], str],
    rule: Any,
) -> None:
    make, text = pair

    for start in (one, other):
        since = datetime.fromisoformat(start).replace(tzinfo=UTC)
        assert_equal(make(timezone=zone, **rule), CronTrigger(text, timezone=zone, **rule), since)


def assert_equal(trigger: Trigger, cron: Trigger, since: datetime) -> None:
    runs, expected = (
        [run.astimezone(UTC) for run in upcoming(one, since, 10)] for one in (trigger, cron)
    )
    assert runs == expected
    assert len(runs) == 10
