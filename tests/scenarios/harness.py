"""Owns the cluster of a scenario: nodes that are real processes, and what they leave behind.

How a scenario is written::

    def crash(cluster: Cluster, broken: str | None = None) -> list[str]:
        a, b = cluster.node("a", broken=broken), cluster.node("b", broken=broken)
        execution_id = cluster.scheduler().schedule_task("nap", 1.0)
        cluster.until(lambda: cluster.starts(execution_id))
        a.kill()
        cluster.until_ended(timeout=10)
        return checks.every_one_ended(cluster) + ...

    def test_what_must_hold(cluster): assert crash(cluster) == []
    def test_control(cluster): assert crash(cluster, "no-lease")

What a scenario decides by is the journal (``cluster.lines()``, written by the bodies in
``tasks.py``) and the rows (``cluster.rows()``, read by the test through a store of its own); a
check answers a list of violations. A control runs the same with a fault of ``breaks.py`` built
into the nodes, and must find violations. Time is scaled: ``SCALED``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.config import Settings
from advanced_scheduler.lifecycle import FINAL
from advanced_scheduler.models import ExecutionFilter, TaskExecution
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from tests.support import journal
from tests.support.journal import Entry
from tests.support.waiting import eventually

from .node import PRELOADED, run
from .tasks import loaded

T = TypeVar("T")

LEASE: Final = 2.0
POLL: Final = 0.2
SCALED: Final[dict[str, Any]] = {
    "lease_seconds": LEASE,
    "renewal_seconds": 0.5,
    "poll_seconds": POLL,
    "lock_wait_seconds": 0.5,
    "drain_seconds": 10.0,
    "history_limit": 100_000,
}
"""The settings of every node, unless ``node(settings=...)`` says otherwise; in seconds."""

PATIENT: Final[dict[str, Any]] = {"lease_seconds": 60.0, "renewal_seconds": 20.0}
"""Settings where nobody dies: a busy machine may starve a node for longer than the scaled lease."""

SLACK: Final = 4.0
"""Seconds that a busy machine may add to what is promised."""

TASKS: Final = "tests.scenarios.tasks:register"


_forks: Final = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(PRELOADED))
_lock: Final = threading.Lock()  # of two threads that ask how a process ended, one would not hear


class NodeProcess:
    """One scheduler process; made by ``Cluster.node``.

    It is forked from a server that has nothing but imported all modules: to import them again
    would take most of the time of a scenario.
    """

    def __init__(self, name: str, options: Mapping[str, Any], journal: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._store: str = options["store"]
        self._process = _forks.Process(
            target=run, args=(options, str(journal), str(log)), daemon=True
        )
        with _lock:
            self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended (a paused node is alive)."""
        return self._exit_code() is None

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        with _lock:
            self._process.kill()
        self.wait()

    def pause(self) -> None:
        """SIGSTOP: it neither renews nor answers, and knows nothing of it.

        Not within a transaction of SQLite, in which nobody else could write until it goes on.
        """
        os.kill(self.pid, signal.SIGSTOP)
        while not writable(self._store):
            self.resume()
            time.sleep(0.01)
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        os.kill(self.pid, signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """How much processor time it has used, all threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def terminate(self, *, drain: bool = True) -> None:
        """Ask for ``stop(wait=drain)`` and the end of the process; returns at once."""
        os.kill(self.pid, signal.SIGTERM if drain else signal.SIGINT)

    def wait(self, timeout: float = 20.0) -> int:
        """The exit code; AssertionError if it does not end within ``timeout`` seconds."""
        ended = waited(lambda: not self.alive, timeout)
        assert ended, f"node {self.name} did not end within {timeout} s:\n{self.output()}"
        code = self._exit_code()
        assert code is not None
        return code

    def _exit_code(self) -> int | None:
        with _lock:
            return self._process.exitcode

    def output(self) -> str:
        """What it has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def writable(store: str) -> bool:
    """Whether a file of SQLite can be written to within a second; others always can."""
    if not store.startswith("sqlite:///"):
        return True
    path = store.removeprefix("sqlite:///").partition("?")[0]
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


class Cluster:
    """Nodes on one store and one journal; ``close`` ends all that still run.

    ``store`` is a URL (default: a SQLite file in ``folder``), ``redis`` a URL or None.
    """

    def __init__(self, folder: Path, *, store: str | None = None, redis: str | None = None) -> None:
        self.folder = folder
        self.journal_path = folder / "journal.jsonl"
        self.store_url = store or f"sqlite:///{folder}/jobs.db"
        self.redis_url = redis
        self.nodes: list[NodeProcess] = []
        self.store: Store = open_store(self.store_url, auto_migrate=True)
        self.store.open()
        self._schedulers: list[AdvancedTaskScheduler] = []

    def node(
        self,
        name: str,
        *,
        limit: int = 10,
        broken: str | None = None,
        settings: dict[str, Any] | None = None,
        tasks: str = TASKS,
        watched: bool = False,
        wait: bool = True,
        store: str | None = None,
    ) -> NodeProcess:
        """Start a node; returns when it runs (or at once, without ``wait``).

        ``store`` is another URL of the same store: through a proxy, say. ``tasks`` is the
        ``module:function`` that registers tasks with the scheduler it is given. A ``watched``
        node writes its health to the journal every 0.1 s.
        """
        options = {
            "name": name,
            "store": store or self.store_url,
            "redis": self.redis_url,
            "limit": limit,
            "settings": SCALED | (settings or {}),
            "tasks": tasks,
            "broken": broken,
            "watched": watched,
        }
        log = self.folder / f"{name}-{len(self.nodes)}.log"
        node = NodeProcess(name, options, self.journal_path, log)
        self.nodes.append(node)
        if wait:
            self.until_ready(node)
        return node

    def team(self, *names: str, **options: Any) -> dict[str, NodeProcess]:
        """Start nodes with the same options of ``node`` at the same time; answers by name."""
        nodes = {name: self.node(name, **options, wait=False) for name in names}
        for node in nodes.values():
            self.until_ready(node)
        return nodes

    def alone(self, survivor: NodeProcess) -> None:
        """Kill all nodes but one."""
        for node in self.nodes:
            if node.alive and node is not survivor:
                node.kill()

    def until_ready(self, node: NodeProcess) -> None:
        """Wait for the scheduler of a node that was started without waiting."""

        def ready() -> bool:
            assert node.alive, f"node {node.name} ended at once:\n{node.output()}"
            return any(one["pid"] == node.pid for one in self.lines("ready"))

        eventually(ready, timeout=30, what=f"node {node.name} runs, see {node.log}")

    def scheduler(self, tasks: str = TASKS) -> AdvancedTaskScheduler:
        """A scheduler in the test's process, with the same tasks, that is not started."""
        scheduler = AdvancedTaskScheduler(
            self.redis_url, store=self.store_url, settings=Settings(**SCALED)
        )
        loaded(tasks)(scheduler)
        self._schedulers.append(scheduler)
        return scheduler

    def lines(self, event: str | None = None) -> list[Entry]:
        """``start`` and ``end`` lines; of nodes ``ready stopping stopped health``; or all."""
        return [one for one in journal.read(self.journal_path) if event in (None, one["event"])]

    def starts(self, execution_id: str | None = None) -> list[Entry]:
        """The start lines, of all executions or of one."""
        return [one for one in self.lines("start") if execution_id in (None, one["execution"])]

    def ends(self, execution_id: str | None = None) -> list[Entry]:
        """The end lines, of all executions or of one."""
        return [one for one in self.lines("end") if execution_id in (None, one["execution"])]

    def rows(self) -> dict[str, TaskExecution]:
        """Every execution in the store, by id."""
        return {row.execution_id: row for row in self.store.find(ExecutionFilter(limit=10**6))}

    def row(self, execution_id: str) -> TaskExecution:
        """One execution; KeyError if the store does not have it."""
        return {one.execution_id: one for one in self.store.get([execution_id])}[execution_id]

    def ended(self) -> bool:
        """Whether every execution in the store is in a final state."""
        return all(status in FINAL for (status, _), n in self.store.counts().items() if n)

    def gate(self, name: str = "gate") -> Path:
        """The file for which a body waits; ``touch`` it to let the body end."""
        return self.folder / name

    def until(self, check: Callable[[], T], timeout: float = 20.0, what: str = "") -> T:
        """Wait for something without which the scenario makes no sense."""
        return eventually(check, timeout, what)

    def until_ended(self, timeout: float) -> bool:
        """Wait for the end of every execution; False if it does not come, which a check tells."""
        return waited(self.ended, timeout)

    def close(self) -> None:
        """SIGKILL what still runs, and release the stores."""
        for node in self.nodes:
            if node.alive:
                node.kill()
        for scheduler in self._schedulers:
            scheduler.close()
        self.store.close()


def waited(check: Callable[[], object], timeout: float) -> bool:
    """Poll until ``check`` is true, for ``timeout`` seconds at most; whether it became true."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
