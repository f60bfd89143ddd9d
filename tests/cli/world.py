"""Owns what the tests of the command line look at: a store, a service, and the commands."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from jsonschema import Draft202012Validator
from starlette.types import ASGIApp
from typer.testing import CliRunner, Result

from advanced_scheduler import AdvancedTaskScheduler, ScheduleOptions
from advanced_scheduler.api import create_app
from advanced_scheduler.api.access import Authenticate
from advanced_scheduler.cli.app import app
from advanced_scheduler.cli.sources import scheduler_at, twin_of
from tests.support.waiting import eventually, repeating


def application() -> str:
    """The source of an application with a few tasks."""
    return '''
from advanced_scheduler import AdvancedTaskScheduler, TaskContext, TaskDependency, TaskPriority

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="add", tags=["sums"])
def add(a: int, b: int = 2) -> int:
    """Adds two numbers."""
    return a + b


@scheduler.task(task_id="chat")
def chat(context: TaskContext) -> None:
    context.logger.info("half of it")
    context.progress(1, 2, "half")


@scheduler.task(task_id="fail", priority=TaskPriority.LOW)
def fail() -> None:
    raise ValueError("no")


@scheduler.task(task_id="after", after=[TaskDependency("add", "success")], lock=True)
def after() -> str:
    return "done"
'''


@dataclass
class World:
    """A scheduler that runs what is due when told to, and the options that lead to it."""

    _scheduler: AdvancedTaskScheduler | None = None
    store: str = ""
    ways: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def on(cls, store: str, jobs: str) -> Iterator[Self]:
        """The tasks of an application on a store."""
        with closing(twin_of(scheduler_at(jobs), store)) as scheduler:
            yield cls(scheduler, store)

    @classmethod
    def alone(cls) -> Self:
        """No scheduler at all: for commands that need none."""
        return cls()

    @property
    def scheduler(self) -> AdvancedTaskScheduler:
        """The scheduler itself."""
        assert self._scheduler is not None
        return self._scheduler

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

    def at_work(self) -> AbstractContextManager[None]:
        """Let what is due run, beside a command that waits for it."""
        return repeating(self.work, 0.05)

    def later(self) -> str:
        """An execution that is due tomorrow."""
        return self.scheduler.schedule_task("add", 1, options=ScheduleOptions(delay=86_400))


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
def serving(
    scheduler: AdvancedTaskScheduler,
    authenticate: Authenticate | None = None,
    wrapped: Callable[[ASGIApp], ASGIApp] = lambda served: served,
) -> Iterator[str]:
    """The address of a real server of a scheduler that does not run."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = create_app(scheduler, run=False, authenticate=authenticate)
    config = uvicorn.Config(wrapped(served), log_level="error", lifespan="off")
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
