"""What nobody else looks after: lost leases, stranded dependents, old history."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.housekeeper import BATCH, Housekeeper
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.models import TaskDependency, TaskExecution, TaskStatus
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.memory import MemoryStore
from tests.unit.engine.kit import NOW, by, execution, faulty, parts

LEASE = timedelta(seconds=30)


@pytest.fixture
def made(url: str, clock: ManualClock) -> Parts:
    return parts(open_store(url), clock, max_crashes=1, history_limit=3, history_grace_seconds=5)


def keeper(made: Parts, held: Collection[str] = ()) -> Housekeeper:
    return Housekeeper(made, lambda: held)


def claim(made: Parts, limit: int = 10, node: str = "dead") -> list[TaskExecution]:
    return made.store.claim(by(node, limit, made.clock.now(), LEASE))


def test_a_lease_that_ran_out_gives_the_execution_to_others(
    made: Parts, clock: ManualClock
) -> None:
    heard: list[Event] = []
    made.events.subscribe(heard.append)
    made.store.add([execution("a")])
    claim(made)
    clock.advance(LEASE - timedelta(seconds=1))
    assert keeper(made).sweep() == 0
    clock.advance(seconds=1)
    assert keeper(made).sweep() == 1
    (row,) = made.store.get(["a"])
    assert (row.status, row.crashes, row.attempt, row.due) == (
        TaskStatus.PENDING,
        1,
        1,
        clock.now(),
    )
    assert "dead was lost during attempt 1" in (row.reason or "")
    (told,) = [one for one in heard if one.type is EventType.RECOVERED]
    assert told.data["node"] == "dead"
    made.close()


def test_what_runs_at_most_once_ends_with_its_node_and_the_log_says_why(
    made: Parts, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    made.store.add([execution("a", at_most_once=True)])
    claim(made)
    clock.advance(LEASE)
    assert keeper(made).sweep() == 1
    assert "dead was lost during attempt 1" in caplog.text


def test_one_crash_too_many_fails_it_and_skips_its_dependents(
    made: Parts, clock: ManualClock
) -> None:
    made.store.add([execution("a", task_id="a")])
    needs = TaskDependency("a", "success", execution_id="a")
    made.store.add([execution("b", dependencies=(needs,), blocked_by=frozenset({"a"}))])
    for _ in range(2):
        claim(made)
        clock.advance(LEASE)
        keeper(made).sweep()
    a, b = made.store.get(["a", "b"])
    assert (a.status, b.status) == (TaskStatus.FAILED, TaskStatus.SKIPPED)
    assert "crash 2 exceeds max_crashes=1" in (a.error or "")
    made.close()


def test_what_this_process_runs_is_late_and_not_lost(made: Parts, clock: ManualClock) -> None:
    made.store.add([execution("a"), execution("b")])
    claim(made)
    clock.advance(LEASE)
    assert keeper(made, held=["a"]).sweep() == 1
    assert [row.status for row in made.store.get(["a", "b"])] == [
        TaskStatus.RUNNING, TaskStatus.PENDING,
    ]  # fmt: skip
    made.close()


def test_what_this_process_holds_does_not_crowd_out_what_is_lost(
    made: Parts, clock: ManualClock
) -> None:
    held = [f"{number:04}" for number in range(BATCH + 1)]
    made.store.add([execution(name) for name in held])
    claim(made, limit=len(held))
    clock.advance(seconds=1)
    made.store.add([execution("lost")])
    claim(made)
    clock.advance(LEASE)
    assert keeper(made, held=held).sweep() == 1
    made.close()


def test_two_sweeps_at_once_rescue_it_once(made: Parts, clock: ManualClock) -> None:
    made.store.add([execution("a")])
    claim(made)
    clock.advance(LEASE)
    first, second = keeper(made), keeper(made)
    assert [first.sweep(), second.sweep()] == [1, 0]
    assert made.store.get(["a"])[0].crashes == 1
    made.close()


def test_a_dependent_that_a_crash_left_behind_goes_on(made: Parts, clock: ManualClock) -> None:
    made.store.add([execution("a", task_id="a")])
    needs = TaskDependency("a", execution_id="a")
    made.store.add([execution("b", dependencies=(needs,), blocked_by=frozenset({"a"}))])
    (row,) = claim(made)
    made.store.apply([lifecycle.complete(row, result=None, metrics={}, now=clock.now())])
    keeper(made).sweep()
    assert made.store.get(["b"])[0].blocked_by == frozenset()
    made.close()


def test_history_is_trimmed_to_its_limit_and_grace(made: Parts, clock: ManualClock) -> None:
    made.store.add([execution(f"{number:04}") for number in range(BATCH + 20)])
    rows = claim(made, limit=BATCH + 20)
    made.store.apply(
        [lifecycle.complete(row, result=None, metrics={}, now=clock.now()) for row in rows]
    )
    keeper(made).sweep()
    assert sum(made.store.counts().values()) == BATCH + 20  # just ended: still to be read
    clock.advance(seconds=6)
    keeper(made).sweep()
    assert sum(made.store.counts().values()) == 3
    clock.advance(days=31)
    keeper(made).sweep()
    assert sum(made.store.counts().values()) == 0
    made.close()


def test_a_long_history_is_looked_through_now_and_then(clock: ManualClock) -> None:
    """With a million rows that are kept, to see that there is nothing to trim takes a while."""
    looked: list[bool] = []

    class LongHistory(MemoryStore):
        def prune(self, **limits: Any) -> int:
            looked.append(super().prune(**limits) > 0)
            clock.advance(seconds=0.1)
            return looked[-1]

    made = parts(LongHistory(), clock, history_limit=3)
    housekeeper = keeper(made)
    for _ in range(19):
        housekeeper.sweep()
        clock.advance(seconds=1)
    assert looked == [False, False]
    made.store.add([execution(f"e{n}") for n in range(5)])
    rows = claim(made)
    ended = [lifecycle.complete(row, result=None, metrics={}, now=clock.now()) for row in rows]
    made.store.apply(ended)
    clock.advance(seconds=10)
    housekeeper.sweep()
    assert looked[2:] == [True, False]


def test_old_history_goes_in_steps_that_are_short(clock: ManualClock) -> None:
    steps: list[int] = []

    class Slow(MemoryStore):
        def prune(self, **limits: Any) -> int:
            steps.append(limits["limit"])
            clock.advance(seconds=limits["limit"] / 1000)
            return int(len(steps) < 6)

    keeper(parts(Slow(), clock)).sweep()
    assert steps == [BATCH, BATCH // 2, *2 * [BATCH, BATCH // 2]]


class ManyBlocked(MemoryStore):
    """Takes ``seconds`` to see that nothing is stranded."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._manual, self._seconds = clock, seconds

    def expired(self, *asked: Any) -> list[TaskExecution]:
        self.calls.append("expired")
        return super().expired(*asked)

    def stranded(self, now: datetime, limit: int) -> list[TaskExecution]:
        self.calls.append("stranded")
        self._manual.advance(seconds=self._seconds)
        return super().stranded(now, limit)

    def prune(self, **limits: Any) -> int:
        self.calls.append("prune")
        return super().prune(**limits)


@pytest.mark.parametrize(("seconds", "rest"), [(0.25, 5), (60, 30)])
def test_a_node_looks_for_lost_leases_at_each_poll_and_rests_from_what_takes_long(
    seconds: float, rest: int, clock: ManualClock
) -> None:
    store = ManyBlocked(clock, seconds)
    housekeeper = keeper(parts(store, clock))
    for _ in range(2 * rest):
        housekeeper.round()
        clock.advance(seconds=1)
    assert store.calls == 2 * ["expired", "stranded", "prune", *(rest - 1) * ["expired"]]


def test_a_sweep_leaves_nothing_out(clock: ManualClock) -> None:
    store = ManyBlocked(clock, 1)
    housekeeper = keeper(parts(store, clock))
    housekeeper.round()
    housekeeper.sweep()
    assert store.calls == 2 * ["expired", "stranded", "prune"]


@pytest.mark.parametrize("verb", ["expired", "apply", "stranded", "prune"])
@pytest.mark.parametrize("after", [False, True])
def test_an_outage_at_any_call_loses_nothing(verb: str, after: bool, clock: ManualClock) -> None:
    store = faulty()
    made = parts(store.face, clock)
    made.store.add([execution("a")])
    claim(made)
    clock.advance(LEASE)
    store.fail(verb, after=after)
    with pytest.raises(StoreUnavailable):
        keeper(made).sweep()
    keeper(made).sweep()
    (row,) = made.store.get(["a"])
    assert (row.status, row.crashes) == (TaskStatus.PENDING, 1)


def test_a_clock_that_goes_back_rescues_nobody_early(made: Parts, clock: ManualClock) -> None:
    made.store.add([execution("a")])
    claim(made)
    clock.set(NOW - timedelta(days=1))
    assert keeper(made).sweep() == 0
    made.close()


def test_no_end_is_trimmed_from_the_history_before_all_who_wait_for_it_were_told(
    made: Parts, clock: ManualClock
) -> None:
    count = BATCH + 10
    made.store.add([execution(f"up{n:03}") for n in range(count)])
    ups = claim(made, limit=count)
    made.store.add(
        [
            execution(
                f"z{n:03}",
                dependencies=(TaskDependency("job", execution_id=f"up{n:03}"),),
                blocked_by=frozenset({f"up{n:03}"}),
            )
            for n in range(count)
        ]
    )
    made.store.apply(
        [lifecycle.complete(row, result=None, metrics={}, now=clock.now()) for row in ups]
    )
    clock.advance(minutes=1)
    keeper(made).sweep()
    downs = made.store.get([f"z{n:03}" for n in range(count)])
    assert {(row.status, row.blocked_by) for row in downs} == {(TaskStatus.PENDING, frozenset())}
    assert len(made.store.get([row.execution_id for row in ups])) == 3
