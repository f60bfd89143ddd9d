"""Who hears of whose work through PostgreSQL."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from queue import Empty, SimpleQueue

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.models import ExecutionFilter
from advanced_scheduler.stores.abilities import Signal
from advanced_scheduler.stores.sql import PostgresStore
from tests.support.servers import PostgresServer
from tests.support.waiting import eventually

from .nodes import another, drop, hears
from .rows import (
    DAY,
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
)


def told(store: PostgresStore, heard: SimpleQueue[Signal]) -> list[Signal]:
    """What was heard up to now: the signal that this sends comes last."""
    store.publish(Signal.SCHEDULES)
    return list(iter(lambda: heard.get(timeout=10), Signal.SCHEDULES))


def test_a_node_hears_of_work_that_another_has(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    news: dict[str, Callable[[PostgresStore], object]] = {
        "added": lambda store: store.add([execution("a"), execution("b")]),
        "fired": lambda store: store.fire([firing(executions=[execution("c")])]),
        "to be tried again": lambda store: store.apply(
            [lifecycle.retry(one(store, "a"), error="boom", at=NOW)]
        ),
        "not blocked any more": lambda store: store.apply(
            [lifecycle.unblock(one(store, "d"), settled=frozenset("x"))]
        ),
    }
    postgres.put(schedule(), expected=None)
    postgres._clock = ManualClock(NOW)
    with another(postgres_schema) as other:
        heard, end = hears(other)
        for what, tell in news.items():
            tell(postgres)
            assert told(postgres, heard) == [Signal.WORK], what
            postgres.add([blocked("d", "x")])
            postgres.claim(by())
            assert told(postgres, heard) == [], what
        end()


def test_what_is_no_news_is_not_told(postgres: PostgresStore, postgres_schema: str) -> None:
    postgres._clock = ManualClock(NOW)
    with another(postgres_schema) as other:
        heard, end = hears(other)
        postgres.add([blocked("a", "x"), execution("b", due_time=NOW + 2 * SECOND)])
        postgres.add([execution("b")])
        rows = start(postgres, execution("c", due_time=NOW + 2 * SECOND), now=NOW + DAY)
        finish(postgres, rows)
        with pytest.raises(ZeroDivisionError):
            postgres._write(lambda db: [postgres._add(db, [execution("d")]), 1 / 0])
        assert told(postgres, heard) == []
        end()
        postgres.publish(Signal.WORK)
        with pytest.raises(Empty):
            heard.get(timeout=0.2)


def test_schemas_do_not_hear_of_each_other(postgres: PostgresStore, postgres_schema: str) -> None:
    with another(f"{postgres_schema}_2") as neighbour:
        heard, end = hears(neighbour)
        postgres.add([execution("a")])
        assert told(neighbour, heard) == []
        end()
        drop(neighbour)


def test_a_subscriber_hears_all_signals_when_the_server_is_back(
    private_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with another(private_postgres.url) as store:
        heard, _ = hears(store)
        private_postgres.kill()
        with caplog.at_level(logging.WARNING):
            eventually(lambda: "no signals of" in caplog.text)
        private_postgres.start()
        assert {heard.get(timeout=10) for _ in Signal} == set(Signal)


def test_one_who_fails_at_a_signal_deafens_nobody(
    postgres: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Signal) -> None:
        raise ZeroDivisionError

    heard: SimpleQueue[Signal] = SimpleQueue()
    postgres.subscribe(fail)
    hears(postgres)
    postgres.subscribe(heard.put)
    postgres.publish(Signal.WORK)
    assert heard.get(timeout=10) is Signal.WORK
    assert "ZeroDivisionError" in caplog.text


def test_a_subscription_ends_with_the_store(postgres: PostgresStore) -> None:
    hears(postgres)
    ear = postgres._listener._thread
    assert ear is not None
    assert ear.is_alive()
    postgres.close()
    eventually(lambda: not ear.is_alive())


def test_a_forked_process_uses_no_connection_of_its_parent(postgres: PostgresStore) -> None:
    postgres.add([execution("a")])
    ours = postgres._engine.pool
    hears(postgres)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        postgres.add([execution("b")])
        heard, end = hears(postgres)
        postgres.publish(Signal.WORK)
        right = heard.get(timeout=5) is Signal.WORK and postgres._engine.pool is not ours
        end()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ids(postgres.find(ExecutionFilter())) == ["b", "a"]
