"""Triggers state themselves as JSON, and are values."""

from __future__ import annotations

import copy
import json
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import (
    AndTrigger,
    CronTrigger,
    DailyTrigger,
    EventTrigger,
    ForeignCalendarTrigger,
    ForeignCronTrigger,
    IntervalTrigger,
    MonthlyTrigger,
    OneTimeTrigger,
    OrTrigger,
    TimestampTrigger,
    Trigger,
    WeeklyTrigger,
    trigger_from_json,
)
from tests.unit.triggers.occurrences import upcoming

TRIGGERS = [
    CronTrigger("*/5 * * * *"),
    CronTrigger(
        "30 2 * * MON-FRI",
        timezone="America/New_York",
        start_time="2026-01-01T09:00",
        end_time="2027-01-01",
        max_runs=7,
        gap="skip",
        fold="second",
        jitter=2.5,
        jitter_seed="nightly",
    ),
    IntervalTrigger(90),
    IntervalTrigger(
        timedelta(hours=1),
        start_time="2026-01-01",
        end_time="2027-01-01",
        timezone=timezone(timedelta(hours=-3, minutes=-30)),
        jitter=5,
        max_runs=3,
    ),
    OneTimeTrigger("2026-05-01T10:00", timezone="Asia/Tokyo"),
    DailyTrigger(["17:00:30", "9:00"], timezone="Africa/Cairo", gap="skip", jitter=2),
    WeeklyTrigger(("Thu", "monday"), "10:00", fold="both", start_time="2026-01-01", max_runs=4),
    MonthlyTrigger([31, "last", 1], ["12:00", "6:00"], short="last", jitter_seed="invoices"),
    EventTrigger("inventory.low_stock"),
    TimestampTrigger([500, 0, 500, 12.5], start_time="2026-01-01", paused_seconds=1.25),
    AndTrigger([DailyTrigger("10:00"), OrTrigger([WeeklyTrigger("mon", "10:00")])]),
    OrTrigger([IntervalTrigger(90, jitter=5), OneTimeTrigger("2026-05-01T10:00")]),
    ForeignCronTrigger({"day_of_week": "0", "hour": "9"}, timezone="Europe/Berlin", jitter=3),
    ForeignCalendarTrigger([0, 1, 0, 0], [9, 30, 0], "2025-01-31", "2030-01-01"),
]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_survives_json(trigger: Trigger) -> None:
    restored = trigger_from_json(json.loads(json.dumps(trigger.to_json())))

    assert type(restored) is type(trigger)
    assert restored == trigger
    assert hash(restored) == hash(trigger)
    assert repr(restored) == repr(trigger)
    assert restored.to_json() == trigger.to_json()
    assert upcoming(restored, "2025-12-31", 9) == upcoming(trigger, "2025-12-31", 9)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_copy_is_equal(trigger: Trigger) -> None:
    restored = copy.deepcopy(trigger)

    assert restored is not trigger
    assert restored == trigger
    assert upcoming(restored, "2025-12-31", 9) == upcoming(trigger, "2025-12-31", 9)


def test_triggers_are_told_apart_by_what_they_say() -> None:
    assert len({*TRIGGERS, *map(copy.copy, TRIGGERS)}) == len(TRIGGERS)
    assert CronTrigger("0 9 * * *") != CronTrigger("0 9 * * *", timezone="Europe/Berlin")
    assert CronTrigger("0 9 * * *") != "0 9 * * *"


def test_the_way_an_argument_was_said_does_not_matter() -> None:
    berlin = CronTrigger("0 9 * * *", timezone="Europe/Berlin", start_time="2026-01-01T01:00")

    assert berlin == CronTrigger(
        "0 9 * * *", timezone=ZoneInfo("Europe/Berlin"), start_time="2026-01-01T00:00Z"
    )
    assert IntervalTrigger(60) == IntervalTrigger(timedelta(minutes=1))


def test_the_times_of_a_calendar_trigger_are_said_in_one_way() -> None:
    assert DailyTrigger(["17:00", "9:00", "09:00:00"]) == DailyTrigger(("09:00", "17:00"))
    assert WeeklyTrigger("MON", "9:00") == WeeklyTrigger(["monday"], ["09:00"])
    assert MonthlyTrigger(["last", 1], "9:00") == MonthlyTrigger([1, -1], "09:00")
    assert TimestampTrigger([500.0, 0]) == TimestampTrigger((0, 500))


def test_a_kind_of_the_application_is_known_too() -> None:
    class FullMoonTrigger(IntervalTrigger):
        kind = "test_full_moon"

    trigger = FullMoonTrigger(29.53 * 86400)

    assert type(trigger_from_json(trigger.to_json())) is FullMoonTrigger


def test_the_json_says_type_version_and_what_was_chosen() -> None:
    assert CronTrigger("0 9 * * 1", fold="both").to_json() == {
        "type": "cron",
        "v": 1,
        "expression": "0 9 * * 1",
        "fold": "both",
        "timezone": "UTC",
    }


def test_the_repr_is_how_to_make_it() -> None:
    assert repr(IntervalTrigger(90)) == "IntervalTrigger(interval=90.0, timezone='UTC')"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=5), items),
    max_leaves=5,
)
STATES = [trigger.to_json() for trigger in TRIGGERS]


def test_what_is_left_to_a_trigger_survives_json() -> None:
    left = ForeignCalendarTrigger([0, 1, 0, 0], [9, 30, 0], "2025-01-31", gap=None)

    assert trigger_from_json(left.to_json()) == left


def test_a_time_of_day_that_is_far_too_large_is_refused() -> None:
    state = ForeignCalendarTrigger([0, 1, 0, 0], [9, 30, 0], "2025-01-31").to_json()

    with pytest.raises(InvalidTrigger, match="make no calendar interval trigger"):
        trigger_from_json(state | {"time": [9, 30, 2**31]})


@settings(max_examples=300)
@given(st.sampled_from(STATES), st.data())
def test_a_damaged_state_is_refused_or_makes_a_trigger(
    state: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([*state, "gap", "fold", "max_runs", "jitter"]))
    damaged = {**state, name: data.draw(JSON)}

    try:
        trigger = trigger_from_json(damaged)
    except InvalidTrigger:
        return
    assert trigger_from_json(trigger.to_json()) == trigger
    assert str(trigger)
    if not isinstance(trigger, TimestampTrigger):
        upcoming(trigger, "2026-01-01", 2)


def test_a_state_that_is_too_deep_is_refused() -> None:
    state: dict[str, Any] = DailyTrigger("09:00").to_json()
    for _ in range(2000):
        state = {"type": "or", "v": 1, "triggers": [state]}

    with pytest.raises(InvalidTrigger, match="no or trigger can be made of"):
        trigger_from_json(state)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (5, "5 is no trigger; give the dict that to_json"),
        (None, "None is no trigger"),
        ([["type", "once"]], "is no trigger"),
        ({}, "type=None of a trigger is unknown"),
        ({"type": "lunar", "v": 1}, "type='lunar' of a trigger is unknown"),
        ({"type": ["cron"], "v": 1}, "is unknown"),
        ({"type": "cron", "v": 2, "expression": "* * * * *"}, "version 2 cannot be read"),
        ({"type": "cron", "expression": "* * * * *"}, "version None cannot be read"),
        ({"type": "cron", "v": 1}, "no cron trigger can be made of"),
        ({"type": "cron", "v": 1, "expression": "x"}, "Invalid cron expression"),
        ({"type": "once", "v": 1, "run_at": "2026-01-01", "moon": 1}, "no once trigger can be"),
    ],
)
def test_a_state_that_says_no_trigger_is_refused(state: Any, problem: str) -> None:
    with pytest.raises(InvalidTrigger, match=problem):
        trigger_from_json(state)
