"""Which schedules a ticker fires, on real stores, whatever happens in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine import steps, ticker
from advanced_scheduler.engine.intake import Request
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.engine.plan import STRETCH
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.engine.steps import REMEMBERED
from advanced_scheduler.errors import StoreError, StoreUnavailable
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.lifecycle import FINAL
from advanced_scheduler.models import (
    ExecutionFilter,
    OverlapPolicy,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
)
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from advanced_scheduler.triggers import IntervalTrigger, Trigger
from tests.support.definitions import define, nothing
from tests.unit.engine.kit import MINUTE, NOW, by, faulty, parts, schedule

FIRED, COALESCED, MISFIRED, OVERLAP = (
    TickOutcome.FIRED,
    TickOutcome.COALESCED,
    TickOutcome.MISFIRED,
    TickOutcome.OVERLAP,
)


def ready(made: Parts, function: Callable[..., Any] = nothing, task_id: str = "job") -> Parts:
    """With a task for the schedules."""
    made.registry.register(define(function, task_id=task_id))
    return made


def ledger(made: Parts, schedule_id: str = "s") -> list[Tick]:
    return made.store.ticks(schedule_id, NOW - timedelta(days=99), NOW + timedelta(days=99))


@pytest.fixture
def made(url: str, clock: ManualClock) -> Parts:
    return ready(parts(open_store(url), clock))


def test_a_tick_makes_one_execution_and_one_row_of_the_ledger(
    made: Parts, clock: ManualClock
) -> None:
    heard: list[Event] = []
    made.events.subscribe(heard.append, [EventType.TICK, EventType.SCHEDULED])
    made.store.put(schedule(priority=TaskPriority.HIGH, tags=("nightly",)), expected=None)
    assert made.ticker.tick() == NOW + MINUTE
    assert made.ticker.tick() == NOW + MINUTE
    (row,) = made.store.find(ExecutionFilter(schedule_id="s"))
    assert (row.scheduled_time, row.priority, row.tags) == (NOW, TaskPriority.HIGH, ("nightly",))
    (tick,) = ledger(made)
    assert (tick.instant, tick.outcome, tick.execution_id) == (NOW, FIRED, row.execution_id)
    assert [one.type for one in heard] == [EventType.TICK, EventType.SCHEDULED]
    assert heard[0].data["tick"] == tick
    made.close()


def test_a_month_of_absence_ends_in_one_call(made: Parts, clock: ManualClock) -> None:
    made.store.put(schedule(IntervalTrigger(600, start_time=NOW)), expected=None)
    clock.advance(days=30)
    assert made.ticker.tick() == clock.now() + timedelta(minutes=10)
    assert [tick.outcome for tick in made.store.ticks("s", NOW, clock.now() + MINUTE, 9999)] == (
        [COALESCED] * (30 * 144) + [FIRED]
    )
    assert len(made.store.find(ExecutionFilter())) == 1
    made.close()


def test_an_open_execution_of_the_schedule_overlaps_and_another_one_does_not(
    made: Parts, clock: ManualClock
) -> None:
    for name in ("s", "other"):
        made.store.put(schedule(schedule_id=name, overlap=OverlapPolicy.SKIP), expected=None)
    made.ticker.tick()
    clock.advance(MINUTE)
    made.ticker.tick()
    assert [tick.outcome for tick in ledger(made)] == [FIRED, OVERLAP]
    made.close()


@pytest.mark.parametrize("policy", [one for one in OverlapPolicy if one != OverlapPolicy.ALLOW])
def test_what_begins_while_a_ticker_looks_is_not_overlooked(
    clock: ManualClock, policy: OverlapPolicy
) -> None:
    def begin(verb: str) -> None:
        if verb == "find":  # another node claims the first one, right after any look at it
            store.store.claim(by("other"))

    store = FaultyStore(MemoryStore(), done=begin)
    made = ready(parts(store.face, clock))
    made.store.put(schedule(overlap=policy), expected=None)
    store.store.add(
        [first := made.intake.prepare([Request(made.registry.get("job"), schedule_id="s")], NOW)[0]]
    )
    made.ticker.tick()
    rows = store.store.find(ExecutionFilter(statuses=frozenset(TaskStatus) - FINAL))
    free = [row.execution_id for row in rows if not row.blocked_by]
    assert len(free) == 1
    assert (free == [first.execution_id]) == (policy is not OverlapPolicy.CANCEL_RUNNING)


def test_a_clock_that_goes_back_fires_no_instant_twice(made: Parts, clock: ManualClock) -> None:
    made.store.put(schedule(), expected=None)
    made.ticker.tick()
    clock.set(NOW - timedelta(hours=1))
    assert made.ticker.tick() == NOW + MINUTE
    clock.set(NOW + MINUTE)
    made.ticker.tick()
    assert [tick.instant for tick in ledger(made)] == [NOW, NOW + MINUTE]
    made.close()


def test_the_backlog_of_one_schedule_holds_up_no_other(clock: ManualClock) -> None:
    made = ready(parts(faulty().face, clock))
    made.store.put(schedule(IntervalTrigger(1, start_time=NOW), schedule_id="late"), expected=None)
    clock.advance(hours=2)
    due = clock.now()
    other = schedule(IntervalTrigger(1, start_time=due), schedule_id="o", next_fire_time=due)
    made.store.put(other, expected=None)

    def dawdle(event: Event) -> None:
        if event.data["tick"].schedule_id == "late":
            clock.advance(seconds=0.001)  # to record an instant takes a while

    made.events.subscribe(dawdle, [EventType.TICK])
    while (following := made.ticker.tick()) is not None and following <= clock.now():
        pass
    fired = [one for one in ledger(made, "o") if one.outcome is FIRED]
    assert len(fired) >= 5  # of the 7 seconds that the other one took
    assert len(made.store.ticks("late", NOW, clock.now(), 9999)) > 7200


def test_a_pass_ends_though_instants_come_faster_than_it_records_them(clock: ManualClock) -> None:
    store = faulty()
    made = ready(parts(store.face, clock))
    made.store.put(schedule(IntervalTrigger(0.001, start_time=NOW)), expected=None)

    def dawdle(_: Event) -> None:
        clock.advance(seconds=1)  # slower than the schedule

    made.events.subscribe(dawdle)
    assert made.ticker.tick() == clock.now()


def test_a_schedule_of_an_unknown_task_is_parked_until_the_task_is_back(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    made = parts(faulty().face, clock)
    made.store.put(schedule(), expected=None)
    for _ in range(3):
        assert made.ticker.tick() == NOW
    assert "not registered" in made.ticker.parked["s"]
    assert caplog.text.count("schedule s is parked") == 1
    ready(made).ticker.tick()
    assert made.ticker.parked == {}
    assert [tick.outcome for tick in ledger(made)] == [FIRED]


def test_a_parked_schedule_that_is_removed_is_forgotten(clock: ManualClock) -> None:
    made = parts(faulty().face, clock)
    made.store.put(schedule(), expected=None)
    made.ticker.tick()
    made.store.remove("s")
    made.ticker.tick()
    assert made.ticker.parked == {}


def test_parked_schedules_do_not_crowd_out_the_others(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "BATCH", 2)
    made = ready(parts(faulty().face, clock))
    for number in range(9):
        made.store.put(schedule(schedule_id=f"parked {number}", task_id="gone"), expected=None)
    made.store.put(schedule(), expected=None)
    clock.advance(seconds=1)
    for _ in range(9):
        made.ticker.tick()
    assert [tick.outcome for tick in ledger(made)] == [FIRED]


def test_one_schedule_that_cannot_be_worked_out_does_not_stop_the_others(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(state: Mapping[str, Any]) -> Trigger:
        if state["interval"] == 7.0:
            raise ZeroDivisionError("of a trigger")
        return IntervalTrigger.from_json(state)

    monkeypatch.setattr(steps, "trigger_from_json", read)
    made = ready(parts(faulty().face, clock))
    made.store.put(schedule(IntervalTrigger(7), schedule_id="bad"), expected=None)
    made.store.put(schedule(), expected=None)
    made.ticker.tick()
    assert made.ticker.parked == {"bad": "of a trigger"}
    assert [tick.outcome for tick in ledger(made)] == [FIRED]


@pytest.mark.parametrize("verb", ["due", "find", "fire", "next_fire"])
def test_an_outage_parks_nothing_and_loses_nothing(verb: str, clock: ManualClock) -> None:
    store = faulty()
    made = ready(parts(store.face, clock))
    made.store.put(schedule(overlap=OverlapPolicy.SKIP), expected=None)
    store.fail(verb)
    with pytest.raises(StoreUnavailable):
        made.ticker.tick()
    assert made.ticker.parked == {}
    made.ticker.tick()
    assert [tick.outcome for tick in ledger(made)] == [FIRED]
    assert len(made.store.find(ExecutionFilter())) == 1


def test_a_firing_that_was_stored_and_not_answered_is_not_repeated(clock: ManualClock) -> None:
    store = faulty()
    made = ready(parts(store.face, clock))
    made.store.put(schedule(), expected=None)
    store.fail("fire", after=True)
    with pytest.raises(StoreUnavailable):
        made.ticker.tick()
    made.ticker.tick()
    assert [tick.outcome for tick in ledger(made)] == [FIRED]
    assert len(made.store.find(ExecutionFilter())) == 1


def test_a_schedule_that_a_store_cannot_judge_is_parked(clock: ManualClock) -> None:
    store = faulty()
    made = ready(parts(store.face, clock))
    made.store.put(schedule(overlap=OverlapPolicy.SKIP), expected=None)
    store.fail("find", error=StoreError("one row cannot be read"))
    made.ticker.tick()
    assert made.ticker.parked == {"s": "one row cannot be read"}


def test_a_schedule_that_was_replaced_follows_its_new_trigger(clock: ManualClock) -> None:
    made = ready(parts(faulty().face, clock))
    made.store.put(schedule(), expected=None)
    assert made.ticker.tick() == NOW + MINUTE
    made.store.remove("s")
    clock.advance(MINUTE)
    hourly = IntervalTrigger(3600, start_time=NOW)
    made.store.put(schedule(hourly, next_fire_time=clock.now()), expected=None)
    assert made.ticker.tick() == NOW + timedelta(hours=1)


def test_triggers_of_schedules_that_are_gone_are_not_kept_for_ever(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REMEMBERED > STRETCH
    monkeypatch.setattr(steps, "REMEMBERED", 5)
    made = ready(parts(faulty().face, clock))
    for number in range(50):
        name = f"passing {number}"
        made.store.put(schedule(schedule_id=name, next_fire_time=clock.now()), expected=None)
        made.ticker.tick()
        made.store.remove(name)
        assert len(made.ticker._steps._triggers) <= 5


def test_two_tickers_fire_an_instant_once(clock: ManualClock) -> None:
    store = faulty()
    first, second = (ready(parts(store.face, clock)) for _ in range(2))
    first.store.put(schedule(), expected=None)
    hold = store.hold("due", after=True)  # the second has seen what the first is to fire
    late = threading.Thread(target=second.ticker.tick)
    late.start()
    hold.entered.wait()
    first.ticker.tick()
    hold.released.set()
    late.join()
    assert [tick.outcome for tick in ledger(first)] == [FIRED]
    assert len(first.store.find(ExecutionFilter())) == 1


def fired(made: Parts) -> list[TaskExecution]:
    """The executions of the schedule, oldest first."""
    return made.store.find(ExecutionFilter(schedule_id="s"))[::-1]


def claimed(made: Parts, clock: ManualClock) -> list[TaskExecution]:
    """What a node would run now."""
    return made.store.claim(by(now=clock.now()))


def tick_twice(made: Parts, clock: ManualClock, policy: OverlapPolicy) -> TaskExecution:
    """A first tick, whose execution begins, and a second; answers what runs."""
    made.store.put(schedule(overlap=policy), expected=None)
    made.ticker.tick()
    (running,) = claimed(made, clock)
    clock.advance(minutes=1)
    made.ticker.tick()
    return running


def end(made: Parts, row: TaskExecution, clock: ManualClock) -> None:
    """The execution completes."""
    transition = lifecycle.complete(row, result=None, metrics={}, now=clock.now())
    assert made.settler.settle([Change(row, transition)]) == [True]


def test_queue_one_lets_one_execution_wait_for_the_end_of_the_other(
    made: Parts, clock: ManualClock
) -> None:
    running = tick_twice(made, clock, OverlapPolicy.QUEUE_ONE)
    clock.advance(minutes=1)
    made.ticker.tick()
    _, waiting = fired(made)
    assert waiting.blocked_by == {running.execution_id}
    assert running.execution_id in (waiting.reason or "")
    assert [one.outcome for one in ledger(made)] == [FIRED, FIRED, OVERLAP]
    assert claimed(made, clock) == []
    end(made, running, clock)
    assert [row.execution_id for row in claimed(made, clock)] == [waiting.execution_id]
    made.close()


def test_queue_all_runs_one_after_the_other_however_each_ends(
    made: Parts, clock: ManualClock
) -> None:
    running = tick_twice(made, clock, OverlapPolicy.QUEUE_ALL)
    clock.advance(minutes=1)
    made.ticker.tick()
    _, second, third = fired(made)
    assert second.blocked_by == {running.execution_id}
    assert third.blocked_by >= {second.execution_id}
    cancel = lifecycle.cancel(running, now=clock.now())
    assert made.settler.settle([Change(running, cancel)]) == [True]
    (second,) = claimed(made, clock)
    failed = lifecycle.fail(second, error="no", now=clock.now())
    assert made.settler.settle([Change(second, failed)]) == [True]
    assert [row.execution_id for row in claimed(made, clock)] == [third.execution_id]
    made.close()


def test_cancel_running_cancels_and_runs_the_new_one(made: Parts, clock: ManualClock) -> None:
    revoked: list[Event] = []
    made.events.subscribe(revoked.append, [EventType.REVOKED])
    running = tick_twice(made, clock, OverlapPolicy.CANCEL_RUNNING)
    old, new = fired(made)
    assert old.status is TaskStatus.CANCELLED
    assert new.execution_id in (old.reason or "")
    assert [one.execution and one.execution.execution_id for one in revoked] == [
        running.execution_id
    ]
    assert [row.execution_id for row in claimed(made, clock)] == [new.execution_id]
    made.close()


def test_a_crash_before_the_cancellation_leaves_one_that_waits(clock: ManualClock) -> None:
    store = faulty()
    made = ready(parts(store.face, clock))
    made.store.put(schedule(overlap=OverlapPolicy.CANCEL_RUNNING), expected=None)
    made.ticker.tick()
    (running,) = claimed(made, clock)
    clock.advance(minutes=1)
    store.fail("apply", times=9)
    made.ticker.tick()
    assert claimed(made, clock) == []
    assert fired(made)[1].blocked_by == {running.execution_id}
    made.close()
