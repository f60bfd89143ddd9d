"""Owns what the tests of the command line look at: a store, a service, and the commands."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app
from advanced_scheduler.cli.app import app
from advanced_scheduler.cli.sources import scheduler_at, twin_of
from tests.support.waiting import eventually


def application() -> str:
    """The source of an application with a few tasks."""
    return '''
from advanced_scheduler import AdvancedTaskScheduler, TaskPriority

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="add", tags=["sums"])
def add(a: int, b: int = 2) -> int:
    """Adds two numbers."""
    return a + b


@scheduler.task(task_id="fail", priority=TaskPriority.LOW)
def fail() -> None:
    raise ValueError("no")


@scheduler.task(task_id="after", after=["add"], lock=True)
def after() -> str:
    return "done"
'''


@dataclass
class World:
    """A scheduler that runs what is due when told to, and the options that lead to it."""

    scheduler: AdvancedTaskScheduler
    store: str
    ways: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def on(cls, store: str, jobs: str) -> Iterator[Self]:
        """The tasks of an application on a store."""
        with closing(twin_of(scheduler_at(jobs), store)) as scheduler:
            yield cls(scheduler, store)

    def run(self, *words: str, input: str | None = None) -> Result:
        """What a command does."""
        return CliRunner().invoke(app, [*words, *self.ways], input=input)

    def good(self, *words: str) -> str:
        """What a command prints that ends well, and says nothing on stderr."""
        done = self.run(*words)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return done.stdout

    def json(self, *words: str, schema: str | None = None, code: int = 0) -> Any:
        """The document that a command prints, which must fit this schema of REST."""
        done = self.run(*words, "-o", "json")
        assert (done.exit_code, done.stderr) == (code, ""), done.output
        document = json.loads(done.stdout)
        if schema is not None:
            must_fit(document, schema)
        return document

    def work(self, times: int = 1) -> None:
        """Let what is due run."""
        for _ in range(times):
            asyncio.run(self.scheduler.run_due())


_SCHEMAS: dict[str, Any] = {}


def must_fit(document: Any, schema: str) -> None:
    """Raise unless a document fits a component of the OpenAPI description."""
    if not _SCHEMAS:
        with closing(AdvancedTaskScheduler()) as scheduler:
            _SCHEMAS.update(create_app(scheduler, run=False).openapi()["components"])
    Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": _SCHEMAS}
    ).validate(document)


@contextmanager
def serving(scheduler: AdvancedTaskScheduler) -> Iterator[str]:
    """The address of a real server of a scheduler that does not run."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(scheduler, run=False), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
