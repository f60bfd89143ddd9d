"""What the end of an execution makes of those that wait for it, within one exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.dag import resolve
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import (
    DEPENDENCY_TYPES,
    DependencyType,
    TaskDependency,
    TaskExecution,
    TaskStatus,
)
from advanced_scheduler.stores.base import Store

from .rows import MINUTE, NOW, by, done, execution, ids, one, start

ENDS: Final[dict[str, Callable[[TaskExecution], Transition]]] = {
    "completed": done,
    "failed": lambda row: lifecycle.fail(row, error="boom", now=NOW),
    "cancelled": lambda row: lifecycle.cancel(row, now=NOW),
}


def on(key: str, kind: DependencyType = "success", timeout: float | None = None) -> TaskDependency:
    """A dependency on the execution ``key``, or on the next run of ``task:<id>``."""
    task, _, task_id = key.partition(":")
    return TaskDependency(task_id or "t", kind, timeout, None if task_id else task)


def needing(execution_id: str, *dependencies: TaskDependency, **fields: Any) -> TaskExecution:
    """A pending execution that waits for all of these."""
    keys = frozenset(one.key for one in dependencies)
    return execution(execution_id, blocked_by=keys, dependencies=dependencies, **fields)


@pytest.mark.parametrize("kind", DEPENDENCY_TYPES)
@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_is_needed_unblocks_and_any_other_is_told_of(
    store: Store, kind: DependencyType, end: str
) -> None:
    (row,) = start(store, execution("a"))
    store.add([needing("b", on("a", kind))])
    move = ENDS[end](row)
    exchange = store.exchange([move], by())
    after = move.on(row)
    decided = resolve(needing("b", on("a", kind)), {"a": after}, NOW)
    assert decided is not None
    met = decided.target is TaskStatus.PENDING
    assert list(exchange.unblocked) == ids(exchange.claimed) == (["b"] if met else [])
    assert ids(exchange.waiting) == ([] if met else ["b"])
    assert one(store, "b").blocked_by == (frozenset() if met else {"a"})


@pytest.mark.parametrize("first", ["completed", "failed"])
def test_of_two_runs_of_a_task_the_first_to_end_is_waited_for(store: Store, first: str) -> None:
    second = {"completed": "failed", "failed": "completed"}[first]
    one_run, other = start(store, execution("x1"), execution("x2"))
    store.add([needing("d", on("task:t"))])
    exchange = store.exchange([ENDS[first](other), ENDS[second](one_run)], by())
    assert list(exchange.unblocked) == (["d"] if first == "completed" else [])
    assert ids(exchange.waiting) == ([] if first == "completed" else ["d"])


def test_a_chain_takes_one_exchange_for_each_link(store: Store) -> None:
    (row,) = start(store, execution("e0"))
    store.add([needing(f"e{n}", on(f"e{n - 1}")) for n in range(1, 5)])
    for n in range(1, 5):
        (row,) = store.exchange([done(row)], by()).claimed
        assert row.execution_id == f"e{n}"
        assert row.blocked_by == frozenset()


def test_what_waits_for_many_is_not_read_before_it_is_free(store: Store) -> None:
    rows = start(store, *(execution(f"e{n}") for n in range(5)))
    store.add([needing("z", *(on(f"e{n}") for n in range(5)))])
    for count, row in enumerate(rows, 1):
        exchange = store.exchange([done(row)], by())
        assert (list(exchange.unblocked), list(exchange.waiting)) == (["z"], [])
        assert one(store, "z").blocked_by == {f"e{n}" for n in range(count, 5)}
        assert ids(exchange.claimed) == (["z"] if count == 5 else [])


def test_the_next_run_of_a_task_unblocks_as_well(store: Store) -> None:
    (row,) = start(store, execution("a", task_id="u"))
    store.add([needing("b", on("task:u"), on("a"))])
    exchange = store.exchange([done(row)], by())
    assert (list(exchange.unblocked), ids(exchange.claimed)) == (["b"], ["b"])


def test_a_limit_is_kept_as_long_as_something_is_waited_for(store: Store) -> None:
    rows = start(store, execution("a"), execution("b"))
    until = NOW + MINUTE
    store.add([needing("c", on("a", timeout=60), on("b", timeout=60), wait_until=until)])
    store.exchange([done(rows[0])], by())
    assert one(store, "c").wait_until == until
    assert ids(store.stranded(until, 10)) == ["c"]
    store.exchange([done(rows[1])], by(limit=0))
    assert one(store, "c").wait_until is None
    assert store.stranded(until, 10) == []


@pytest.mark.parametrize(
    "dependencies",
    [
        (on("a", "success"), on("x", "completion")),
        (on("a", timeout=5), on("x", timeout=6)),
        (on("a"), on("x", timeout=6)),
    ],
    ids=["types", "time-outs", "one time-out"],
)
def test_what_is_not_plain_is_told_of_and_left_alone(
    store: Store, dependencies: tuple[TaskDependency, ...]
) -> None:
    (row,) = start(store, execution("a"))
    store.add([blocked := needing("z", *dependencies)])
    exchange = store.exchange([done(row)], by())
    assert (list(exchange.unblocked), list(exchange.waiting)) == ([], [blocked])


def test_an_end_that_comes_with_its_opposite_unblocks_and_is_told_of(store: Store) -> None:
    first, second = start(store, execution("a"), execution("b"))
    store.add([needing("z", on("a"), on("b"))])
    exchange = store.exchange([done(first), lifecycle.cancel(second, now=NOW)], by())
    assert list(exchange.unblocked) == ids(exchange.waiting) == ["z"]
    assert exchange.waiting[0].blocked_by == {"b"}


def test_what_was_cancelled_meanwhile_is_not_revived(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.add([blocked := needing("b", on("a"))])
    exchange = store.exchange([lifecycle.cancel(blocked, now=NOW), done(row)], by())
    assert (list(exchange.unblocked), list(exchange.claimed)) == ([], [])
    assert one(store, "b").status is TaskStatus.CANCELLED
