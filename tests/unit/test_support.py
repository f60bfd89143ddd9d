"""What the tests themselves stand on."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import make_url

from tests.support import journal
from tests.support.servers import (
    PostgresServer,
    RedisServer,
    find_postgres_binaries,
    find_redis_server,
    fresh_schema,
    unavailable,
)
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
START_AND_WAIT = """
import signal, sys
from pathlib import Path
from tests.support.servers import PostgresServer, RedisServer
server = PostgresServer() if sys.argv[1] == "postgresql" else RedisServer(Path(sys.argv[2]))
print(server.start().port, server.folder, flush=True)
signal.pause()
"""


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def impatient(server: RedisServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))


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


def test_a_postgresql_keeps_its_data_when_stopped_and_when_killed(
    private_postgres: PostgresServer,
) -> None:
    def written() -> list[int]:
        with psycopg.connect(private_postgres.url) as client:
            client.execute("CREATE TABLE IF NOT EXISTS lines (line serial)")
            client.execute("INSERT INTO lines DEFAULT VALUES")
            return [line for (line,) in client.execute("SELECT line FROM lines ORDER BY line")]

    assert written() == [1]
    private_postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(private_postgres.url)
    private_postgres.start()
    assert written()[0] == 1
    private_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(private_postgres.url)
    private_postgres.start()
    assert written()[0] == 1


def test_a_paused_postgresql_keeps_its_clients_waiting(private_postgres: PostgresServer) -> None:
    with psycopg.connect(private_postgres.url) as client, ThreadPoolExecutor(1) as pool:
        private_postgres.pause()
        answer = pool.submit(lambda: client.execute("SELECT 7").fetchall())
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        private_postgres.resume()
        assert answer.result(10) == [(7,)]


def test_a_schema_goes_with_its_test(postgres_url: str) -> None:
    with fresh_schema(postgres_url) as url:
        name = str(make_url(url).query["schema"])
        with psycopg.connect(postgres_url, autocommit=True) as client:
            client.execute(f'CREATE SCHEMA "{name}"')
            client.execute(f'CREATE TABLE "{name}".things (n int)')
    with psycopg.connect(postgres_url) as client:
        found = client.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [name]).fetchall()
    assert found == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
@pytest.mark.parametrize(
    ("kind", "find"), [("redis", find_redis_server), ("postgresql", find_postgres_binaries)]
)
def test_a_server_goes_down_with_the_run_that_was_killed(
    tmp_path: Path, kind: str, find: Callable[[], Path | None]
) -> None:
    if find() is None:
        unavailable(f"no server of {kind}")
    command = [sys.executable, "-c", START_AND_WAIT, kind, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        port, folder = run.stdout.readline().split()
        assert not refused(int(port))
        run.kill()
    eventually(lambda: refused(int(port)), what="the server is gone")
    shutil.rmtree(folder, ignore_errors=True)
