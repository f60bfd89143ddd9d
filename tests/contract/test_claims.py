"""Who gets which execution, and when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from advanced_scheduler import lifecycle
from advanced_scheduler.lifecycle import CLAIMABLE
from advanced_scheduler.models import ExecutionFilter, Pauses, TaskPriority, TaskStatus
from advanced_scheduler.stores.base import Store

from .rows import DAY, MINUTE, NOW, SECOND, blocked, by, done, execution, finish, ids, one, start


def test_a_claim_writes_what_the_state_machine_says(store: Store) -> None:
    store.add([execution("a", reason="waits for 'u'")])
    (row,) = store.claim(by("n1"))
    assert row == one(store, "a")
    assert row == execution("a").with_changes(
        lifecycle.claim(execution("a"), node="n1", now=NOW, lease_until=NOW + MINUTE)
    )


def test_claims_go_by_priority_then_due_time_then_id(store: Store) -> None:
    store.add(
        [
            execution("low", priority=TaskPriority.LOW, scheduled_time=NOW - DAY),
            execution("b"),
            execution("a"),
            execution("older", due_time=NOW - MINUTE),
            execution("critical", priority=TaskPriority.CRITICAL),
            execution("later", priority=TaskPriority.CRITICAL, due_time=NOW + MINUTE),
        ]
    )
    assert ids(store.claim(by(limit=4))) == ["critical", "older", "a", "b"]
    assert ids(store.claim(by())) == ["low"]
    assert store.claim(by()) == []
    assert ids(store.claim(by(now=NOW + MINUTE))) == ["later"]


def test_of_equal_priority_the_higher_rank_goes_first(store: Store) -> None:
    store.add(
        [
            execution("older", due_time=NOW - DAY),
            execution("last", rank=-1000),
            execution("b", rank=7),
            execution("a", rank=7),
            execution("earlier", rank=7, due_time=NOW - SECOND),
            execution("first", rank=1000),
            execution("delayed", rank=8, due_time=NOW + MINUTE),
            execution("high", priority=TaskPriority.HIGH, rank=-5),
        ]
    )
    assert store.next_due() == NOW - DAY
    assert ids(store.claim(by(limit=4))) == ["high", "first", "earlier", "a"]
    assert ids(store.claim(by())) == ["b", "older", "last"]
    assert store.next_due() == NOW + MINUTE
    assert ids(store.claim(by(now=NOW + MINUTE))) == ["delayed"]
    assert store.next_due() is None


def test_a_node_claims_from_the_queues_that_it_serves(store: Store) -> None:
    store.add(
        [
            execution("a"),
            execution("b", queue="reports"),
            execution("c", queue="mail"),
            execution("d", queue="reports", priority=TaskPriority.HIGH),
        ]
    )
    assert store.claim(by(queues=frozenset())) == []
    assert ids(store.claim(by(queues=frozenset({"reports"}), limit=1))) == ["d"]
    assert ids(store.claim(by(queues=frozenset({"reports", "mail", "none"})))) == ["b", "c"]
    assert ids(store.claim(by())) == ["a"]


def test_queues_and_excluded_tasks_go_together(store: Store) -> None:
    store.add(
        [
            execution("a", queue="mail", task_id="gone"),
            execution("b", queue="mail"),
            execution("c", task_id="gone"),
            execution("d"),
        ]
    )
    claim = by(limit=1, queues=frozenset({"mail"}), exclude=frozenset({"gone"}))
    assert ids(store.claim(claim)) == ["b"]
    assert store.claim(claim) == []


def test_due_time_overrides_the_scheduled_time(store: Store) -> None:
    store.add([execution("a", scheduled_time=NOW - DAY, due_time=NOW + SECOND)])
    assert store.claim(by()) == []
    assert ids(store.claim(by(now=NOW + SECOND))) == ["a"]


def test_a_claim_of_nothing_takes_nothing(store: Store) -> None:
    store.add([execution("a")])
    assert store.claim(by(limit=0)) == []
    assert one(store, "a").status is TaskStatus.PENDING


def test_blocked_rows_are_not_claimed(store: Store) -> None:
    store.add([blocked("a", "x")])
    assert store.claim(by()) == []


def test_excluded_tasks_stay_for_other_nodes(store: Store) -> None:
    store.add([execution("a", task_id="gone"), execution("b"), execution("c", task_id="gone")])
    assert ids(store.claim(by("n1", exclude=frozenset({"gone"})))) == ["b"]
    assert ids(store.claim(by("n2", limit=1))) == ["a"]
    assert ids(store.claim(by("n2"))) == ["c"]


def test_excluded_tasks_do_not_use_up_the_limit(store: Store) -> None:
    store.add([execution(f"a{n}", task_id="gone") for n in range(20)] + [execution("b")])
    assert ids(store.claim(by(limit=1, exclude=frozenset({"gone", "other"})))) == ["b"]


def test_many_delayed_rows_do_not_hide_a_due_one(store: Store) -> None:
    store.add(
        [
            execution(f"a{n:03}", priority=TaskPriority.CRITICAL, due_time=NOW + DAY)
            for n in range(300)
        ]
    )
    store.add([execution("b", priority=TaskPriority.BACKGROUND)])
    assert ids(store.claim(by(limit=1))) == ["b"]


def test_two_nodes_never_claim_the_same_row(store: Store) -> None:
    store.add([execution(f"e{n:03}") for n in range(200)])

    def work(node: str) -> list[str]:
        taken: list[str] = []
        while rows := store.claim(by(node, limit=7)):
            taken += ids(rows)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [one_id for part in pool.map(work, "abcd") for one_id in part]
    assert sorted(taken) == [f"e{n:03}" for n in range(200)]


def test_exchanges_of_many_threads_complete_each_row_once(store: Store) -> None:
    store.add([execution(f"e{n:03}") for n in range(200)])

    def work(node: str) -> int:
        applied = 0
        rows = store.claim(by(node, limit=5))
        while rows:
            exchange = store.exchange([done(row) for row in rows], by(node, limit=5))
            applied += sum(exchange.applied)
            rows = list(exchange.claimed)
        return applied

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, "abcd")) == 200
    assert {row.attempt for row in store.get([f"e{n:03}" for n in range(200)])} == {1}


def test_next_due_is_the_earliest_unblocked_row_past_or_future(store: Store) -> None:
    assert store.next_due() is None
    store.add(
        [
            blocked("a", "x", scheduled_time=NOW - DAY),
            execution("b", scheduled_time=NOW + DAY),
            execution("c", priority=TaskPriority.LOW, due_time=NOW + MINUTE),
        ]
    )
    assert store.next_due() == NOW + MINUTE
    store.claim(by(now=NOW + MINUTE))
    assert store.next_due() == NOW + DAY
    store.apply([lifecycle.cancel(one(store, "b"), now=NOW)])
    assert store.next_due() is None


def test_a_retry_is_claimed_at_its_time(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.apply([lifecycle.retry(row, error="boom", at=NOW + MINUTE)])
    assert store.claim(by()) == []
    assert store.next_due() == NOW + MINUTE
    (again,) = store.claim(by(now=NOW + MINUTE))
    assert (again.attempt, again.fence, again.error) == (2, 2, "boom")


def test_a_row_that_was_given_back_keeps_its_fence_but_not_its_attempt(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.apply([lifecycle.give_back(row, due=NOW + MINUTE, reason="the lock is busy")])
    assert store.claim(by()) == []
    (again,) = store.claim(by(now=NOW + MINUTE))
    assert (again.attempt, again.fence) == (1, 2)
    assert finish(store, [row]) == [False]


def test_a_row_whose_due_time_moves_back_and_forth_is_claimed_once(store: Store) -> None:
    store.add([execution("a")])
    for due in (NOW + DAY, NOW, NOW + DAY, NOW):
        store.apply([lifecycle.expedite(one(store, "a"), due=due)])
    assert ids(store.claim(by())) == ["a"]
    assert store.claim(by()) == []


def test_what_is_reordered_is_claimed_in_its_new_place_alone(store: Store) -> None:
    names = ("a", "b", "c", "d")
    waits = execution("w", queue="mail", blocked_by=frozenset({"x"}))
    store.add([*(execution(name, queue="mail" if name == "b" else "default") for name in names)])
    store.add([waits])
    moves = {"d": (TaskPriority.HIGH, 0), "c": (TaskPriority.NORMAL, 5)}
    moves |= {"b": (TaskPriority.LOW, -5), "w": (TaskPriority.CRITICAL, 9)}
    for name, (priority, rank) in moves.items():
        move = lifecycle.reorder(one(store, name), priority=priority, rank=rank)
        assert store.apply([move]) == [True]
        assert (one(store, name).priority, one(store, name).rank) == (priority, rank)
    counts = {priority: number for (_, priority), number in store.counts().items() if number}
    assert counts == {**dict.fromkeys(list(TaskPriority)[:4], 1), TaskPriority.NORMAL: 2}
    in_order = store.find(ExecutionFilter(statuses=CLAIMABLE, order="claim"))
    assert ids(in_order) == ["w", "d", "c", "a", "b"]
    assert [ids(store.claim(by(limit=1))) for _ in range(5)] == [["d"], ["c"], ["a"], ["b"], []]
    late = lifecycle.reorder(one(store, "a"), priority=TaskPriority.LOW, rank=0)
    assert store.apply([late]) == [False]
    store.apply([lifecycle.unblock(waits, settled=frozenset({"x"}))])
    assert ids(store.claim(by())) == ["w"]


def test_nothing_is_taken_from_a_queue_that_is_paused(store: Store) -> None:
    store.add(
        [execution("mail", queue="mail"), execution("plain"), execution("post", queue="post")]
    )
    paused = Pauses(queues=frozenset({"mail", "default"}))
    assert ids(store.claim(by(pauses=paused))) == ["post"]
    serves = frozenset({"mail", "default"})
    pauses = Pauses(queues=frozenset({"mail"}))
    assert ids(store.claim(by(queues=serves, pauses=pauses))) == ["plain"]
    assert ids(store.claim(by())) == ["mail"]


def test_nothing_is_taken_of_a_priority_that_is_paused(store: Store) -> None:
    rows = [execution(one.name, priority=one) for one in TaskPriority]
    store.add([*rows, execution("ranked", priority=TaskPriority.HIGH, rank=5)])
    paused = Pauses(priorities=frozenset({TaskPriority.CRITICAL, TaskPriority.HIGH}))
    taken = ids(store.claim(by(pauses=paused)))
    assert taken == ["NORMAL", "LOW", "BACKGROUND"]
    assert ids(store.claim(by())) == ["CRITICAL", "ranked", "HIGH"]
