"""Schedules, the ledger of their ticks, and the one step that advances both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from advanced_scheduler.errors import ScheduleExists
from advanced_scheduler.models import (
    ExecutionFilter,
    MisfirePolicy,
    OverlapPolicy,
    Schedule,
    TaskPriority,
    TickOutcome,
)
from advanced_scheduler.stores.base import Firing, Store

from .rows import DAY, MINUTE, NOW, SECOND, execution, firing, ids, schedule, tick


def event(**fields: Any) -> Firing:
    """One step of a schedule that waits for events."""
    return replace(firing(**fields), expected=None, next_fire_time=None)


def names(schedules: list[Schedule]) -> list[str]:
    """The schedule ids, in order."""
    return [one.schedule_id for one in schedules]


def test_a_schedule_comes_back_equal_in_every_field(store: Store) -> None:
    full = schedule(
        "full",
        trigger={"type": "cron", "expression": "* * * * *", "n": [1, {"x": None}]},
        args=(1, "two"),
        kwargs={"three": 3},
        priority=TaskPriority.CRITICAL,
        next_fire_time=None,
        paused=True,
        version=7,
        misfire=MisfirePolicy.RUN_ALL,
        max_catch_up=3,
        grace_seconds=1.5,
        overlap=OverlapPolicy.SKIP,
        tags=("x",),
        last_fire_time=NOW - MINUTE,
        ledger_from=NOW - DAY,
        resumed_time=NOW - SECOND,
        name="every minute",
        event="upload",
        queue="reports",
        timeout=2.5,
        retry={"max_attempts": 2, "strategy": "fixed"},
        metadata={"n": [1, {"x": None}]},
        max_runs=5,
        run_count=4,
        pause_on_failure=3,
        created_time=NOW - DAY,
        changed_time=NOW,
        changelog="faster",
    )
    plain = schedule("plain")
    assert store.put(plain, expected=None)
    assert store.put(full, expected=None)
    assert store.schedules() == [full, plain]
    (stored,) = store.schedules(["full", "unknown"])
    assert [type(getattr(stored, name)) for name in Schedule.__slots__] == [
        type(getattr(full, name)) for name in Schedule.__slots__
    ]


def test_a_schedule_is_put_once_and_replaced_by_version(store: Store) -> None:
    assert store.put(schedule(), expected=None)
    assert not store.put(schedule(task_id="u"), expected=None)
    assert not store.put(schedule(version=3), expected=schedule(version=2))
    assert not store.put(schedule("unknown", version=2), expected=schedule("unknown"))
    assert store.put(schedule(task_id="v", version=2), expected=schedule())
    assert [(one.task_id, one.version) for one in store.schedules()] == [("v", 2)]


def test_removing_a_schedule_leaves_its_ticks(store: Store) -> None:
    store.put(schedule(), expected=None)
    store.fire([firing()])
    assert store.remove("s")
    assert not store.remove("s")
    assert store.schedules() == []
    assert store.ticks("s", NOW, NOW + DAY) == [tick()]


def test_many_are_inserted_all_or_none(store: Store) -> None:
    first, second = schedule("a", name="first"), schedule("b", next_fire_time=NOW - MINUTE)
    assert store.add_schedules([first, second, schedule("c", paused=True)])
    assert store.schedules(["a", "b"]) == [first, second]
    assert names(store.due(NOW, 10)) == ["b", "a"]
    assert store.versions("a") == [first]

    assert not store.add_schedules([schedule("d"), schedule("b", version=2)])
    for taken in ([schedule("d"), schedule("e", name="first")], twins("d", "e", name="same")):
        with pytest.raises(ScheduleExists, match=r"the name '(first|same)' belongs to schedule"):
            store.add_schedules(taken)
    assert names(store.schedules()) == ["a", "b", "c"]
    assert store.versions("d") == []


def twins(*ids: str, **fields: Any) -> list[Schedule]:
    """Schedules that differ in nothing but their ids."""
    return [schedule(one, **fields) for one in ids]


def test_more_than_fit_into_one_statement_are_inserted(store: Store) -> None:
    many = twins(*(f"{number:04}" for number in range(1200)))

    assert store.add_schedules(many)
    assert store.schedules() == many
    assert store.add_schedules([])


def test_the_last_tick_of_each_schedule_within_a_time(store: Store) -> None:
    for one in ("a", "b"):
        store.put(schedule(one), expected=None)
    for number in range(3):
        assert store.fire([firing("a", NOW + number * MINUTE)]) == [True]
    store.remove("a")  # its ticks stay

    last = store.last_ticks(["a", "b", "c"], NOW, NOW + 2 * MINUTE)
    assert last == {"a": NOW + MINUTE}
    assert store.last_ticks(["a"], NOW + 2 * MINUTE, NOW + DAY) == {"a": NOW + 2 * MINUTE}
    assert store.last_ticks(["a"], NOW + 3 * MINUTE, NOW + DAY) == {}
    assert store.last_ticks([], NOW, NOW + DAY) == {}


def test_due_are_the_earliest_schedules_that_are_not_paused(store: Store) -> None:
    for one in (
        schedule("b", next_fire_time=NOW),
        schedule("a", next_fire_time=NOW),
        schedule("early", next_fire_time=NOW - MINUTE),
        schedule("late", next_fire_time=NOW + MINUTE),
        schedule("paused", next_fire_time=NOW - DAY, paused=True),
        schedule("over", next_fire_time=None),
    ):
        store.put(one, expected=None)
    assert names(store.due(NOW, 10)) == ["early", "a", "b"]
    assert names(store.due(NOW, 2)) == ["early", "a"]
    assert store.next_fire() == NOW - MINUTE


def test_without_a_schedule_nothing_fires_next(store: Store) -> None:
    store.put(schedule(paused=True), expected=None)
    assert store.next_fire() is None


def test_a_firing_advances_records_and_adds_in_one_step(store: Store) -> None:
    store.put(schedule(), expected=None)
    fired = tick(execution_id="a", reason="because")
    assert store.fire([firing(ticks=[fired], executions=[execution("a")])]) == [True]
    stepped = schedule(next_fire_time=NOW + MINUTE, last_fire_time=NOW, run_count=1)
    assert store.schedules() == [stepped]
    assert store.ticks("s", NOW, NOW + SECOND) == [fired]
    assert ids(store.get(["a"])) == ["a"]


def test_the_last_firing_ends_a_schedule(store: Store) -> None:
    store.put(schedule(), expected=None)
    assert store.fire([firing(next_fire_time=None)]) == [True]
    assert store.schedules()[0].next_fire_time is None
    assert store.due(NOW + DAY, 10) == []


def test_a_firing_is_refused_when_the_schedule_is_not_as_seen(store: Store) -> None:
    for one in (
        schedule("other-time", next_fire_time=NOW + SECOND),
        schedule("edited", version=2),
        schedule("paused", paused=True),
        schedule("good"),
    ):
        store.put(one, expected=None)
    before = store.schedules(["other-time", "edited", "paused"])
    steps = [
        firing(name, executions=[execution(name)])
        for name in ("other-time", "edited", "paused", "gone", "good")
    ]
    assert store.fire(steps) == [False, False, False, False, True]
    assert store.schedules(["other-time", "edited", "paused"]) == before
    assert ids(store.find(ExecutionFilter())) == ["good"]
    assert store.ticks("edited", NOW, NOW + DAY) == []


def test_firings_of_one_schedule_in_a_batch_are_steps_of_a_sequence(store: Store) -> None:
    store.put(schedule(), expected=None)
    steps = [firing(), firing(), firing(expected=NOW + MINUTE)]
    assert store.fire(steps) == [True, False, True]
    assert store.ticks("s", NOW, NOW + DAY) == [tick(), tick(instant=NOW + MINUTE)]


def test_a_paused_schedule_takes_what_is_recorded_and_runs_nothing(store: Store) -> None:
    store.put(schedule(paused=True), expected=None)
    assert store.fire([firing(executions=[execution("a")])]) == [False]
    assert store.fire([firing(executions=[])]) == [True]
    (found,) = store.schedules()
    assert (found.paused, found.next_fire_time, found.last_fire_time) == (True, NOW + MINUTE, NOW)
    assert (store.due(NOW + DAY, 9), store.next_fire()) == ([], None)
    assert store.ticks("s", NOW, NOW + DAY) == [tick()]
    assert store.find(ExecutionFilter()) == []


def test_an_edit_does_not_set_back_what_another_node_fired(store: Store) -> None:
    store.put(schedule(), expected=None)
    (seen,) = store.due(NOW, 1)
    store.fire([firing()])
    assert not store.put(replace(seen, version=2, task_id="v"), expected=seen)
    (fired,) = store.schedules()
    assert (fired.last_fire_time, fired.next_fire_time) == (NOW, NOW + MINUTE)


def test_an_instant_that_is_in_the_ledger_is_never_fired_again(store: Store) -> None:
    store.put(schedule(), expected=None)
    store.fire([firing()])
    edited = schedule(version=2, next_fire_time=NOW)
    assert store.put(edited, expected=store.schedules()[0])
    again = firing(
        version=2, executions=[execution("a")], ticks=[tick(instant=NOW - SECOND), tick(version=2)]
    )
    assert store.fire([again]) == [False]
    assert store.schedules() == [edited]
    assert store.ticks("s", NOW - DAY, NOW + DAY) == [tick()]
    assert store.get(["a"]) == []


def test_a_firing_whose_execution_exists_is_refused_as_a_whole(store: Store) -> None:
    store.add([execution("a"), execution("b", unique_key="key")])
    store.put(schedule("s"), expected=None)
    store.put(schedule("u"), expected=None)
    taken = [
        firing("s", executions=[execution("a")]),
        firing("u", executions=[execution("c", unique_key="key")]),
    ]
    assert store.fire(taken) == [False, False]
    assert names(store.due(NOW, 10)) == ["s", "u"]
    assert store.get(["c"]) == []


def test_eight_threads_fire_each_tick_once(store: Store) -> None:
    for n in range(20):
        store.put(schedule(f"s{n:02}"), expected=None)

    def work(node: int) -> int:
        steps = [
            firing(one.schedule_id, executions=[execution(f"{one.schedule_id}-{node}")])
            for one in store.due(NOW, 100)
        ]
        return sum(store.fire(steps)) + sum(store.fire([step])[0] for step in steps)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 20
    assert len(store.find(ExecutionFilter(limit=1000))) == 20
    assert all(len(store.ticks(f"s{n:02}", NOW, NOW + DAY)) == 1 for n in range(20))


def test_the_ledger_is_read_by_instant_from_start_up_to_end(store: Store) -> None:
    store.put(schedule(), expected=None)
    ticks = [
        tick(instant=NOW + n * MINUTE, outcome=outcome) for n, outcome in enumerate(TickOutcome)
    ]
    store.fire([firing(ticks=list(reversed(ticks)))])
    assert store.ticks("s", NOW, NOW + DAY) == ticks
    assert store.ticks("s", NOW + MINUTE, NOW + 3 * MINUTE) == ticks[1:3]
    assert store.ticks("s", NOW, NOW + DAY, limit=2) == ticks[:2]
    assert store.ticks("other", NOW, NOW + DAY) == []


def test_an_edit_while_a_node_holds_the_old_due_time_wins(store: Store) -> None:
    store.put(schedule(), expected=None)
    (seen,) = store.due(NOW, 1)
    store.put(replace(seen, version=2, next_fire_time=NOW + DAY), expected=seen)
    assert store.fire([firing(executions=[execution("a")])]) == [False]
    assert store.next_fire() == NOW + DAY


def test_a_firing_is_refused_when_another_node_has_fired_since(store: Store) -> None:
    store.put(schedule(next_fire_time=None, event="upload"), expected=None)
    steps = [event()] * 2
    assert store.fire(steps) == [True, False]
    later = tick(instant=NOW + SECOND)
    (unseen, seen) = (event(last=last, ticks=[later]) for last in (None, NOW))
    assert store.fire([unseen]) == [False]
    assert store.fire([seen]) == [True]
    assert store.ticks("s", NOW, NOW + DAY) == [tick(), later]


def test_the_last_fire_time_never_goes_back(store: Store) -> None:
    store.put(schedule(last_fire_time=NOW + DAY), expected=None)
    assert store.fire([firing(last=NOW + DAY)]) == [True]
    assert store.fire([firing(expected=NOW + MINUTE, last=NOW + DAY, ticks=[])]) == [True]
    assert store.schedules()[0].last_fire_time == NOW + DAY


def test_what_runs_by_itself_is_counted(store: Store) -> None:
    store.put(schedule(), expected=None)
    steps = [
        firing(executions=[execution("a"), execution("b")]),
        firing(expected=NOW + MINUTE),
        firing(expected=NOW + 2 * MINUTE, executions=[execution("c")]),
    ]
    assert store.fire(steps) == [True] * 3
    assert store.schedules()[0].run_count == 3


def test_by_hand_a_paused_schedule_runs_and_nothing_is_counted(store: Store) -> None:
    store.put(schedule(paused=True), expected=None)
    now = firing(
        by_hand=True,
        next_fire_time=NOW,
        ticks=[tick(instant=NOW - SECOND)],
        executions=[execution("a")],
    )
    assert store.fire([now]) == [True]
    (found,) = store.schedules()
    assert (found.run_count, found.next_fire_time, found.paused) == (0, NOW, True)
    assert found.last_fire_time == NOW - SECOND
    assert ids(store.get(["a"])) == ["a"]


def test_an_edit_leaves_the_number_of_runs_as_it_is(store: Store) -> None:
    store.put(schedule(run_count=2), expected=None)
    (seen,) = store.schedules()
    store.fire([firing(executions=[execution("a")])])
    (fired,) = store.schedules()
    assert not store.put(replace(seen, version=2), expected=seen)
    assert store.put(replace(fired, version=2, run_count=0), expected=fired)
    assert store.schedules()[0].run_count == 3


def test_an_edit_is_refused_when_a_node_has_fired_since(store: Store) -> None:
    store.put(schedule(next_fire_time=None, event="upload"), expected=None)
    (seen,) = store.schedules()
    store.fire([event()])
    assert not store.put(replace(seen, version=2), expected=seen)
    (fired,) = store.schedules()
    assert store.put(replace(fired, version=2), expected=fired)
