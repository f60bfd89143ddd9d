"""Compare and set: what applies, what is refused, and what it sets free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advanced_scheduler import lifecycle
from advanced_scheduler.models import TaskStatus, attempts_of
from advanced_scheduler.stores.base import Store

from .rows import (
    DAY,
    EVER,
    MINUTE,
    NOW,
    SECOND,
    blocked,
    by,
    done,
    execution,
    finish,
    ids,
    one,
    start,
)


def test_an_applied_transition_writes_exactly_its_changes(store: Store) -> None:
    (row,) = start(store, execution("a", args=(1,), tags=("x",)))
    move = lifecycle.complete(row, result={"n": 1}, metrics={"execution_time": 2.0}, now=NOW)
    assert store.apply([move]) == [True]
    assert one(store, "a") == move.on(row)


def test_the_attempts_before_the_last_lie_with_the_row(store: Store) -> None:
    (row,) = start(store, execution("a", extras={"metadata": {"of": "ada"}}))
    store.apply(
        [lifecycle.retry(row, error="ValueError: é", at=NOW, now=NOW, backoff="fixed: 0 s")]
    )
    (row,) = store.claim(by("n2"))
    store.apply([lifecycle.recover(row, now=NOW, max_crashes=3)])
    (row,) = store.claim(by("n3"))
    assert row.extras["metadata"] == {"of": "ada"}
    store.apply([done(row)])
    told = [(each["attempt"], each["outcome"], each["node"]) for each in attempts(store, "a")]
    assert told == [(1, "failed", "node"), (2, "lost", "n2"), (3, "completed", "n3")]
    assert attempts(store, "a")[0] == {
        "attempt": 1,
        "outcome": "failed",
        "node": "node",
        "started": NOW.isoformat(),
        "ended": NOW.isoformat(),
        "error": "ValueError: é",
        "due": NOW.isoformat(),
        "delay": 0.0,
        "backoff": "fixed: 0 s",
    }


def test_what_completed_at_once_has_nothing_more_than_its_node(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.apply([done(row)])
    after = one(store, "a")
    assert (after.node, dict(after.extras)) == ("node", {})


def test_what_ended_under_an_older_version_has_no_node_and_can_be_read(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.apply([lifecycle.annotate(done(row), node=None)])
    (told,) = attempts(store, "a")
    assert (told["outcome"], told.get("node")) == ("completed", None)


def attempts(store: Store, execution_id: str) -> list[Mapping[str, Any]]:
    return attempts_of(one(store, execution_id))


def test_a_transition_of_an_unknown_row_is_refused(store: Store) -> None:
    assert store.apply([lifecycle.cancel(execution("a"), now=NOW)]) == [False]


def test_what_has_ended_never_changes(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.apply([done(row, result="first")])
    late = [done(row, result="second"), lifecycle.cancel(row, now=NOW)]
    assert store.apply(late) == [False, False]
    assert (one(store, "a").status, one(store, "a").result) == (TaskStatus.COMPLETED, "first")


def test_a_late_holder_loses(store: Store) -> None:
    (old,) = start(store, execution("a"))
    later = NOW + 2 * MINUTE
    (lost,) = store.expired(later, 10)
    assert store.apply([lifecycle.recover(lost, now=later, max_crashes=3)]) == [True]
    (new,) = store.claim(by("n2", now=later))

    assert store.extend("node", {"a": old.fence}, EVER) == set()
    assert store.apply([done(old, result="old")]) == [False]
    assert store.apply([done(new, result="new")]) == [True]
    assert (one(store, "a").result, one(store, "a").attempt) == ("new", 2)


def test_cancelling_beats_the_node_that_runs_it(store: Store) -> None:
    (row,) = start(store, execution("a"))
    assert store.apply([lifecycle.cancel(row, now=NOW), done(row)]) == [True, False]
    assert store.extend("node", {"a": row.fence}, EVER) == set()


def test_a_batch_behaves_as_a_sequence(store: Store) -> None:
    row, other = start(store, execution("a"), execution("b"))
    batch = [
        done(other),
        lifecycle.give_back(row, due=NOW + DAY, reason="first"),
        done(row),
        lifecycle.expedite(row, due=NOW + MINUTE),
        lifecycle.cancel(row, now=NOW, reason="last"),
        lifecycle.expedite(row, due=NOW),
    ]
    assert store.apply(batch) == [True, True, False, True, True, False]
    after = one(store, "a")
    assert (after.status, after.reason, after.due_time) == (
        TaskStatus.CANCELLED,
        "last",
        NOW + MINUTE,
    )


def test_a_refused_transition_does_not_hold_up_the_others(store: Store) -> None:
    first, second = start(store, execution("a"), execution("b"))
    finish(store, [first])
    assert finish(store, [first, second]) == [False, True]


def test_an_exchange_applies_before_it_claims(store: Store) -> None:
    (row,) = start(store, execution("a"))
    back = lifecycle.give_back(row, due=NOW, reason="again")
    exchange = store.exchange([back], by("n2"))
    assert (list(exchange.applied), ids(exchange.claimed)) == ([True], ["a"])
    assert exchange.claimed[0].node == "n2"


def test_an_exchange_tells_who_waited_for_what_ended_in_it(store: Store) -> None:
    first, second = start(store, execution("a"), execution("b", task_id="u"))
    store.add(
        [
            blocked("by-id", "a", "z"),
            blocked("by-task", "task:u"),
            blocked("other", "z"),
        ]
    )
    exchange = store.exchange([done(first), done(second)], by())
    assert ids(exchange.waiting) == ["by-id", "by-task"]
    assert exchange.waiting[0].blocked_by == {"a", "z"}


def test_an_exchange_in_which_nothing_ended_tells_of_nobody(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.add([blocked("b", "a")])
    retry = lifecycle.retry(row, error="boom", at=NOW)
    assert store.exchange([retry], by()).waiting == []
    assert store.exchange([done(row)], by()).waiting == []


def test_a_row_is_free_when_its_last_key_is_settled(store: Store) -> None:
    row = blocked("a", "x", "y", "task:z")
    store.add([row])
    assert store.apply([lifecycle.unblock(row, settled=frozenset({"x"}))]) == [True]
    assert one(store, "a").blocked_by == {"y", "task:z"}
    assert store.claim(by()) == []
    both = [lifecycle.unblock(row, settled=frozenset({key, "x"})) for key in ("y", "task:z")]
    assert store.apply(both) == [True, True]
    assert ids(store.claim(by())) == ["a"]


def test_dependents_are_the_rows_that_a_key_still_blocks(store: Store) -> None:
    rows = [blocked("b", "x", "y"), blocked("a", "x"), blocked("c", "task:t")]
    store.add(rows)
    assert ids(store.dependents(["x"])) == ["a", "b"]
    assert ids(store.dependents(["y", "task:t", "x"])) == ["a", "b", "c"]
    assert store.dependents([]) == []
    store.apply(
        [lifecycle.unblock(rows[0], settled=frozenset({"x"})), lifecycle.cancel(rows[1], now=NOW)]
    )
    assert store.dependents(["x"]) == []
    assert ids(store.dependents(["y"])) == ["b"]


def test_a_skipped_row_blocks_and_is_blocked_no_more(store: Store) -> None:
    row = blocked("a", "x")
    store.add([row])
    skip = lifecycle.skip(row, reason="x failed", cause="x", now=NOW)
    assert store.apply([skip]) == [True]
    assert store.dependents(["x"]) == []
    assert one(store, "a") == skip.on(row)


def test_extend_answers_what_is_still_held(store: Store) -> None:
    held, ended, _ = start(store, execution("a"), execution("b"), execution("c"))
    finish(store, [ended])
    asked = {"a": held.fence, "b": ended.fence, "c": 7, "unknown": 1}
    assert store.extend("node", asked, NOW + DAY) == {"a"}
    assert store.extend("other", {"a": held.fence}, EVER) == set()
    assert one(store, "a").lease_until == NOW + DAY
    assert one(store, "c").lease_until == NOW + MINUTE


def test_expired_are_running_rows_with_the_oldest_lease_first(store: Store) -> None:
    store.add([execution(name) for name in ("a", "b", "c")])
    for seconds in (3, 1, 2):
        store.claim(by(limit=1, now=NOW + seconds * SECOND))
    store.add([execution("pending")])
    assert store.expired(NOW + MINUTE, 10) == []
    assert ids(store.expired(NOW + MINUTE + 2 * SECOND, 10)) == ["b", "c"]
    assert ids(store.expired(EVER, 2)) == ["b", "c"]
    (first,) = page = store.expired(EVER, 1)
    assert ids(page + store.expired(EVER, 10, first)) == ["b", "c", "a"]
    finish(store, store.get(["b"]))
    assert ids(store.expired(EVER, 10)) == ["c", "a"]


def test_a_row_is_stranded_when_its_upstream_has_ended_or_is_gone(store: Store) -> None:
    (row,) = start(store, execution("a"))
    store.add([blocked("b", "a"), blocked("c", "gone", "a")])
    assert ids(store.stranded(NOW, 10)) == ["c"]
    finish(store, [row])
    assert ids(store.stranded(NOW, 10)) == ["b", "c"]
    assert ids(store.stranded(NOW, 1)) == ["b"]


def test_a_row_is_stranded_when_its_time_is_up(store: Store) -> None:
    start(store, execution("a"))
    store.add([blocked("b", "a", wait_until=NOW + MINUTE), blocked("c", "a")])
    assert store.stranded(NOW, 10) == []
    assert ids(store.stranded(NOW + MINUTE, 10)) == ["b"]


def test_only_a_later_run_of_a_task_ends_the_wait_for_its_next_one(store: Store) -> None:
    finish(store, start(store, execution("a", task_id="up")))
    store.add([blocked("b", "task:up"), execution("0", scheduled_time=NOW + DAY)])
    assert store.stranded(NOW, 10) == []
    rows = start(store, execution("c", task_id="up"))
    assert store.stranded(NOW, 10) == []
    finish(store, rows)
    assert ids(store.stranded(NOW, 10)) == ["b"]
