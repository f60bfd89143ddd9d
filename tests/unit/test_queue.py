"""The order in which waiting executions are taken."""

from __future__ import annotations

import random
import threading
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from advanced_scheduler.engine.ids import ExecutionIds
from advanced_scheduler.errors import InvalidArguments
from advanced_scheduler.lifecycle import claim_order
from advanced_scheduler.models import TaskExecution, TaskPriority, TaskStatus
from advanced_scheduler.queue import PriorityTaskQueue
from advanced_scheduler.stores.memory import MemoryStore
from tests.contract.rows import NOW, SECOND, by, execution, ids

P = TaskPriority


def waiting(execution_id: str, priority: TaskPriority = P.NORMAL, **fields: Any) -> TaskExecution:
    return execution(execution_id, priority=priority, **fields)


def queue_of(*executions: TaskExecution) -> PriorityTaskQueue:
    queue = PriorityTaskQueue()
    for one in executions:
        queue.enqueue(one)
    return queue


def drained(queue: PriorityTaskQueue) -> list[str]:
    taken = []
    while (one := queue.dequeue()) is not None:
        taken.append(one.execution_id)
    return taken


def test_an_empty_queue_has_nothing_to_give() -> None:
    queue = PriorityTaskQueue()
    assert queue.dequeue() is None
    assert queue.peek() is None
    assert queue.is_empty()
    assert queue.size() == len(queue) == 0
    assert queue.snapshot() == queue.get_tasks_by_priority(P.HIGH) == []
    assert not queue.remove("x")


def test_priority_comes_before_due_time_and_due_time_before_arrival() -> None:
    queue = queue_of(
        waiting("low", P.LOW),
        waiting("late", P.HIGH, due_time=NOW + SECOND),
        waiting("first", P.HIGH),
        waiting("second", P.HIGH),
        waiting("critical", P.CRITICAL, due_time=NOW + 99 * SECOND),
        waiting("background", P.BACKGROUND),
        waiting("normal"),
    )
    in_order = ["critical", "first", "second", "late", "normal", "low", "background"]
    assert ids(queue.snapshot()) == in_order
    assert drained(queue) == in_order


def test_of_equal_priority_the_higher_rank_comes_first() -> None:
    queue = queue_of(
        waiting("early", due_time=NOW - SECOND),
        waiting("last", rank=-1),
        waiting("first", rank=1),
        waiting("high", P.HIGH, rank=-9),
    )
    assert ids(queue.snapshot()) == drained(queue) == ["high", "first", "early", "last"]


def test_ids_of_ours_are_taken_in_the_order_in_which_stores_claim() -> None:
    rng, make, store = random.Random(1), ExecutionIds(random.Random(1)).make, MemoryStore()
    rows = [
        waiting(
            make(NOW),
            rng.choice([P.HIGH, P.LOW]),
            rank=rng.choice([0, 1]),
            due_time=NOW - rng.choice([0, 1]) * SECOND,
        )
        for _ in range(64)
    ]
    store.add(rng.sample(rows, len(rows)))
    claimed = ids(store.claim(by(limit=len(rows))))
    assert drained(queue_of(*rows)) == claimed == ids(sorted(rows, key=claim_order))


def test_of_other_ids_the_one_that_arrived_first_is_taken_first() -> None:
    assert drained(queue_of(waiting("b"), waiting("a"))) == ["b", "a"]


def test_the_due_time_of_a_retry_counts_not_its_scheduled_time() -> None:
    queue = queue_of(
        waiting("again", status=TaskStatus.RETRYING, due_time=NOW + 2 * SECOND),
        waiting("later", scheduled_time=NOW + SECOND),
    )
    assert drained(queue) == ["later", "again"]


def test_peek_leaves_the_execution_where_it_is() -> None:
    one = waiting("one")
    queue = queue_of(one, waiting("two"))
    assert queue.peek() is one
    assert queue.size() == 2
    assert queue.dequeue() is one


def test_an_execution_that_is_enqueued_again_moves_to_its_new_place() -> None:
    queue = queue_of(waiting("a"), waiting("b"))
    urgent = waiting("b", P.CRITICAL)
    queue.enqueue(urgent)
    assert queue.size() == 2
    assert queue.size(P.NORMAL) == 1
    assert queue.peek() is urgent
    queue.enqueue(waiting("b"))
    assert queue.size(P.CRITICAL) == 0
    assert drained(queue) == ["a", "b"]


def test_an_execution_that_is_enqueued_again_unchanged_arrives_last() -> None:
    a = waiting("a")
    queue = queue_of(a, waiting("b"))
    queue.enqueue(a)
    assert drained(queue) == ["b", "a"]


def test_remove_takes_one_execution_or_all_of_a_task() -> None:
    queue = queue_of(
        waiting("a", task_id="t"),
        waiting("b", P.HIGH, task_id="t"),
        waiting("c", task_id="u"),
        waiting("d", task_id="t"),
    )
    assert queue.remove("a")
    assert not queue.remove("a")
    assert ids(queue.snapshot()) == ["b", "c", "d"]
    assert queue.remove("t")
    assert not queue.remove("t")
    assert drained(queue) == ["c"]


def test_an_execution_id_wins_over_a_task_id_of_the_same_name() -> None:
    queue = queue_of(waiting("x", task_id="t"), waiting("y", task_id="x"))
    assert queue.remove("x")
    assert ids(queue.snapshot()) == ["y"]


def test_remove_execution_knows_no_task_ids() -> None:
    queue = queue_of(waiting("a", task_id="t"))
    assert not queue.remove_execution("t")
    assert queue.remove_execution("a")


def test_sizes_and_lists_are_told_by_priority() -> None:
    queue = queue_of(waiting("a", P.LOW, due_time=NOW + SECOND), waiting("b", P.LOW), waiting("c"))
    assert {priority: queue.size(priority) for priority in P} == {
        P.CRITICAL: 0,
        P.HIGH: 0,
        P.NORMAL: 1,
        P.LOW: 2,
        P.BACKGROUND: 0,
    }
    assert ids(queue.get_tasks_by_priority(P.LOW)) == ["b", "a"]
    assert ids(queue.snapshot(limit=2)) == ["c", "b"]
    assert queue.snapshot(limit=0) == []
    with pytest.raises(ValueError, match="5 is not a valid TaskPriority"):
        queue.size(5)  # type: ignore[arg-type]


def test_a_due_time_without_a_zone_is_refused_and_nothing_is_queued() -> None:
    queue = queue_of(waiting("a"))
    naive = datetime.fromisoformat("2030-01-01T00:00:00")
    with pytest.raises(InvalidArguments, match="of execution b has no time zone"):
        queue.enqueue(waiting("b", due_time=naive))
    assert drained(queue) == ["a"]


def test_what_was_taken_out_does_not_pile_up() -> None:
    queue = queue_of(waiting("stays"))
    tracemalloc.start()
    try:
        for n in range(10_000):
            one = waiting(f"e{n}", task_id=f"t{n}", due_time=NOW + SECOND)
            queue.enqueue(one)
            queue.enqueue(replace(one, priority=P.LOW))
            queue.remove(one.task_id)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000  # 100 bytes for each, where one execution alone takes hundreds
    assert drained(queue) == ["stays"]


def test_a_waiting_execution_costs_less_than_400_bytes() -> None:
    number = 10_000
    executions = [waiting(f"e{n}", P(n % 5)) for n in range(number)]
    queue = PriorityTaskQueue()
    tracemalloc.start()
    try:
        for one in executions:
            queue.enqueue(one)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / number < 400


def test_threads_take_each_execution_once() -> None:
    queue = PriorityTaskQueue()
    threads, each = 4, 500
    taken: list[list[str]] = [[] for _ in range(threads)]
    everybody = threading.Barrier(threads)

    def work(me: int) -> None:
        everybody.wait()
        for n in range(each):
            queue.enqueue(waiting(f"{me}-{n}", P(n % 5)))
            queue.remove(f"{me}-{n - 3}")
            if n % 2 and (one := queue.dequeue()) is not None:
                taken[me].append(one.execution_id)

    workers = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    left = drained(queue)
    assert max(Counter([*left, *(one for those in taken for one in those)]).values()) == 1
    assert queue.is_empty()
    assert not any(queue.size(priority) for priority in P)


class Halting(datetime):
    """An instant that stops whoever compares it, until it may go on."""

    reached = threading.Event()
    go_on = threading.Event()

    def __lt__(self, other: Any) -> bool:
        self.reached.set()
        assert self.go_on.wait(10)
        return bool(super().__lt__(other))


@pytest.mark.parametrize("verb", ["dequeue", "peek", "snapshot"])
def test_nobody_sees_a_queue_in_the_middle_of_a_change(verb: str) -> None:
    Halting.reached.clear()
    Halting.go_on.clear()
    queue = queue_of(waiting("later", due_time=NOW + SECOND))
    halting = waiting("first", due_time=Halting.fromtimestamp(NOW.timestamp(), NOW.tzinfo))
    answered = threading.Event()

    def ask() -> None:
        getattr(queue, verb)()
        answered.set()

    threads = [
        threading.Thread(target=queue.enqueue, args=(halting,)),
        threading.Thread(target=ask),
    ]
    threads[0].start()
    assert Halting.reached.wait(10)
    threads[1].start()
    too_early = answered.wait(0.05)
    Halting.go_on.set()
    for thread in threads:
        thread.join()
    assert not too_early


class SortedList(RuleBasedStateMachine):
    """The queue beside a list that is sorted at every question."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = PriorityTaskQueue()
        self.model: list[TaskExecution] = []  # by arrival

    def ordered(self) -> list[TaskExecution]:
        return sorted(self.model, key=lambda one: (one.priority, one.due))

    @rule(
        number=st.integers(0, 9),
        task=st.sampled_from("tuv"),
        priority=st.sampled_from(P),
        seconds=st.integers(0, 3),
    )
    def enqueue(self, number: int, task: str, priority: TaskPriority, seconds: int) -> None:
        one = waiting(f"e{number}", priority, task_id=task, due_time=NOW + seconds * SECOND)
        self.queue.enqueue(one)
        self.model = [old for old in self.model if old.execution_id != one.execution_id]
        self.model.append(one)

    @rule()
    def dequeue(self) -> None:
        first = next(iter(self.ordered()), None)
        assert self.queue.peek() is first
        assert self.queue.dequeue() is first
        self.model = [one for one in self.model if one is not first]

    @rule(name=st.sampled_from([*(f"e{n}" for n in range(10)), *"tuv"]))
    def remove(self, name: str) -> None:
        left = [one for one in self.model if name not in {one.execution_id, one.task_id}]
        assert self.queue.remove(name) == (len(left) < len(self.model))
        self.model = left

    @invariant()
    def both_tell_the_same(self) -> None:
        ordered = self.ordered()
        assert self.queue.snapshot() == ordered
        assert self.queue.size() == len(ordered)
        assert self.queue.is_empty() == (not ordered)
        for priority in P:
            lane = [one for one in ordered if one.priority is priority]
            assert self.queue.get_tasks_by_priority(priority) == lane
            assert self.queue.size(priority) == len(lane)


TestSortedList = SortedList.TestCase
TestSortedList.settings = settings(max_examples=60, deadline=None)
