"""Where the Redis store keeps the executions of other queues and ranks, and who sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from advanced_scheduler import lifecycle
from advanced_scheduler.lifecycle import CLAIMABLE
from advanced_scheduler.models import DEFAULT_QUEUE, ExecutionFilter, TaskStatus
from advanced_scheduler.stores.base import Claim
from advanced_scheduler.stores.redis import RedisStore

from .redis_keys import Raw, key, names
from .rows import EVER, NOW, SECOND, blocked, by, done, execution, finish, ids, one, start

LINE = ExecutionFilter(statuses=CLAIMABLE, order="claim")


def serving(*queues: str) -> Claim:
    """A claim by a node that serves these queues."""
    return by(queues=frozenset(queues))


def test_a_common_execution_is_kept_as_older_nodes_do(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("a"), blocked("b", "a")])
    fields = set(redis_raw.hkeys(key(redis_store, "x:a")))
    assert fields.isdisjoint({b"queue", b"rank", b"extras"})
    assert redis_raw.zrange(key(redis_store, "lane:2"), 0, -1) == [b"a"]
    assert redis_raw.zrange(key(redis_store, "held:2"), 0, -1) == [b"b"]
    assert not redis_raw.exists(key(redis_store, "lanes"))
    assert redis_store.get(["a"]) == [execution("a")]


def test_an_execution_of_another_queue_or_rank_is_where_older_nodes_do_not_look(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    before = names(redis_store, redis_raw)
    rows = [execution("a", queue="mail"), execution("b", rank=-1), blocked("c", "x", rank=3)]
    redis_store.add(rows)
    for name in ("lane:2", "held:2", "aside"):
        assert not redis_raw.exists(key(redis_store, name))
    assert redis_store.get(["a", "b", "c"]) == rows
    claimed = redis_store.claim(by())
    assert ids(claimed) == ["a", "b"]
    redis_store.apply([*map(done, claimed), lifecycle.cancel(rows[2], now=NOW)])
    redis_store.prune(keep=0, before=EVER, older_than=EVER, limit=9)
    assert redis_store.next_due() is None
    assert names(redis_store, redis_raw) == before


def test_queues_of_any_name_are_told_apart(redis_store: RedisStore) -> None:
    odd = ["", "0:mail", "mail", "mail:t", "5:-1:x", "\u00e4 b", "default"]
    for rank, queue in enumerate(odd):
        redis_store.add([execution(f"e{rank}", queue=queue, rank=rank % 2)])
    for rank, queue in enumerate(odd):
        assert ids(redis_store.find(ExecutionFilter(queue=queue))) == [f"e{rank}"]
        assert ids(redis_store.claim(serving(queue))) == [f"e{rank}"]


def test_lanes_are_merged_by_rank_then_due_time_then_id(redis_store: RedisStore) -> None:
    redis_store.add(
        [
            execution("c"),
            execution("b", queue="mail"),
            execution("a", queue="reports", due_time=NOW + SECOND),
            execution("e", queue="mail", rank=1),
            execution("d", rank=1),
            blocked("f", "x", rank=1),
            blocked("g", "x", queue="mail"),
        ]
    )
    assert ids(redis_store.find(LINE)) == ["d", "e", "f", "b", "c", "g", "a"]
    assert ids(redis_store.claim(by(now=NOW + SECOND, limit=4))) == ["d", "e", "b", "c"]
    assert redis_store.next_due() == NOW + SECOND


def test_what_a_node_excludes_is_set_aside_in_every_queue(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution(f"a{n}", task_id="new", queue="mail", rank=2) for n in range(3)])
    redis_store.add([execution("b", queue="mail", rank=2)])
    old = by("old", limit=1, exclude=frozenset({"new"}))
    assert ids(redis_store.claim(old)) == ["b"]
    assert redis_raw.zcard(key(redis_store, "lane:2:2:mail")) == 0
    assert redis_store.next_due() == NOW
    assert ids(redis_store.find(LINE)) == ["a0", "a1", "a2"]

    redis_store.apply([lifecycle.cancel(one(redis_store, "a1"), now=NOW)])
    redis_store.add([execution("a9", task_id="new", queue="mail", rank=2)])
    assert redis_store.claim(serving("default")) == []
    assert ids(redis_store.claim(serving("mail"))) == ["a0", "a2", "a9"]
    assert redis_store.next_due() is None
    assert not redis_raw.exists(key(redis_store, "lanes"))


def test_what_waited_is_claimed_from_its_own_queue(redis_store: RedisStore) -> None:
    redis_store.add([execution("a"), blocked("b", "a", queue="mail", rank=2)])
    (first,) = redis_store.claim(by())
    finish(redis_store, [first])
    redis_store.apply([lifecycle.unblock(one(redis_store, "b"), settled=frozenset({"a"}))])
    assert redis_store.claim(serving("default")) == []
    (claimed,) = redis_store.claim(serving("mail"))
    redis_store.apply([lifecycle.retry(claimed, error="boom", at=NOW)])
    assert redis_store.claim(serving("default")) == []
    assert ids(redis_store.claim(serving("mail"))) == ["b"]


def test_what_an_older_node_has_ended_is_in_nobodys_way(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("a", queue="mail"), execution("b", queue="mail")])
    redis_raw.hset(key(redis_store, "x:a"), "status", TaskStatus.CANCELLED)
    assert ids(redis_store.claim(by(limit=1))) == ["b"]
    assert redis_store.unreadable() == []
    assert redis_store.next_due() is None


def test_what_an_older_node_has_unblocked_and_ended_is_not_in_the_line(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([blocked("a", "x", queue="mail"), blocked("b", "x", queue="mail")])
    redis_raw.hset(key(redis_store, "x:a"), "status", TaskStatus.COMPLETED)
    redis_raw.zadd(key(redis_store, "lane:2"), {"b": 0})
    line = ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=1)
    assert ids(redis_store.find(line)) == ["b"]
    assert ids(redis_store.find(LINE)) == ["b"]


def test_what_an_older_node_has_unblocked_goes_back_to_its_queue(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("a", queue="mail"), execution("b", rank=1), execution("c")])
    for name in ("lane:2:0:mail", "lane:2:1:default"):
        redis_raw.delete(key(redis_store, name))
    redis_raw.zadd(key(redis_store, "lane:2"), {"a": 0, "b": 0})
    assert ids(redis_store.claim(serving("default"))) == ["c"]
    assert ids(redis_store.claim(serving("default"))) == ["b"]
    assert ids(redis_store.claim(serving("mail"))) == ["a"]


def test_an_execution_that_nobody_can_read_goes_back_to_its_queue(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.add([execution("a", queue="mail", rank=5), execution("b", queue="mail")])
    redis_raw.hset(key(redis_store, "x:a"), "extras", "{")
    assert ids(redis_store.claim(serving("mail"))) == ["b"]
    assert redis_raw.zrange(key(redis_store, "lane:2:5:mail"), 0, -1) == [b"a"]
    assert [parked.id for parked in redis_store.unreadable()] == ["a"]


def test_a_page_of_a_queue_is_read_from_its_own_index(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    start(redis_store, execution("a", queue="mail"), execution("b"))
    redis_store.add([execution("c", queue="mail")])
    assert redis_raw.zrange(key(redis_store, "queue:mail"), 0, -1) == [b"a", b"c"]
    found = redis_store.find(ExecutionFilter(queue="mail", statuses=CLAIMABLE))
    assert ids(found) == ["c"]


def test_an_exchange_that_finds_less_than_wanted_tells_what_is_due_next(
    redis_store: RedisStore,
) -> None:
    """Of all queues and tasks, as ``next_due`` does: so a node need not ask for it."""

    def told(**claim: Any) -> tuple[bool, datetime | None]:
        found = redis_store.exchange([], by(**claim))
        return found.looked_ahead, found.next_due

    assert told() == (True, None)
    redis_store.add([execution("a"), execution("b"), execution("c", scheduled_time=EVER)])
    assert told(limit=2) == (False, None)
    assert told(limit=0) == (False, None)
    assert told() == (True, EVER)
    redis_store.add([execution("d", task_id="u"), execution("e", queue="mail")])
    assert told(exclude=frozenset("u"), queues=frozenset([DEFAULT_QUEUE])) == (True, NOW)
    assert redis_store.next_due() == NOW
