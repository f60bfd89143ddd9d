"""Triggers of the application's own classes, whose answers nobody can trust."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from apscheduler.triggers.base import BaseTrigger

from advanced_scheduler.errors import InvalidTrigger, NotStorable
from advanced_scheduler.triggers import (
    AndTrigger,
    DailyTrigger,
    ObjectTrigger,
    OrTrigger,
    as_trigger,
    trigger_from_json,
)
from tests.unit.triggers.occurrences import upcoming, utc

START = utc("2026-01-01T00:00")
SECOND = timedelta(seconds=1)


class RandomIntervals:
    """Remembers what it answered last, as classes of applications do."""

    def __init__(self) -> None:
        self._random = random.Random(5)
        self._next: float | None = None

    def get_next_run_time(self, after_time: float | None = None) -> float:
        assert after_time is not None
        if self._next is None or self._next <= after_time:
            self._next = after_time + self._random.uniform(0.5, 5)
        return self._next

    def is_finished(self) -> bool:
        return False


class Answering:
    """Answers what it is told to, or lets a function answer."""

    def __init__(self, answer: Any, finished: bool = False) -> None:
        self.answer = answer
        self.finished = finished

    def get_next_run_time(self, after_time: float) -> Any:
        return self.answer(after_time) if callable(self.answer) else self.answer

    def is_finished(self) -> bool:
        return self.finished


class EveryHour(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """An APScheduler trigger of an application."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return (previous_fire_time or now) + timedelta(hours=1)


def test_an_object_is_asked_for_what_comes_next() -> None:
    trigger = as_trigger(RandomIntervals())

    runs = upcoming(trigger, START, 500)

    assert isinstance(trigger, ObjectTrigger)
    assert len(runs) == 500
    for earlier, later in pairwise([START, *runs]):
        assert SECOND / 2 <= later - earlier <= 5 * SECOND


def test_asking_again_answers_the_same() -> None:
    trigger = as_trigger(RandomIntervals())
    runs = upcoming(trigger, START, 50)

    assert upcoming(trigger, START, 50) == runs
    assert upcoming(trigger, runs[20] + SECOND / 100, 5) == runs[21:26]


def test_an_instant_that_was_named_is_not_passed_over_when_an_earlier_time_is_asked_for() -> None:
    trigger = as_trigger(RandomIntervals())
    runs = upcoming(trigger, START, 3)

    assert upcoming(trigger, START - 60 * SECOND, 1)[0] <= runs[0]


def test_what_it_remembers_is_bounded() -> None:
    trigger = ObjectTrigger(Answering(lambda after: after + 1))

    upcoming(trigger, START, 12_000)

    assert len(trigger._answers) <= 10_000


def test_an_object_may_end() -> None:
    assert upcoming(as_trigger(Answering(None)), START, 9) == []
    assert upcoming(as_trigger(Answering(2e9, finished=True)), START, 9) == []
    once = as_trigger(Answering(lambda after: 2e9 if after < 2e9 else None))
    assert upcoming(once, START, 9) == [datetime.fromtimestamp(2e9, UTC)]


def test_a_run_may_be_right_now() -> None:
    trigger = as_trigger(Answering(START.timestamp()))

    assert trigger.get_next_fire_time(None, START) == START


def test_an_object_may_count_the_time_it_is_asked_for() -> None:
    trigger = as_trigger(Answering(lambda after: math.ceil(after / 10) * 10))

    assert upcoming(trigger, START, 3) == [START, START + 10 * SECOND, START + 20 * SECOND]


def test_an_aware_datetime_is_an_answer_too() -> None:
    assert upcoming(as_trigger(Answering(START + SECOND)), START, 1) == [START + SECOND]


def test_an_apscheduler_trigger_of_the_application_is_such_an_object() -> None:
    hour = timedelta(hours=1)

    assert upcoming(as_trigger(EveryHour()), START, 2) == [START + hour, START + 2 * hour]


def fail(after: float) -> float:
    raise RuntimeError("the moon is down")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (float("nan"), "answered nan, which is not a time"),
        (float("inf"), "answered inf, which is not a time"),
        (10**400, "which is not a time"),
        (1e11 * 5, "which is not after"),
        ("tomorrow", "answered 'tomorrow', which is not a time"),
        (True, "answered True, which is not a time"),
        (datetime(2026, 1, 2), "which is not a time"),  # noqa: DTZ001
        (0, "answered 0, which is not after"),
        (START.timestamp() - 1, "which is not after"),
        (fail, r"raised RuntimeError\('the moon is down'\)"),
    ],
)
def test_nonsense_is_an_error_that_says_so(answer: Any, problem: str) -> None:
    with pytest.raises(InvalidTrigger, match=problem):
        as_trigger(Answering(answer)).get_next_fire_time(None, START)


def test_an_object_that_stands_still_is_an_error() -> None:
    trigger = as_trigger(Answering(START.timestamp() + 5))

    first = trigger.get_next_fire_time(None, START)

    with pytest.raises(InvalidTrigger, match="which is not after"):
        trigger.get_next_fire_time(first, START)


@pytest.mark.parametrize(
    "make",
    [
        lambda trigger: trigger,
        lambda trigger: OrTrigger([DailyTrigger("09:00"), trigger]),
        lambda trigger: AndTrigger([OrTrigger([trigger])]),
    ],
)
def test_it_lives_in_memory_only(make: Callable[[ObjectTrigger], Any]) -> None:
    trigger = make(ObjectTrigger(RandomIntervals()))
    state = trigger.to_json()

    restored = trigger_from_json(state)

    assert not restored.durable
    assert restored == trigger
    assert upcoming(restored, START, 5) == upcoming(trigger, START, 5)
    with pytest.raises(NotStorable, match="lives in the memory of this process"):
        json.dumps(state)


def test_what_can_be_stored_says_so() -> None:
    assert DailyTrigger("09:00").durable
    assert OrTrigger([DailyTrigger("09:00")]).durable


def test_a_state_without_the_object_is_refused() -> None:
    for state in ({"object": None}, {"object": {"trigger": 5}}, {}):
        with pytest.raises(InvalidTrigger, match="lives in the memory of one process only"):
            trigger_from_json({"type": "object", "v": 1, **state})
