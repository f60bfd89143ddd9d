"""Owns what is said about where the benchmarks ran: the machine, and the versions of all."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.measuring import PEERS, PEERS_3_12

_OURS = ("apscheduler", "cronsim", "psycopg", "redis", "sqlalchemy")
_VERSIONS = """
import sys
from importlib.metadata import version
print(f"Python {sys.version.split()[0]}", *(f"{n} {version(n)}" for n in sys.argv[1:]), sep=", ")
"""


def described() -> Iterator[str]:
    """Lines about the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}"
    yield f"load {os.getloadavg()[0]:.1f}; fdatasync p50 {_sync_ms():.2f} ms"
    own = ", ".join(f"{name} {version(name)}" for name in _OURS)
    yield f"ours: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {own}"
    for python, names in ((PEERS, "peers.txt"), (PEERS_3_12, "peers-3.12.txt")):
        if python.exists():
            yield f"peers: {_versions(python, names)}"
        else:
            yield f"{python.parents[1].name} is not there: its peers are left out"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _sync_ms(tries: int = 50) -> float:
    """What a commit to this disk costs."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(tries):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


def _versions(python: Path, requirements: str) -> str:
    lines = (Path(__file__).parent / requirements).read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0].partition("[")[0] for line in lines if "==" in line]
    command = [str(python), "-c", _VERSIONS, *names]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
