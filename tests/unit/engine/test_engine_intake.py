"""How wishes become executions: all or none, and bound to what they wait for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.intake import Request
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.errors import (
    ExecutionNotFound,
    InvalidArguments,
    StoreUnavailable,
    UnknownDependency,
)
from advanced_scheduler.models import (
    ScheduleOptions,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.testing import FaultyStore
from tests.support.definitions import add, define, nothing
from tests.unit.engine.kit import NOW, by, faulty, parts

PENDING, COMPLETED, SKIPPED = TaskStatus.PENDING, TaskStatus.COMPLETED, TaskStatus.SKIPPED


@pytest.fixture
def store() -> FaultyStore:
    return faulty()


@pytest.fixture
def made(store: FaultyStore, clock: ManualClock) -> Parts:
    """With the tasks ``up`` and ``down``, of which the second waits for the first."""
    made = parts(store.face, clock)
    made.registry.register(define(task_id="up"))
    made.registry.register(define(task_id="down", dependencies=["up"]))
    return made


def ask(made: Parts, task_id: str, *args: Any, **options: Any) -> Request:
    return Request(made.registry.get(task_id), args, {}, ScheduleOptions(**options))


def submit(made: Parts, task_id: str, *args: Any, **options: Any) -> str:
    return made.intake.submit([ask(made, task_id, *args, **options)])[0]


def row_of(made: Parts, execution_id: str) -> TaskExecution:
    return made.store.get([execution_id])[0]


def run(made: Parts, limit: int = 10) -> None:
    """Claim what is due and complete it, as a node would."""
    finish(made, made.store.claim(by(limit=limit, now=made.clock.now())))


def finish(made: Parts, rows: Sequence[TaskExecution]) -> None:
    now = made.clock.now()
    made.settler.settle(
        [Change(row, lifecycle.complete(row, result=None, metrics={}, now=now)) for row in rows]
    )


def test_a_row_says_all_that_was_asked(made: Parts) -> None:
    made.registry.register(define(add, task_id="sum", timeout=5, tags=("own",)))
    one = submit(made, "sum", 1, at=NOW + timedelta(hours=1), tags=("more",), unique="k",
                 workflow_id="w", priority=TaskPriority.LOW)  # fmt: skip
    row = row_of(made, one)
    assert (row.args, row.timeout, row.tags) == ((1,), 5, ("own", "more"))
    assert (row.due, row.created_time) == (NOW + timedelta(hours=1), NOW)
    assert (row.unique_key, row.workflow_id, row.priority) == ("k", "w", TaskPriority.LOW)
    assert row_of(made, submit(made, "sum", 1, timeout=1, delay=9)).timeout == 1
    assert row_of(made, submit(made, "sum", 1, delay=9)).due == NOW + timedelta(seconds=9)


def test_one_bad_request_of_many_stores_none(made: Parts) -> None:
    made.registry.register(define(add, task_id="sum"))
    with pytest.raises(InvalidArguments):
        made.intake.submit([ask(made, "sum", 1), ask(made, "sum")])
    assert made.store.counts() == {}


def test_a_dependency_that_nobody_registered_is_refused(made: Parts) -> None:
    made.registry.register(define(task_id="lost", dependencies=["nobody"]))
    with pytest.raises(UnknownDependency, match="'nobody' is not registered; register that"):
        submit(made, "lost")
    with pytest.raises(ExecutionNotFound, match="after='gone': no such execution"):
        submit(made, "up", after=("gone",))
    assert made.store.counts() == {}


def test_a_dependent_waits_for_the_newest_run(made: Parts) -> None:
    submit(made, "up")
    newest = submit(made, "up")
    row = row_of(made, submit(made, "down"))
    assert (row.blocked_by, row.reason) == (frozenset({newest}), "waits for 'up'")


def test_a_dependent_of_a_task_that_never_ran_waits_for_its_next_run(made: Parts) -> None:
    down = submit(made, "down")
    assert row_of(made, down).blocked_by == {"task:up"}
    submit(made, "up")
    run(made)
    assert row_of(made, down).blocked_by == frozenset()


def test_a_dependent_of_a_run_that_has_ended_waits_for_nothing(made: Parts) -> None:
    submit(made, "up")
    run(made)
    assert row_of(made, submit(made, "down")).blocked_by == frozenset()


def test_the_run_of_the_same_workflow_counts_not_a_newer_one(made: Parts) -> None:
    mine = submit(made, "up", workflow_id="w")
    submit(made, "up")
    assert row_of(made, submit(made, "down", workflow_id="w")).blocked_by == {mine}


def test_an_upstream_that_ends_between_the_look_and_the_write_is_not_missed(
    made: Parts, store: FaultyStore
) -> None:
    submit(made, "up")
    hold = store.hold("add")  # the dependent is bound, and not stored
    answer: list[str] = []
    caller = threading.Thread(target=lambda: answer.append(submit(made, "down")))
    caller.start()
    hold.entered.wait()
    run(made)
    hold.released.set()
    caller.join()
    assert row_of(made, answer[0]).blocked_by == frozenset()


def test_an_upstream_that_ends_between_the_write_and_the_second_look_is_not_missed(
    made: Parts, store: FaultyStore
) -> None:
    submit(made, "up")
    hold = store.hold("add", after=True)
    answer: list[str] = []
    caller = threading.Thread(target=lambda: answer.append(submit(made, "down")))
    caller.start()
    hold.entered.wait()
    run(made, limit=1)
    hold.released.set()
    caller.join()
    assert row_of(made, answer[0]).blocked_by == frozenset()


def test_an_outage_after_the_write_does_not_make_the_caller_write_again(
    made: Parts, store: FaultyStore, clock: ManualClock
) -> None:
    submit(made, "up")
    run(made)
    for verb in ("get", "find", "apply"):
        store.fail(verb)
    down = submit(made, "down")
    assert row_of(made, down).blocked_by
    made.intake.recheck(made.store.stranded(clock.now(), 10))
    made.intake.recheck(made.store.stranded(clock.now(), 10))
    assert row_of(made, down).blocked_by == frozenset()


@pytest.mark.parametrize(("after", "stored"), [(False, 0), (True, 1)])
def test_a_write_that_fails_is_told_to_the_caller(
    after: bool, stored: int, made: Parts, store: FaultyStore
) -> None:
    store.fail("add", after=after)
    with pytest.raises(StoreUnavailable):
        submit(made, "up", unique="once")
    assert sum(made.store.counts().values()) == stored
    submit(made, "up", unique="once")  # a unique key makes it safe to try again
    assert sum(made.store.counts().values()) == 1


def test_a_unique_key_answers_its_holder_until_that_ends(made: Parts) -> None:
    first = submit(made, "up", unique="k")
    assert submit(made, "up", unique="k") == first
    request = ask(made, "up", unique="k")
    assert made.intake.submit([request, request]) == [first, first]
    run(made)
    assert submit(made, "up", unique="k") != first


def test_a_holder_that_ends_during_the_look_up_leaves_the_key_to_the_caller(
    made: Parts, store: FaultyStore
) -> None:
    first = submit(made, "up", unique="k")
    hold = store.hold("by_unique_key")
    answer: list[str] = []
    caller = threading.Thread(target=lambda: answer.append(submit(made, "up", unique="k")))
    caller.start()
    hold.entered.wait()
    run(made)
    hold.released.set()
    caller.join()
    assert answer[0] != first
    assert row_of(made, answer[0]).status is PENDING


def test_a_dependent_of_a_run_that_was_pruned_is_skipped_though_others_of_its_task_ended(
    made: Parts, store: FaultyStore, clock: ManualClock
) -> None:
    first = submit(made, "up")
    bound = submit(made, "down", workflow_id="none")
    assert row_of(made, bound).blocked_by == {first}
    now = clock.now()
    (claimed,) = store.store.claim(by(limit=1, now=now))
    done = lifecycle.complete(claimed, result=None, metrics={}, now=now)
    store.store.apply([done])  # and the node died before it carried the news
    clock.advance(days=1)
    store.store.prune(keep=0, before=clock.now(), older_than=clock.now(), limit=10)
    loose = submit(made, "down")
    assert row_of(made, loose).blocked_by == {"task:up"}
    submit(made, "up")
    (again,) = store.store.claim(by(limit=1, now=clock.now()))
    store.store.apply([lifecycle.complete(again, result=None, metrics={}, now=clock.now())])
    made.intake.recheck(store.store.stranded(clock.now(), 10))
    assert row_of(made, bound).status is SKIPPED
    assert "is gone from the history" in (row_of(made, bound).reason or "")
    assert (row_of(made, loose).status, row_of(made, loose).blocked_by) == (PENDING, frozenset())


def test_a_stranded_dependent_of_the_next_run_moves_on_though_newer_runs_are_open(
    made: Parts, store: FaultyStore, clock: ManualClock
) -> None:
    down = submit(made, "down")
    submit(made, "up")
    now = clock.now()
    (claimed,) = store.store.claim(by(limit=1, now=now))
    store.store.apply([lifecycle.complete(claimed, result=None, metrics={}, now=now)])
    submit(made, "up")  # waits, and may wait for long
    made.intake.recheck(store.store.stranded(now, 10))
    assert row_of(made, down).blocked_by == frozenset()


def test_a_wait_that_takes_too_long_ends_as_skipped(made: Parts, clock: ManualClock) -> None:
    made.registry.register(
        define(nothing, task_id="hasty", dependencies=[TaskDependency("up", timeout=60)])
    )
    hasty = submit(made, "hasty")
    assert row_of(made, hasty).wait_until == NOW + timedelta(seconds=60)
    clock.advance(seconds=59)
    made.intake.recheck(made.store.stranded(clock.now(), 10))
    assert row_of(made, hasty).status is PENDING
    clock.advance(seconds=1)
    made.intake.recheck(made.store.stranded(clock.now(), 10))
    assert row_of(made, hasty).status is SKIPPED
    assert "did not end within 60 s" in (row_of(made, hasty).reason or "")


def test_every_id_is_new_in_a_burst(made: Parts) -> None:
    requests = [ask(made, "up")] * 10_000
    ids = made.intake.submit(requests)
    assert ids == sorted(set(ids))
    assert sum(made.store.counts().values()) == 10_000


def test_what_is_stored_with_all_that_it_waits_for_is_not_looked_at_again(
    made: Parts, store: FaultyStore
) -> None:
    """Nor read: whoever ends the one sees the other, since both came in one step."""
    for verb in ("get", "find", "apply"):
        store.fail(verb, times=100)
    up, down = made.intake.submit([ask(made, "up"), ask(made, "down")])
    store.calm()
    assert row_of(made, down).blocked_by == {up}
    run(made)
    run(made)
    assert row_of(made, down).status is COMPLETED
