"""Schedules are made, edited, paused and resumed; on a bad wish nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.engine.schedules import Schedules
from advanced_scheduler.errors import (
    InvalidArguments,
    InvalidCronExpression,
    InvalidTrigger,
    ScheduleNotFound,
    TaskNotRegistered,
    VersionConflict,
)
from advanced_scheduler.models import MisfirePolicy, OverlapPolicy, Schedule, TickOutcome
from advanced_scheduler.stores.abilities import Signal
from advanced_scheduler.stores.base import Firing
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.triggers import CronTrigger
from tests.support.definitions import add, define, nothing
from tests.unit.engine.kit import MINUTE, NOW, add_cron, edit, parts

DAILY = CronTrigger("0 3 * * *")
MINUTELY = CronTrigger("* * * * *")
FIRED, MISFIRED, PAUSED = TickOutcome.FIRED, TickOutcome.MISFIRED, TickOutcome.PAUSED


@pytest.fixture
def made(clock: ManualClock) -> Parts:
    made = parts(MemoryStore(), clock)
    made.registry.register(define(nothing))
    return made


@pytest.fixture
def schedules(made: Parts) -> Schedules:
    return Schedules(made)


def outcomes(made: Parts, schedule_id: str) -> list[TickOutcome]:
    """What the ledger says, by instant."""
    ticks = made.store.ticks(schedule_id, NOW - timedelta(days=9), NOW + timedelta(days=9))
    return [tick.outcome for tick in ticks]


def test_a_cron_schedule_is_there_once_whoever_asks(schedules: Schedules, made: Parts) -> None:
    ids = {add_cron(schedules, "job", DAILY, {}) for _ in range(2)}
    assert len(ids) == len(made.store.schedules()) == 1
    assert add_cron(schedules, "job", CronTrigger("0 4 * * *"), {}) not in ids
    assert (
        add_cron(schedules, "job", CronTrigger("0 3 * * *", timezone="Asia/Tokyo"), {}) not in ids
    )
    (stored,) = made.store.schedules(ids)
    assert stored.next_fire_time == stored.ledger_from == NOW + timedelta(hours=3)


def test_saying_a_schedule_again_forgets_nothing_of_what_was_missed(
    schedules: Schedules, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", DAILY, {})
    clock.advance(days=3)
    assert add_cron(schedules, "job", DAILY, {}) == one
    assert schedules.get(one).next_fire_time == NOW + timedelta(hours=3)


def test_saying_it_again_with_other_policies_edits_what_is_named_and_only_if_it_differs(
    schedules: Schedules,
) -> None:
    one = add_cron(schedules, "job", DAILY, {"misfire": "skip", "max_catch_up": 5})
    add_cron(schedules, "job", DAILY, {"overlap": "queue_one"})
    found = schedules.get(one)
    assert (found.misfire, found.overlap) == (MisfirePolicy.SKIP, OverlapPolicy.QUEUE_ONE)
    assert (found.max_catch_up, found.version) == (5, 2)
    add_cron(schedules, "job", DAILY, {"overlap": OverlapPolicy.QUEUE_ONE})
    assert schedules.get(one).version == 2


def test_a_task_that_needs_arguments_or_is_unknown_gets_no_schedule(
    schedules: Schedules, made: Parts
) -> None:
    made.registry.register(define(add, task_id="add"))
    with pytest.raises(InvalidArguments, match="'a'"):
        add_cron(schedules, "add", DAILY, {})
    with pytest.raises(TaskNotRegistered, match="'unknown' is not registered"):
        add_cron(schedules, "unknown", DAILY, {})
    with pytest.raises(InvalidTrigger, match="never fires"):
        add_cron(schedules, "job", CronTrigger("* * * * *", end_time=NOW - MINUTE), {})
    assert made.store.schedules() == []


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"misfire": "later"}, "misfire='later' must be one of skip, run_latest, run_all"),
        ({"overlap": 5}, "overlap=5 must be one of skip, queue_one"),
        ({"max_catch_up": 0}, "max_catch_up=0 must be a whole number, 1 to 1000"),
        ({"max_catch_up": True}, "max_catch_up=True"),
        ({"max_catch_up": 1001}, "max_catch_up=1001"),
        ({"grace_seconds": -1}, "grace_seconds=-1 must be 0 or more seconds"),
        ({"grace_seconds": float("nan")}, "grace_seconds=nan"),
        ({"grace_seconds": "5"}, "grace_seconds='5'"),
        ({"graze": 5}, "graze=5 is no policy of a schedule; use misfire, max_catch_up"),
    ],
)
def test_policies_that_mean_nothing_are_refused(
    policies: dict[str, Any], message: str, schedules: Schedules, made: Parts
) -> None:
    with pytest.raises(InvalidArguments, match=message):
        add_cron(schedules, "job", DAILY, policies)
    assert made.store.schedules() == []
    one = add_cron(schedules, "job", DAILY, {})
    with pytest.raises(InvalidArguments, match=message):
        edit(schedules, one, {}, policies)
    assert schedules.get(one).version == 1


def test_an_edit_moves_the_next_instant_and_the_beginning_of_the_ledger(
    schedules: Schedules, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", DAILY, {})
    clock.advance(hours=1)
    edited = edit(schedules, one, {"expression": "30 1 * * *"}, {"overlap": "skip"}, version=1)
    half_past = NOW + timedelta(hours=1.5)
    assert edited == schedules.get(one)
    assert (edited.next_fire_time, edited.ledger_from, edited.version) == (half_past, half_past, 2)
    assert edited.overlap is OverlapPolicy.SKIP
    in_tokyo = edit(schedules, one, {"timezone": "Asia/Tokyo"}, {})
    assert in_tokyo.trigger["expression"] == "30 1 * * *"
    assert in_tokyo.next_fire_time == NOW + timedelta(hours=16.5)


@pytest.mark.parametrize(
    ("trigger", "error", "message"),
    [
        ({"expression": "61 * * * *"}, InvalidCronExpression, "61"),
        ({"timezone": "Mars/Base"}, InvalidTrigger, "Mars/Base"),
        ({"expression": 5}, InvalidTrigger, "must be a str"),
    ],
)
def test_a_bad_edit_changes_nothing(
    trigger: dict[str, Any], error: type[Exception], message: str, schedules: Schedules
) -> None:
    before = schedules.get(add_cron(schedules, "job", DAILY, {}))
    with pytest.raises(error, match=message):
        edit(schedules, before.schedule_id, trigger, {})
    assert schedules.get(before.schedule_id) == before


def test_an_edit_of_an_old_version_shows_both(schedules: Schedules) -> None:
    one = add_cron(schedules, "job", DAILY, {})
    edit(schedules, one, {}, {"overlap": "skip"})
    with pytest.raises(VersionConflict, match=r"has version 2, .* from version 1"):
        edit(schedules, one, {}, {"overlap": "allow"}, version=1)
    assert schedules.get(one).overlap is OverlapPolicy.SKIP


@pytest.mark.parametrize("schedule_id", ["unknown", "with\0nul", ""])
def test_what_is_no_schedule_is_not_found(schedule_id: str, schedules: Schedules) -> None:
    for call in (schedules.get, schedules.pause, lambda one: edit(schedules, one, {}, {})):
        with pytest.raises(ScheduleNotFound, match="never existed"):
            call(schedule_id)


def test_what_was_due_before_an_edit_fires_as_it_was(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    clock.advance(minutes=1, seconds=30)
    edit(schedules, one, {"expression": "0 * * * *"}, {})
    assert outcomes(made, one) == [TickOutcome.COALESCED, FIRED]
    assert schedules.get(one).next_fire_time == NOW + timedelta(hours=1)


def test_what_nobody_here_can_fire_is_recorded_before_an_edit(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    made.registry.unregister("job")
    clock.advance(minutes=1, seconds=30)
    edit(schedules, one, {"expression": "0 * * * *"}, {})
    assert outcomes(made, one) == [MISFIRED, MISFIRED]
    (first, _) = made.store.ticks(one, NOW, NOW + timedelta(hours=1))
    assert "edited" in (first.reason or "")


class Racing(MemoryStore):
    """Fires the schedule between the moment that it is read and the moment it is replaced."""

    races = 1

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        if expected is not None and self.races:
            self.races -= 1
            assert expected.next_fire_time is not None
            self.fire([_firing(expected)])
        return super().put(schedule, expected=expected)


def _firing(seen: Schedule, executions: Sequence[Any] = ()) -> Firing:
    assert seen.next_fire_time is not None
    return Firing(
        schedule_id=seen.schedule_id,
        version=seen.version,
        expected=seen.next_fire_time,
        next_fire_time=seen.next_fire_time + MINUTE,
        ticks=[],
        executions=executions,
    )


def test_an_edit_that_races_with_a_tick_is_made_again_on_what_the_tick_left(
    clock: ManualClock,
) -> None:
    made = parts(Racing(), clock)
    made.registry.register(define(nothing))
    schedules = Schedules(made)
    one = add_cron(schedules, "job", MINUTELY, {})
    paused = schedules.pause(one)
    assert paused.next_fire_time == NOW + MINUTE
    assert paused == schedules.get(one)


def test_an_instant_that_a_faster_clock_has_fired_is_not_due_again_after_an_edit(
    schedules: Schedules, made: Parts
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    seen = schedules.get(one)
    ahead = replace(seen, next_fire_time=NOW + MINUTE, last_fire_time=NOW)
    assert made.store.put(ahead, expected=seen)
    edited = edit(schedules, one, {"timezone": "Europe/Berlin"}, {})
    assert edited.next_fire_time == NOW + MINUTE


def test_an_instant_that_a_faster_clock_has_fired_is_not_due_again_after_a_removal(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    made.ticker.tick()
    assert made.store.remove(one)
    clock.set(NOW - timedelta(seconds=5))
    assert add_cron(schedules, "job", MINUTELY, {}) == one
    assert schedules.get(one).next_fire_time == NOW + MINUTE


def test_no_tick_fires_once_pause_has_returned(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    seen = schedules.get(one)
    assert schedules.pause(one).paused
    assert schedules.pause(one).version == 2
    assert made.store.fire([_firing(seen)]) == [False]
    clock.advance(minutes=9)
    made.ticker.tick()
    assert outcomes(made, one) == []


def test_the_instants_of_a_pause_are_recorded_at_its_end(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    schedules.pause(one)
    clock.advance(minutes=2, seconds=30)
    schedules.resume(one)
    made.ticker.tick()
    assert outcomes(made, one) == [PAUSED] * 3
    clock.advance(seconds=30)
    made.ticker.tick()
    assert outcomes(made, one) == [PAUSED] * 3 + [FIRED]
    assert schedules.resume(one).version == 3  # it was not paused: nothing changes


def test_an_edit_in_a_pause_leaves_no_instant_without_a_record(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {})
    schedules.pause(one)
    clock.advance(minutes=2, seconds=30)
    edit(schedules, one, {"expression": "*/2 * * * *"}, {})
    assert outcomes(made, one) == [PAUSED] * 3
    clock.advance(minutes=2)
    schedules.resume(one)
    made.ticker.tick()
    assert outcomes(made, one) == [PAUSED] * 4
    assert made.ledger.audit(one, NOW, clock.now()).missing == []


def test_what_was_due_between_two_pauses_is_not_told_as_paused(
    schedules: Schedules, made: Parts, clock: ManualClock
) -> None:
    one = add_cron(schedules, "job", MINUTELY, {"misfire": "run_all"})
    schedules.pause(one)
    clock.advance(minutes=1, seconds=30)
    schedules.resume(one)
    clock.advance(minutes=1)
    schedules.pause(one)
    clock.advance(minutes=1)
    schedules.resume(one)
    made.ticker.tick()
    assert outcomes(made, one) == [PAUSED, PAUSED, FIRED, PAUSED]


def test_a_pause_can_be_caught_up(schedules: Schedules, made: Parts, clock: ManualClock) -> None:
    one = add_cron(schedules, "job", MINUTELY, {"misfire": "run_all"})
    schedules.pause(one)
    clock.advance(minutes=2, seconds=30)
    schedules.resume(one, catch_up=True)
    made.ticker.tick()
    assert outcomes(made, one) == [FIRED] * 3


def test_the_nodes_are_told_of_every_change(schedules: Schedules, made: Parts) -> None:
    heard: list[Signal] = []
    end = made.signals.hear(heard.append)
    one = add_cron(schedules, "job", DAILY, {})
    schedules.pause(one)
    schedules.resume(one)
    edit(schedules, one, {"expression": "0 4 * * *"}, {})
    assert heard == [Signal.SCHEDULES] * 4
    end()
    schedules.pause(one)
    assert len(heard) == 4
