"""Owns commands that stay up: started as processes, told to stop by signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

APPLICATION = """
import time
from pathlib import Path

from advanced_scheduler import AdvancedTaskScheduler

scheduler = AdvancedTaskScheduler(store="sqlite:///jobs.db")


@scheduler.task(task_id="nap")
def nap() -> str:
    while not Path("morning").exists():
        time.sleep(0.02)
    return "rested"
"""
API = "/api/v1/scheduler"


@dataclass
class Serving:
    """A process that serves at ``base``."""

    process: subprocess.Popen[str]
    base: str

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer; 0 while nobody listens."""
        data = None if body is None else json.dumps(body).encode()
        asked = Request(self.base + path, data, {"content-type": "application/json"})
        try:
            with urlopen(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (URLError, ConnectionError, TimeoutError):
            return 0, None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code after a signal, and what is left on stderr."""
        self.process.send_signal(number)
        _, left = self.process.communicate(timeout=30)
        return self.process.returncode, left


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Serving]:
    """A command that says on stderr where its dashboard is."""
    (folder / "jobs_of_ours.py").write_text(APPLICATION)
    process = subprocess.Popen(
        [sys.executable, "-m", "advanced_scheduler.cli", *words, "--port", "0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("dashboard at "):
                break
        assert process.poll() is None, "".join(said)
        yield Serving(process, said[-1].split()[-1].removesuffix("/scheduler/"))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
