"""What the Redis store makes of rows that are damaged, or not for every node."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.lifecycle import CLAIMABLE
from advanced_scheduler.models import ExecutionFilter, TaskPriority
from advanced_scheduler.stores.redis import RedisStore
from advanced_scheduler.stores.rows import Reader

from .redis_keys import Raw, contents, key
from .rows import (
    DAY,
    EVER,
    MINUTE,
    NOW,
    SECOND,
    blocked,
    by,
    execution,
    finish,
    firing,
    ids,
    one,
    schedule,
    start,
    tick,
)

Damage: TypeAlias = Callable[[Raw, str], Any]


DAMAGES: dict[str, Damage] = {
    "an unknown status": lambda raw, name: raw.hset(name, "status", "odd"),
    "no status": lambda raw, name: raw.hdel(name, "status"),
    "an unknown priority": lambda raw, name: raw.hset(name, "priority", "7"),
    "no task": lambda raw, name: raw.hdel(name, "task_id"),
    "no name": lambda raw, name: raw.hdel(name, "task_name"),
    "a due time that is no number": lambda raw, name: raw.hset(name, "due_time", "soon"),
    "a due time that is not a number": lambda raw, name: raw.hset(name, "due_time", "nan"),
    "no scheduled time": lambda raw, name: raw.hdel(name, "scheduled_time"),
    "a fence that is no number": lambda raw, name: raw.hset(name, "fence", "many"),
    "an attempt that is no number": lambda raw, name: raw.hset(name, "attempt", "many"),
    "a count that is no number": lambda raw, name: raw.hset(name, "crashes", "many"),
    "a rank that is no number": lambda raw, name: raw.hset(name, "rank", "many"),
    "a rank that is no whole number": lambda raw, name: raw.hset(name, "rank", "0.5"),
    "arguments that are no JSON": lambda raw, name: raw.hset(name, "args", "{"),
    "a text that is not UTF-8": lambda raw, name: raw.hset(name, "task_name", b"\xff"),
    "another type": lambda raw, name: raw.delete(name) and raw.set(name, "odd"),
    "nothing": lambda raw, name: raw.delete(name),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_execution_is_left_as_it_is_and_stops_no_other(
    redis_store: RedisStore, redis_raw: Raw, what: str
) -> None:
    redis_store.add([execution(name, reason="r") for name in ("a", "b", "c")])
    damaged = key(redis_store, "x:a")
    whole = redis_raw.dump(damaged) or b""
    DAMAGES[what](redis_raw, damaged)
    left = contents(redis_raw, damaged)
    assert ids(redis_store.claim(by(limit=1))) == ["b"]
    assert contents(redis_raw, damaged) == left
    assert ids(redis_store.find(ExecutionFilter(statuses=CLAIMABLE, order="claim"))) == ["c"]
    assert ids(redis_store.find(ExecutionFilter(limit=2))) == ["c", "b"]
    assert ids(redis_store.exchange([], by(limit=2)).claimed) == ["c"]
    assert finish(redis_store, redis_store.get(["b", "c"])) == [True, True]
    assert contents(redis_raw, damaged) == left
    ((kind, name),) = {(parked.kind, parked.id) for parked in redis_store.unreadable()}
    assert (kind, name) == ("execution", "a")

    redis_raw.delete(damaged)
    redis_raw.restore(damaged, 0, whole)  # somebody repairs it, and a minute later
    redis_store._executions._skipped = {}
    assert ids(redis_store.claim(by())) == ["a"]
    assert redis_store.unreadable() == []


def test_what_was_unreadable_is_tried_again_after_a_minute(
    redis_store: RedisStore, redis_raw: Raw, clock: ManualClock
) -> None:
    redis_store._executions = Reader("execution", redis_store._executions._codec, clock)
    redis_store.add([execution("a", args=(1,))])
    redis_raw.hset(key(redis_store, "x:a"), "args", "{")
    assert redis_store.claim(by()) == []
    redis_raw.hset(key(redis_store, "x:a"), "args", "[1]")
    assert redis_store.claim(by()) == []
    clock.advance(seconds=61)
    assert [row.args for row in redis_store.claim(by())] == [(1,)]


def test_a_damaged_upstream_or_blocked_execution_hides_no_stranded_one(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("up"), blocked("a", "gone"), blocked("b", "up", "gone")])
    redis_raw.hset(key(redis_store, "x:a"), "tags", "{")
    redis_raw.hset(key(redis_store, "x:up"), "status", "odd")
    assert ids(redis_store.stranded(NOW, 1)) == ["b"]
    assert ids(redis_store.dependents(["gone", "up"])) == ["b"]


def test_an_expired_lease_of_a_damaged_execution_hides_no_other(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    start(redis_store, execution("a"), execution("b"))
    redis_raw.hset(key(redis_store, "x:a"), "metrics", "{")
    assert ids(redis_store.expired(EVER, 1)) == ["b"]
    assert redis_store.newest(["t"])["t"].execution_id == "b"


def test_an_ended_execution_whose_status_is_unknown_is_not_pruned(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    finish(redis_store, start(redis_store, execution("a"), execution("b")))
    redis_raw.hset(key(redis_store, "x:a"), "status", "odd")
    assert redis_store.prune(keep=0, before=EVER, older_than=EVER, limit=1) == 1
    assert redis_raw.exists(key(redis_store, "x:a"), key(redis_store, "x:b")) == 1
    assert redis_raw.hget(key(redis_store, "x:a"), "status") == b"odd"


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw, name: raw.hset(name, "trigger", "{"),
        lambda raw, name: raw.hdel(name, "task_id"),
        lambda raw, name: raw.hset(name, "overlap", "odd"),
        lambda raw, name: raw.delete(name) and raw.set(name, "odd"),
    ],
)
def test_a_damaged_schedule_stops_no_other(
    redis_store: RedisStore, redis_raw: Raw, damage: Damage
) -> None:
    for name in ("a", "b"):
        redis_store.put(schedule(name), expected=None)
    damage(redis_raw, key(redis_store, "s:a"))
    left = contents(redis_raw, key(redis_store, "s:a"))
    assert [found.schedule_id for found in redis_store.due(NOW, 1)] == ["b"]
    assert [found.schedule_id for found in redis_store.schedules()] == ["b"]
    assert not redis_store.put(schedule("a"), expected=None)
    assert redis_store.fire([firing("b")]) == [True]
    assert contents(redis_raw, key(redis_store, "s:a")) == left
    assert [(parked.kind, parked.id) for parked in redis_store.unreadable()] == [("schedule", "a")]


def test_a_time_beyond_all_calendars_is_what_is_next_and_no_error(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("a")])
    redis_store.put(schedule(), expected=None)
    redis_raw.zadd(key(redis_store, f"lane:{TaskPriority.NORMAL:d}"), {"a": -9e18})
    redis_raw.zadd(key(redis_store, "due"), {"s": "inf"})
    assert redis_store.next_due() == datetime.min.replace(tzinfo=UTC)
    assert redis_store.next_fire() == datetime.max.replace(tzinfo=UTC)


def test_an_unreadable_tick_hides_no_other(redis_store: RedisStore, redis_raw: Raw) -> None:
    redis_store.put(schedule(), expected=None)
    redis_store.fire([firing(), firing(expected=NOW + MINUTE)])
    first = min(redis_raw.keys(key(redis_store, "tick:*")))
    redis_raw.hset(first, "outcome", "odd")
    assert redis_store.ticks("s", NOW, NOW + DAY) == [tick(instant=NOW + MINUTE)]


def test_what_a_node_excludes_is_in_nobodys_way_and_still_counts(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution(f"a{n}", task_id="new") for n in range(3)])
    redis_store.add([execution("b"), execution("c", due_time=NOW - SECOND)])
    old = by("old", limit=1, exclude=frozenset({"new"}))
    assert ids(redis_store.claim(old)) == ["c"]
    assert ids(redis_store.claim(old)) == ["b"]
    assert redis_raw.zcard(key(redis_store, "lane:2")) == 0
    assert redis_store.next_due() == NOW
    line = ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=2)
    assert ids(redis_store.find(line)) == ["a0", "a1"]

    redis_store.apply([lifecycle.cancel(one(redis_store, "a1"), now=NOW)])
    redis_store.add([execution("d"), execution("a9", task_id="new")])
    assert ids(redis_store.claim(by("new", limit=3))) == ["a0", "a2", "a9"]
    assert ids(redis_store.claim(by("new"))) == ["d"]
    assert redis_store.next_due() is None
    assert redis_raw.keys(key(redis_store, "aside*")) == []
