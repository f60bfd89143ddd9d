"""Owns gunicorn: starts it with some workers on one store, and knows what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from advanced_scheduler.models import ExecutionFilter, TaskExecution, Tick
from advanced_scheduler.stores import open_store
from tests.scenarios.harness import SCALED
from tests.scenarios.tasks import JOURNAL_VARIABLE
from tests.support import journal
from tests.support.journal import Entry
from tests.support.servers import free_port, spawn
from tests.support.waiting import eventually

ROOT: Final = Path(__file__).parents[2]
ALWAYS: Final = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
GRACE: Final = 15
"""Seconds that gunicorn gives its workers to end; more than ``drain_seconds``."""


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Farm:
    """One gunicorn that serves ``app``, its workers, its store and its journal."""

    def __init__(
        self, folder: Path, store: str, *, workers: int, app: str = "app", preload: bool = False
    ) -> None:
        self._port = free_port()
        self._store_url = store
        self._workers = workers
        self._journal = folder / "journal.jsonl"
        self.log = folder / "gunicorn.log"
        command = [
            "/usr/bin/env",
            f"PYTHONPATH={ROOT}{os.pathsep}{ROOT / 'backend'}",
            f"{JOURNAL_VARIABLE}={self._journal}",
            f"ADVANCED_SCHEDULER_STORE={store}",
            "ADVANCED_SCHEDULER_AUTO_MIGRATE=true",  # by whichever worker is first
            *(f"ADVANCED_SCHEDULER_{name.upper()}={value}" for name, value in SCALED.items()),
            *(sys.executable, "-m", "gunicorn", f"tests.web.{app}:app"),
            *("--worker-class", "uvicorn.workers.UvicornWorker", "--workers", str(workers)),
            *("--bind", f"127.0.0.1:{self._port}", "--graceful-timeout", str(GRACE)),
            *(["--preload"] if preload else []),
        ]
        self._master = spawn(command, self.log)

    def until_ready(self) -> None:
        """Wait until it answers, and has all its workers."""
        eventually(self._answers, timeout=40, what=f"gunicorn answers, see {self.log}")
        eventually(lambda: len(self.pids()) == self._workers, timeout=20, what="all workers run")

    def pids(self) -> set[int]:
        """The workers that run."""
        booted = re.findall(r"Booting worker with pid: (\d+)", self.log.read_text())
        return {pid for pid in map(int, booted) if runs(pid)}

    def post(self, path: str) -> dict[str, Any]:
        """The answer of some worker."""
        answer: dict[str, Any] = httpx.post(self._url(path), timeout=20).raise_for_status().json()
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """The answer of some worker."""
        answer: dict[str, Any] = httpx.get(self._url(path), timeout=20).raise_for_status().json()
        return answer

    def lines(self, event: str, execution_id: str | None = None) -> list[Entry]:
        """What the tasks wrote when they began (``start``) and had done (``end``)."""
        return [
            one
            for one in journal.read(self._journal)
            if one["event"] == event and execution_id in (None, one["execution"])
        ]

    def terminate(self) -> int:
        """Ask for a graceful end; the exit code."""
        self._master.terminate()
        return self._master.wait(timeout=GRACE + 10)

    def close(self) -> None:
        """SIGKILL what still runs."""
        if self._master.poll() is None:
            self._master.kill()
            self._master.wait()
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)

    def stored(self) -> tuple[list[Tick], list[TaskExecution]]:
        """The ledger of the schedule, oldest tick first, and all executions."""
        store = open_store(self._store_url)
        store.open()
        try:
            (schedule,) = store.schedules()
            ticks = store.ticks(schedule.schedule_id, *ALWAYS)
            return ticks, store.find(ExecutionFilter(limit=100_000))
        finally:
            store.close()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def _answers(self) -> bool:
        assert self._master.poll() is None, f"gunicorn ended at once:\n{self.log.read_text()}"
        try:
            return bool(self.get("/health"))
        except httpx.TransportError:
            return False
