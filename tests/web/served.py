"""Owns a real server that serves one of the examples, from its start until it has ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.servers import free_port, spawn
from tests.support.waiting import eventually

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "backend/docs/examples"
API: Final = "/jobs/api/v1/scheduler"
PATIENCE: Final = 50.0
"""Seconds that a server may take to start, or to answer, on a machine that has other work."""
_LISTENS: Final = re.compile("running on|Listening at")
GRACE: Final = 15
"""Seconds after which the server kills what has not ended."""


@dataclass(frozen=True)
class Served:
    """An application that answers, the process behind it and what it logs."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def execution(self, execution_id: str) -> dict[str, Any]:
        """What REST says of an execution."""
        reply = self.client.get(f"{API}/executions/{execution_id}")
        answer: dict[str, Any] = reply.raise_for_status().json()
        return answer

    def until_completed(self, execution_id: str) -> dict[str, Any]:
        """The execution, once it has."""
        return (
            eventually(
                lambda: (one := self.execution(execution_id))["status"] == "completed" and one,
                what=f"{execution_id} has completed",
            )
            or {}
        )

    def events(self) -> Iterator[str]:
        """The lines of a stream of events, from now on."""
        with self.client.stream("GET", f"{API}/events") as stream:
            yield from stream.iter_lines()

    def is_ready(self) -> bool:
        """Whether it says so; a server that does not answer does not."""
        try:
            return self.client.get("/jobs/health/ready").status_code == 200
        except httpx.TransportError:
            return False


THREADS: Final = "--worker-class", "gthread", "--threads", "8"
FOUR_WORKERS: Final = (
    "--preload",
    "--workers",
    "4",
    "--worker-class",
    "uvicorn.workers.UvicornWorker",
)


def command(server: str, app: str, port: int, *options: str) -> list[str]:
    """How a user starts the server on this port."""
    if server == "uvicorn":
        return ["uvicorn", app, "--port", str(port), *options]
    bound = ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", str(GRACE)]
    return ["gunicorn", app, *bound, *options]


@contextmanager
def served(folder: Path, server: str, app: str, *options: str) -> Iterator[Served]:
    """Start it on a store of its own, and make sure that it is gone in the end."""
    port, log = free_port(), folder / "server.log"
    environment = [
        "/usr/bin/env",
        f"PYTHONPATH={EXAMPLES}{os.pathsep}{ROOT / 'backend'}",
        f"ADVANCED_SCHEDULER_STORE=sqlite:///{folder}/jobs.db",
    ]
    process = spawn(
        [*environment, sys.executable, "-m", *command(server, app, port, *options)], log
    )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
    one = Served(process, client, log)
    try:
        # To ask for a connection over and over would take the processor from those that start.
        eventually(lambda: _LISTENS.search(log.read_text()), PATIENCE, f"{app} listens, see {log}")
        eventually(one.is_ready, PATIENCE, f"{app} is ready, see {log}")
        yield one
    finally:
        client.close()
        if process.poll() is None:
            process.kill()
            process.wait()
