"""What a lock refuses, and how it says so."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
import redis
import redis.asyncio

from advanced_scheduler.errors import ConfigurationError, LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock
from tests.support.servers import RedisServer


@pytest.mark.parametrize("timeout", [0, -1, -0.001, math.nan, math.inf, "5", None, True, 1e12])
def test_a_timeout_that_cannot_be_is_refused_with_its_value(timeout: Any) -> None:
    lock = DistributedTaskLock()

    for attempt in (
        lambda: lock.acquire("t", timeout=timeout),
        lambda: lock.try_acquire("t", timeout),
        lambda: lock.extend("t", "id", timeout=timeout),
    ):
        with pytest.raises(ValueError, match="timeout=") as refused:
            attempt()
        assert repr(timeout) in str(refused.value)
    assert not lock.is_locked("t")


@pytest.mark.parametrize("task_id", ["", None, 7, b"t"])
def test_a_task_id_must_be_a_text(task_id: Any) -> None:
    lock = DistributedTaskLock()

    for attempt in (
        lambda: lock.acquire(task_id),
        lambda: lock.release(task_id, "id"),
        lambda: lock.is_locked(task_id),
        lambda: lock.get_lock_ttl(task_id),
        lambda: lock.fence(task_id),
        lambda: lock.force_release(task_id),
    ):
        with pytest.raises(ValueError, match="non-empty text"):
            attempt()


@pytest.mark.parametrize("lock_id", ["", None])
def test_a_release_without_a_lock_id_never_frees_the_lock_of_another(lock_id: Any) -> None:
    lock = DistributedTaskLock()
    lock.acquire("t")

    with pytest.raises(ValueError, match="non-empty text"):
        lock.release("t", lock_id)

    assert lock.is_locked("t")


@pytest.mark.parametrize(
    "wrong",
    [{"retry_delay": 0}, {"retry_delay": math.nan}, {"max_wait": -1}, {"max_wait": math.nan}],
)
def test_waiting_times_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DistributedTaskLock().acquire("t", **wrong)


@pytest.mark.parametrize("deadline", [0, -3, math.nan])
def test_the_deadline_of_a_command_must_be_above_zero(deadline: float) -> None:
    with pytest.raises(ValueError, match="command_deadline"):
        DistributedTaskLock(command_deadline=deadline)


@pytest.mark.parametrize("address", ["localhost", "http://:secret@host", "redis://:secret/x@h:1"])
def test_a_bad_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://localhost:6379/0") as refused:
        DistributedTaskLock(address)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("client", [redis.asyncio.Redis(), 6379, object()])
def test_only_a_client_that_blocks_is_taken(client: Any) -> None:
    with pytest.raises(ConfigurationError, match=type(client).__qualname__):
        DistributedTaskLock(client)


def test_locks_live_in_one_place() -> None:
    store: Any = object()

    with pytest.raises(ConfigurationError, match="one place"):
        DistributedTaskLock("redis://localhost", store=store)


@pytest.mark.parametrize("prefix", ["{app}:", "a{", "a}"])
def test_a_prefix_must_not_decide_the_slot(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="brace"):
        DistributedTaskLock("redis://localhost", prefix=prefix)


def test_a_missing_redis_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "advanced_scheduler.locks.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'advanced-scheduler\[redis\]'"):
        DistributedTaskLock("redis://localhost")


def test_the_password_is_that_of_the_url_or_the_client(private_redis: RedisServer) -> None:
    with redis.Redis(port=private_redis.port) as admin:
        admin.config_set("requirepass", "secret")
    address = f"127.0.0.1:{private_redis.port}/0"
    by_url = DistributedTaskLock(f"redis://:secret@{address}")
    with redis.Redis(port=private_redis.port, password="secret", decode_responses=True) as client:
        by_client = DistributedTaskLock(client)

    grant = by_url.try_acquire("t")

    assert grant
    assert by_client.fence("t") == grant.fence
    assert by_client.release("t", grant.lock_id)
    with pytest.raises(LockUnavailable) as refused:
        DistributedTaskLock(f"redis://:wrong-secret@{address}").ping()
    assert "wrong-secret" not in str(refused.value)


def test_the_client_of_the_caller_is_left_alone(redis_client: redis.Redis) -> None:
    before = dict(redis_client.connection_pool.connection_kwargs)
    lock = DistributedTaskLock(redis_client)
    lock.acquire("t")
    lock.close()

    assert redis_client.connection_pool.connection_kwargs == before
    assert redis_client.ping()


def test_the_keys_are_those_documented(redis_client: redis.Redis) -> None:
    lock = DistributedTaskLock(redis_client, prefix="mine:")
    held = lock.acquire("t")
    assert held

    assert sorted(redis_client.keys("*")) == [b"mine:fence:{t}", b"mine:lock:{t}"]
    assert redis_client.ttl("mine:fence:{t}") == -1
    lock.release("t", held)
    assert redis_client.keys("*") == [b"mine:fence:{t}"]
