"""Locks on Redis that are given back and taken together: one round trip, and each its own fate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pytest
import redis

from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock, Grant
from advanced_scheduler.locks import redis as redis_locks
from tests.support.servers import RedisServer
from tests.support.waiting import eventually
from tests.unit.locks.faults import Relay, connected

FIFTY = [(f"task {number}", 300.0) for number in range(50)]


@pytest.fixture
def lock(private_redis: RedisServer) -> Iterator[DistributedTaskLock]:
    lock = DistributedTaskLock(private_redis.url)
    yield lock
    lock.close()


@pytest.fixture
def far(relay: Relay) -> Iterator[DistributedTaskLock]:
    """A lock whose line can go bad, connected while it was good."""
    lock = connected(DistributedTaskLock(relay.url, command_deadline=0.3))
    yield lock
    lock.close()


def granted(grants: Sequence[Grant | LockUnavailable | None]) -> list[Grant]:
    assert all(isinstance(grant, Grant) for grant in grants), grants
    return [grant for grant in grants if isinstance(grant, Grant)]


def test_fifty_locks_cost_a_round_trip_to_take_and_one_to_give_back(
    lock: DistributedTaskLock, private_redis: RedisServer
) -> None:
    lock.ping()  # is connected by now
    with redis.Redis.from_url(private_redis.url) as client:
        before = reads(client)
        grants = granted(lock.exchange([], FIFTY).grants)
        for grant in grants:
            lock.keep(grant, lambda _: None)
        kept = lock.exchange(grants, []).kept
        assert reads(client) - before < 10  # a request of some KB may arrive in parts

        assert all(kept)
        assert client.keys("*lock:*") == []


def reads(client: redis.Redis) -> int:
    """How often the server has read from a socket: what is pipelined arrives together."""
    return int(client.info("stats")["total_reads_processed"])


def test_what_is_given_back_can_be_taken_in_the_same_step(lock: DistributedTaskLock) -> None:
    held = lock.try_acquire("a")
    assert held
    lock.keep(held, lambda _: None)

    kept, grants, outage = lock.exchange([held], [("a", 300), ("a", 300), ("b", 300)])

    assert kept == [True]
    assert grants[1] is None
    after, other = granted([grants[0], grants[2]])
    assert after.fence > held.fence
    assert other.task_id == "b"
    assert outage is None


def test_one_that_the_server_refuses_is_no_concern_of_the_others(
    lock: DistributedTaskLock, private_redis: RedisServer
) -> None:
    with redis.Redis.from_url(private_redis.url) as client:
        client.rpush("advanced_scheduler:lock:{odd}", "not a lock")

    grants = lock.exchange([], [("first", 300), ("odd", 300), ("last", 300)]).grants

    assert len(granted([grants[0], grants[2]])) == 2
    assert isinstance(grants[1], LockUnavailable)
    assert "WRONGTYPE" in str(grants[1])


def test_a_server_that_forgets_a_script_in_between_is_told_again(
    lock: DistributedTaskLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "_digest", lambda text: "0" * 40)

    grants = granted(lock.exchange([], FIFTY).grants)

    assert [grant.task_id for grant in grants] == [task_id for task_id, _ in FIFTY]
    assert lock.exchange(grants, []).outage is None
    assert not any(lock.is_locked(task_id) for task_id, _ in FIFTY)


def test_a_user_of_the_server_needs_no_command_but_eval(
    lock: DistributedTaskLock, private_redis: RedisServer
) -> None:
    with redis.Redis.from_url(private_redis.url) as admin:
        admin.acl_setuser(
            "narrow",
            enabled=True,
            passwords=["+secret"],
            keys=["*"],
            commands=["+eval", "+get", "+set", "+del", "+time"],
        )
    narrow = DistributedTaskLock(private_redis.url.replace("://", "://narrow:secret@"))

    grants = granted(narrow.exchange([], FIFTY).grants)

    assert all(lock.fence(grant.task_id) == grant.fence for grant in grants)
    assert narrow.exchange(grants, []).outage is None
    assert not any(lock.is_locked(task_id) for task_id, _ in FIFTY)
    narrow.close()


def test_answers_that_are_lost_leave_no_lock_behind(
    far: DistributedTaskLock, lock: DistributedTaskLock, relay: Relay
) -> None:
    held = far.try_acquire("held")
    assert held
    far.keep(held, lambda _: None)
    relay.line = "loses answers"

    kept, grants, outage = far.exchange([held], [("a", 300), ("b", 300)])

    assert kept == [True]  # nobody else had it until then
    assert [type(grant) for grant in grants] == [LockUnavailable] * 2
    assert grants[0] is not grants[1]
    assert outage is not None
    assert not lock.is_locked("held")
    assert lock.is_locked("a")
    relay.line = "good"
    for task_id in ("a", "b", "held"):
        eventually(partial(lock.try_acquire, task_id), what=f"{task_id} is free")


def test_what_was_granted_without_an_answer_is_ours_at_the_next_exchange(
    far: DistributedTaskLock, lock: DistributedTaskLock, relay: Relay
) -> None:
    relay.line = "loses answers"
    far.exchange([], [("a", 300), ("b", 300)])
    relay.line = "good"
    assert lock.is_locked("a")

    def taken_again() -> list[Grant]:
        grants = far.exchange([], [("a", 300), ("b", 300)]).grants
        return [grant for grant in grants if isinstance(grant, Grant)]

    grants = eventually(taken_again, what="an answer within the deadline")

    assert [lock.fence(grant.task_id) for grant in grants] == [grant.fence for grant in grants]


def test_what_cannot_be_asked_for_is_refused_before_anything_is_done(
    lock: DistributedTaskLock,
) -> None:
    for wrong in (("", 300.0), ("b", 0.0)):
        with pytest.raises(ValueError, match=r"non-empty text|timeout="):
            lock.exchange([], [("a", 300), wrong])
    assert not lock.is_locked("a")


def test_a_release_that_is_put_off_happens_all_the_same(lock: DistributedTaskLock) -> None:
    grant = lock.try_acquire("a")
    assert grant
    lock.keep(grant, lambda _: None)

    assert lock.let_go_later(grant)

    eventually(lambda: not lock.is_locked("a"), what="released")
    assert not lock.let_go_later(grant)
