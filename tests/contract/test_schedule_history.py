"""What is kept about schedules, and how they are found: names, versions, totals, outcomes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.errors import ScheduleExists
from advanced_scheduler.models import ScheduleFilter, TaskStatus, TickOutcome, Total
from advanced_scheduler.stores.base import VERSIONS_KEPT, Store

from .rows import DAY, MINUTE, NOW, SECOND, done, execution, firing, schedule, start, tick


def found(store: Store, **conditions: Any) -> list[str]:
    """The ids of the schedules that fit."""
    query = ScheduleFilter(**conditions)
    return [one.schedule_id for one in store.find_schedules(query)]


def edit(store: Store, version: int, **fields: Any) -> None:
    """Replace the schedule ``s``, whichever version it has."""
    (seen,) = store.schedules(["s"])
    assert store.put(schedule(version=version, **fields), expected=seen)


# --- names and filters ------------------------------------------------------------------


def test_schedules_are_found_by_all_conditions_together(store: Store) -> None:
    for one in (
        schedule("d"),
        schedule("c", event="upload"),
        schedule("b", event="upload", task_id="u"),
        schedule("a", name="nightly", task_id="u"),
    ):
        store.put(one, expected=None)
    assert found(store) == ["a", "b", "c", "d"]
    assert found(store, name="nightly") == ["a"]
    assert found(store, name="unknown") == []
    assert found(store, event="upload") == ["b", "c"]
    assert found(store, task_id="u") == ["a", "b"]
    assert found(store, event="upload", task_id="u") == ["b"]
    assert found(store, name="nightly", event="upload") == []


def test_schedules_are_read_page_by_page(store: Store) -> None:
    for name in "cabd":
        store.put(schedule(name, event="upload" if name < "d" else None), expected=None)
    assert found(store, limit=2) == ["a", "b"]
    assert found(store, limit=2, cursor="b") == ["c", "d"]
    assert found(store, event="upload", limit=5, cursor="a") == ["b", "c"]
    assert found(store, cursor="d") == []


def test_a_name_belongs_to_one_schedule(store: Store) -> None:
    store.put(schedule("a", name="nightly"), expected=None)
    with pytest.raises(ScheduleExists, match="'nightly' belongs to schedule 'a'"):
        store.put(schedule("b", name="nightly"), expected=None)
    store.put(schedule("b", name="daily"), expected=None)
    with pytest.raises(ScheduleExists, match="'nightly' belongs to schedule 'a'"):
        store.put(schedule("b", name="nightly", version=2), expected=schedule("b", name="daily"))
    assert store.schedules(["b"]) == [schedule("b", name="daily")]
    assert store.versions("b") == [schedule("b", name="daily")]


def test_an_edit_may_keep_change_and_give_up_the_name(store: Store) -> None:
    store.put(schedule(name="nightly"), expected=None)
    edit(store, 2, name="nightly")
    edit(store, 3, name="daily")
    assert store.put(schedule("u", name="nightly"), expected=None)
    edit(store, 4)
    assert store.put(schedule("v", name="daily"), expected=None)
    assert found(store, name="daily") == ["v"]


def test_the_name_of_a_removed_schedule_is_free(store: Store) -> None:
    store.put(schedule("a", name="nightly"), expected=None)
    store.remove("a")
    assert store.put(schedule("b", name="nightly"), expected=None)


def test_what_does_not_fit_is_not_put_whatever_its_name(store: Store) -> None:
    store.put(schedule("a", name="nightly"), expected=None)
    store.put(schedule("b"), expected=None)
    assert not store.put(schedule("b", name="nightly"), expected=None)


def test_of_eight_threads_one_gets_the_name(store: Store) -> None:
    def put(number: int) -> bool:
        try:
            return store.put(schedule(f"s{number}", name="nightly"), expected=None)
        except ScheduleExists:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(8))) == 1
    assert len(found(store, name="nightly")) == len(store.schedules()) == 1


# --- versions -----------------------------------------------------------------------------


def test_every_version_is_kept_as_it_was_put(store: Store) -> None:
    store.put(schedule(run_count=1), expected=None)
    edit(store, 2, task_id="u", changelog="another task", run_count=5)
    store.fire([firing(version=2, executions=[execution("a")])])
    edit(store, 3, paused=True)
    assert store.versions("s") == [
        schedule(run_count=1),
        schedule(version=2, task_id="u", changelog="another task", run_count=5),
        schedule(version=3, paused=True),
    ]
    assert store.versions("unknown") == []


def test_what_is_put_again_under_its_version_replaces_it(store: Store) -> None:
    store.put(schedule(), expected=None)
    edit(store, 1, paused=True)
    assert store.versions("s") == [schedule(paused=True)]


def test_the_latest_versions_are_kept(store: Store) -> None:
    store.put(schedule(), expected=None)
    store.put(schedule("u"), expected=None)
    for version in range(2, VERSIONS_KEPT + 4):
        edit(store, version)
    kept = [one.version for one in store.versions("s")]
    assert kept == list(range(4, VERSIONS_KEPT + 4))
    assert len(store.versions("u")) == 1


def test_what_was_refused_is_no_version(store: Store) -> None:
    store.put(schedule(), expected=None)
    assert not store.put(schedule(version=3), expected=schedule(version=2))
    assert not store.put(schedule(version=2), expected=None)
    assert [one.version for one in store.versions("s")] == [1]


def test_a_schedule_that_comes_again_begins_anew(store: Store) -> None:
    store.put(schedule(run_count=7), expected=None)
    edit(store, 2)
    store.remove("s")
    assert store.versions("s") == []
    store.put(schedule(), expected=None)
    assert store.versions("s") == store.schedules() == [schedule()]


# --- totals -------------------------------------------------------------------------------


def run(store: Store, execution_id: str, seconds: int, *, fails: bool = False) -> None:
    """Run an execution of the schedule ``s`` that takes so long."""
    (row,) = start(store, execution(execution_id, schedule_id="s"))
    end = NOW + seconds * SECOND
    move = lifecycle.fail(row, error="boom", now=end) if fails else done(row, end)
    assert store.apply([move]) == [True]


def trim(store: Store, keep: int) -> int:
    """Delete all but the ``keep`` latest rows that ended."""
    return store.prune(keep=keep, before=NOW + DAY, older_than=NOW - DAY, limit=100)


def test_totals_say_how_the_executions_of_a_schedule_ended(store: Store) -> None:
    store.put(schedule(), expected=None)
    assert store.totals("s") == {}
    run(store, "a", 2)
    run(store, "b", 3, fails=True)
    run(store, "c", 5)
    start(store, execution("running", schedule_id="s"))
    store.add([execution("cancelled", schedule_id="s"), execution("pending", schedule_id="s")])
    store.apply([lifecycle.cancel(execution("cancelled"), now=NOW)])
    start(store, execution("other"))
    assert store.totals("s") == {
        TaskStatus.COMPLETED: Total(count=2, seconds=7.0),
        TaskStatus.FAILED: Total(count=1, seconds=3.0),
        TaskStatus.CANCELLED: Total(count=1),
    }
    assert store.totals("other") == {}


def test_what_is_pruned_stays_in_the_totals(store: Store) -> None:
    store.put(schedule(), expected=None)
    for seconds, name in enumerate("abcd", start=1):
        run(store, name, seconds, fails=name == "b")
    before = store.totals("s")
    assert trim(store, keep=3) == 1
    assert trim(store, keep=1) == 2
    assert store.totals("s") == before
    assert trim(store, keep=0) == 1
    assert store.totals("s") == {
        TaskStatus.COMPLETED: Total(count=3, seconds=8.0),
        TaskStatus.FAILED: Total(count=1, seconds=2.0),
    }
    assert before == store.totals("s")


def test_what_is_too_old_stays_in_the_totals_as_well(store: Store) -> None:
    store.put(schedule(), expected=None)
    run(store, "a", 4)
    assert store.prune(keep=9, before=NOW, older_than=NOW + MINUTE, limit=9) == 1
    assert store.totals("s") == {TaskStatus.COMPLETED: Total(count=1, seconds=4.0)}


def test_the_totals_go_with_the_schedule(store: Store) -> None:
    store.put(schedule(), expected=None)
    run(store, "a", 1)
    trim(store, keep=0)
    run(store, "b", 1)
    store.remove("s")
    trim(store, keep=0)
    assert store.totals("s") == {}
    store.put(schedule(), expected=None)
    assert store.totals("s") == {}


# --- outcomes -----------------------------------------------------------------------------


def test_ticks_are_counted_by_outcome_over_all_schedules(store: Store) -> None:
    for name in "ab":
        store.put(schedule(name), expected=None)
        ledger = [
            tick(name, NOW),
            tick(name, NOW + MINUTE, outcome=TickOutcome.OVERLAP),
            tick(name, NOW + 2 * MINUTE),
            tick(name, NOW + 3 * MINUTE, outcome=TickOutcome.MISFIRED),
        ]
        store.fire([firing(name, ticks=ledger)])
    assert store.tick_counts(NOW, NOW + 3 * MINUTE) == {
        TickOutcome.FIRED: 4,
        TickOutcome.OVERLAP: 2,
    }
    assert store.tick_counts(NOW + 3 * MINUTE, NOW + DAY) == {TickOutcome.MISFIRED: 2}
    assert store.tick_counts(NOW - DAY, NOW) == {}


def test_schedules_are_counted_by_state(store: Store) -> None:
    assert not any(store.schedule_counts().values())
    ended: dict[str, Any] = {"next_fire_time": None}
    paused: dict[str, Any] = {"paused": True}
    for number, fields in enumerate(
        (
            {},
            {"max_runs": 2, "run_count": 1},
            {**ended, "event": "upload"},
            paused,
            {**paused, **ended, "event": "upload"},
            ended,
            {**ended, **paused},
            {"max_runs": 2, "run_count": 2},
            {"max_runs": 9, "run_count": 10, **paused},
        )
    ):
        store.put(schedule(f"s{number}", **fields), expected=None)
    assert store.schedule_counts() == Counter(one.state for one in store.schedules())
    assert store.schedule_counts() == {"active": 3, "paused": 2, "ended": 4}
    store.fire([firing("s1", executions=[execution("e")])])
    store.remove("s0")
    assert store.schedule_counts() == {"active": 1, "paused": 2, "ended": 5}


def test_schedules_are_counted_by_task(store: Store) -> None:
    assert store.scheduled_tasks() == {}
    for number, task_id in enumerate(["a", "b", "a"]):
        store.put(schedule(f"s{number}", task_id=task_id), expected=None)
    assert store.scheduled_tasks() == {"a": 2, "b": 1}
    store.remove("s1")
    assert store.scheduled_tasks() == {"a": 2}
