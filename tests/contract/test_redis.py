"""What only a Redis server can be asked: does it come back, is it shared, what if it is away."""

from __future__ import annotations

import os
import signal as signals
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from advanced_scheduler.errors import ConfigurationError, StoreError, StoreUnavailable
from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.models import (
    ExecutionFilter,
    ScheduleFilter,
    TaskStatus,
    TickOutcome,
    Total,
)
from advanced_scheduler.stores import open_store, redis_client
from advanced_scheduler.stores.abilities import Signal, SignalStore
from advanced_scheduler.stores.redis import RedisStorage, RedisStore
from tests.support.servers import RedisServer
from tests.support.waiting import eventually

from .redis_keys import key
from .rows import (
    DAY,
    EVER,
    MINUTE,
    NOW,
    blocked,
    by,
    done,
    everything,
    execution,
    finish,
    firing,
    ids,
    one,
    schedule,
    start,
    tick,
)


def test_everything_is_there_when_the_server_was_killed_and_started(
    private_store: RedisStore, private_redis: RedisServer
) -> None:
    finish(private_store, start(private_store, execution("a"), execution("b")))
    private_store.add([blocked("c", "a", "task:u"), execution("d", due_time=NOW + DAY)])
    private_store.put(schedule(), expected=None)
    private_store.fire([firing()])
    before = private_store.find(ExecutionFilter())
    private_redis.kill()
    private_redis.start()
    private_store.open()
    assert private_store.find(ExecutionFilter()) == before
    assert private_store.schedules()[0].next_fire_time == NOW + MINUTE
    assert private_store.ticks("s", NOW, NOW + DAY) == [tick()]
    assert private_store.next_due() == NOW + DAY


def test_two_stores_on_one_server_share_the_work(
    redis_store: RedisStore, redis_store_url: str
) -> None:
    redis_store.add([execution(f"e{n:03}") for n in range(200)])
    other = open_store(redis_store_url)
    other.open()
    with ThreadPoolExecutor(4) as pool:
        taken = [name for part in pool.map(everything, [redis_store, other] * 2) for name in part]
    other.close()
    assert sorted(taken) == [f"e{n:03}" for n in range(200)]


def test_stores_of_two_prefixes_do_not_touch_each_other(
    redis_store: RedisStore, redis_store_url: str
) -> None:
    other = RedisStorage(redis_url=redis_store_url, prefix="elsewhere")
    other.open()
    redis_store.add([execution("a")])
    assert other.get(["a"]) == []
    other.close()


def test_the_store_says_what_it_is_and_what_time_it_is(
    redis_store: RedisStore, redis_store_url: str
) -> None:
    assert (redis_store.durable, redis_store.blocking) == (True, True)
    assert isinstance(redis_store, SignalStore)
    assert not isinstance(redis_store, LockStore)
    assert isinstance(open_store(redis_store_url), RedisStore)
    time = redis_store.time()
    assert time is not None
    assert time.utcoffset() == NOW.utcoffset()


def test_a_store_of_a_later_version_is_refused(
    redis_store: RedisStore, redis_raw: redis.Redis
) -> None:
    redis_raw.set(key(redis_store, "format"), redis_client.FORMAT + 1)
    with pytest.raises(StoreError, match="upgrade"):
        redis_store.open()


def test_a_forked_process_shares_no_connection_with_its_parent(redis_store: RedisStore) -> None:
    heard = threading.Event()
    end = redis_store.subscribe(lambda _: heard.set())
    redis_store.add([execution("a")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of any thread
        child = os.fork()
    if child == 0:
        signals.alarm(10)
        end()
        added = [redis_store.add([execution(f"b{n}")]) for n in range(100)]
        os._exit(0 if added == [[True]] * 100 else 1)
    assert [redis_store.add([execution(f"c{n}")]) for n in range(100)] == [[True]] * 100
    assert os.waitpid(child, 0)[1] == 0
    assert heard.wait(10)
    heard.clear()
    redis_store.publish(Signal.WORK)
    assert heard.wait(10)
    end()
    assert len(redis_store.find(ExecutionFilter(limit=1000))) == 201


def test_a_server_that_is_away_is_unavailable_until_it_is_back(
    private_store: RedisStore, private_redis: RedisServer
) -> None:
    private_store.add([execution("a")])
    private_redis.stop()
    for call in (
        private_store.ping,
        private_store.next_due,
        private_store.time,
        private_store.open,
    ):
        with pytest.raises(StoreUnavailable, match=str(private_redis.port)):
            call()
    with pytest.raises(StoreUnavailable):
        private_store.add([execution("b")])
    private_redis.start()
    private_store.ping()
    assert private_store.add([execution("b")]) == [True]
    assert ids(private_store.claim(by())) == ["a", "b"]


def test_an_unanswered_write_may_have_been_done_and_is_safe_to_repeat(
    private_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client, "_ANSWER_SECONDS", 0.2)
    store = RedisStore(private_redis.url)
    store.open()
    (row,) = start(store, execution("a"))
    private_redis.pause()
    with pytest.raises(StoreUnavailable):
        store.apply([done(row)])
    private_redis.resume()
    eventually(lambda: finish(store, [row]) == [False], what="the first one was done")
    assert one(store, "a").completed_time == NOW
    store.close()


def test_a_server_that_takes_no_writes_is_unavailable(
    private_store: RedisStore, private_redis: RedisServer
) -> None:
    with redis.Redis.from_url(private_redis.url) as raw:
        raw.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="memory"):
            private_store.add([execution("a")])
        raw.config_set("maxmemory", "0")
        raw.replicaof("127.0.0.1", "1")
        for call in (private_store.open, lambda: private_store.add([execution("a")])):
            with pytest.raises(StoreUnavailable):
                call()
        raw.replicaof("NO", "ONE")
    assert private_store.add([execution("a")]) == [True]


def test_a_server_that_forgets_scripts_is_told_them_again_or_is_unavailable(
    private_store: RedisStore, private_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(private_redis.url) as raw:
        raw.script_flush()
        assert private_store.add([execution("a")]) == [True]
        load = redis.Redis.script_load

        def load_in_vain(client: redis.Redis, script: str) -> object:
            answer = load(client, script)
            raw.script_flush()
            return answer

        raw.script_flush()
        monkeypatch.setattr(redis.Redis, "script_load", load_in_vain)
        with pytest.raises(StoreUnavailable, match="No matching script"):
            private_store.add([execution("b")])
    monkeypatch.undo()
    assert private_store.add([execution("b")]) == [True]


@pytest.mark.parametrize(
    "address",
    [
        "redis://user:s3cret@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?password=s3cret",
        "redis+cluster://:s3cret@127.0.0.1:1",
    ],
)
def test_no_error_shows_a_password(address: str) -> None:
    store = RedisStore(address)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as raised:
        store.open()
    assert "s3cret" not in str(raised.value)


def test_a_text_that_no_store_takes_is_refused_as_a_whole(redis_store: RedisStore) -> None:
    with pytest.raises(StoreError, match="NUL"):
        redis_store.add([execution("a"), execution("b", task_name="x\0y")])
    assert redis_store.get(["a"]) == []


def test_an_evicting_server_is_warned_of(
    private_store: RedisStore, private_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    private_store.open()
    assert caplog.messages == []
    with redis.Redis.from_url(private_redis.url) as raw:
        raw.config_set("maxmemory", "1gb")
        raw.config_set("maxmemory-policy", "allkeys-lru")
    private_store.open()
    assert "noeviction" in caplog.text


class ClusterServer(RedisServer):
    """A cluster of one node that has all slots."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        while self.port > 55_535:  # the nodes of a cluster talk on the port 10,000 above
            super().__init__(folder)

    def _options(self) -> list[str]:
        return [*super()._options(), "--cluster-enabled", "yes"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisServer]:
    """A running cluster of one node."""
    node = ClusterServer(tmp_path)
    try:
        node.start()
        with redis.Redis.from_url(node.url) as raw:
            raw.execute_command("CLUSTER ADDSLOTS", *range(16384))
            eventually(lambda: raw.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield node
    finally:
        node.kill()


def test_all_of_a_store_lives_in_one_slot_of_a_cluster(cluster: RedisServer) -> None:
    heard: list[Signal] = []
    store = RedisStore(f"redis+cluster://127.0.0.1:{cluster.port}?prefix=p")
    store.open()
    end = store.subscribe(heard.append)
    assert store.time() is not None
    assert store.add([execution("a"), blocked("b", "a")]) == [True, True]
    eventually(lambda: heard == [Signal.WORK])
    (row,) = store.claim(by())
    exchange = store.exchange([done(row)], by())
    assert (list(exchange.applied), ids(exchange.waiting)) == ([True], ["b"])
    assert store.put(schedule(), expected=None)
    assert store.fire([firing(executions=[execution("c")])]) == [True]
    eventually(lambda: heard == [Signal.WORK] * 2)
    assert store.ticks("s", NOW, NOW + DAY) == [tick()]
    assert (store.next_fire(), store.next_due()) == (NOW + MINUTE, NOW)
    assert ids(store.find(ExecutionFilter())) == ["c", "b", "a"]
    assert store.add([execution("d", queue="mail", rank=1, schedule_id="s")]) == [True]
    (fired,) = store.find_schedules(ScheduleFilter(task_id="t"))
    assert store.put(replace(fired, version=2, name="nightly", event="upload"), expected=fired)
    assert len(store.versions("s")) == 2
    assert store.tick_counts(NOW, NOW + DAY) == {TickOutcome.FIRED: 1}
    finish(store, store.claim(by()))
    assert store.prune(keep=0, before=EVER, older_than=EVER, limit=9) == 3
    assert store.totals("s") == {TaskStatus.COMPLETED: Total(count=1)}
    assert store.remove("s")
    end()
    cluster.stop()
    with pytest.raises(StoreUnavailable):
        store.ping()
    store.close()


def test_a_cluster_that_is_none_is_not_taken_for_one(redis_url: str) -> None:
    store = RedisStore(f"{redis_url}?cluster=true")
    with pytest.raises(StoreError, match="luster"):
        store.open()


@pytest.mark.parametrize("address", ["redis://h:port/0", "redis:///0", "redis+odd://h:1/0"])
def test_an_address_that_cannot_work_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://host:6379/0"):
        open_store(address)
