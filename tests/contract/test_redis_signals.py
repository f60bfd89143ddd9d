"""What one store in Redis tells another, whatever becomes of the server."""

from __future__ import annotations

import threading

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.stores.abilities import Signal
from advanced_scheduler.stores.redis import RedisStore
from tests.support.servers import RedisServer
from tests.support.waiting import eventually

from .rows import (
    NOW,
    blocked,
    by,
    execution,
    firing,
    one,
    schedule,
)


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[Signal] = []

    def __call__(self, signal: Signal) -> None:
        self.heard.append(signal)

    def hears(self, *wanted: Signal) -> None:
        """Wait until these were heard, and forget them."""
        eventually(lambda: self.heard == list(wanted), what=f"{wanted} are heard")
        self.heard.clear()


def test_one_store_tells_another_of_work_and_of_schedules(
    redis_store: RedisStore, redis_store_url: str
) -> None:
    other, ear = RedisStore(redis_store_url), Ear()
    end = other.subscribe(ear)
    redis_store.add([execution("a"), execution("b")])
    ear.hears(Signal.WORK)
    (row, _) = redis_store.claim(by())
    redis_store.apply([lifecycle.give_back(row, due=NOW, reason="r")])
    ear.hears(Signal.WORK)
    redis_store.add([blocked("c", "a")])
    redis_store.put(schedule(), expected=None)
    redis_store.publish(Signal.SCHEDULES)
    ear.hears(Signal.SCHEDULES)
    redis_store.apply([lifecycle.unblock(one(redis_store, "c"), settled=frozenset({"a"}))])
    ear.hears(Signal.WORK)
    redis_store.fire([firing(executions=[execution("d")])])
    ear.hears(Signal.WORK)

    end()
    end()
    redis_store.publish(Signal.WORK)
    assert "redis-signals" not in {thread.name for thread in threading.enumerate()}
    assert ear.heard == []
    other.close()


def test_a_listener_that_fails_hears_the_next_signal(
    redis_store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Signal] = []

    def fail_once(signal: Signal) -> None:
        heard.append(signal)
        if len(heard) == 1:
            raise RuntimeError("boom")

    end = redis_store.subscribe(fail_once)
    redis_store.publish(Signal.WORK)
    redis_store.publish(Signal.SCHEDULES)
    eventually(lambda: len(heard) == 2)
    end()
    assert "boom" in caplog.text


def test_a_subscription_survives_the_server_and_then_tells_all(
    private_store: RedisStore, private_redis: RedisServer
) -> None:
    ear = Ear()
    end = private_store.subscribe(ear)
    private_store.publish(Signal.WORK)
    ear.hears(Signal.WORK)
    private_redis.stop()
    private_redis.start()
    ear.hears(*Signal)
    private_store.publish(Signal.SCHEDULES)
    ear.hears(Signal.SCHEDULES)
    end()


def test_a_subscription_may_begin_and_end_while_the_server_is_away(
    private_store: RedisStore, private_redis: RedisServer
) -> None:
    private_redis.stop()
    never, ear = Ear(), Ear()
    private_store.subscribe(never)()
    end = private_store.subscribe(ear)
    private_redis.start()
    ear.hears(*Signal)
    end()
    assert never.heard == []
