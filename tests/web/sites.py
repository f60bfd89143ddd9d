"""Owns the dashboards that browsers look at: a real server over a real store, with work to see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    ScheduleOptions,
    current_execution,
)
from advanced_scheduler.api import create_app, scheduler_router
from advanced_scheduler.models import TaskExecution, TaskPriority, TaskStatus
from advanced_scheduler.triggers import CronTrigger
from tests.support.servers import free_port
from tests.support.waiting import eventually

HUGE = 12345678901234567890123
"""More digits than a number of JavaScript keeps."""


@dataclass
class Site:
    """A dashboard at ``url``, and the scheduler that it shows."""

    scheduler: AdvancedTaskScheduler
    url: str
    gate: threading.Event = field(default_factory=threading.Event)

    def row(self, execution_id: str) -> TaskExecution:
        """An execution as it is stored."""
        found = self.scheduler.get_execution(execution_id)
        assert found is not None, f"no execution {execution_id}"
        return found

    def until(self, execution_id: str, *statuses: TaskStatus) -> TaskExecution:
        """The execution once it has one of these statuses."""
        what = f"execution {execution_id} is {' or '.join(statuses)}"
        eventually(lambda: self.row(execution_id).status in statuses, what=what)
        return self.row(execution_id)

    def later(self, task: str = "greet", *args: Any, **options: Any) -> str:
        """An execution that is due in an hour."""
        return self.scheduler.schedule_task(
            task, *args, options=ScheduleOptions(delay=3600, **options)
        )

    def failed(self) -> str:
        """An execution that has failed for good."""
        made = self.scheduler.schedule_task("break")
        self.until(made, TaskStatus.FAILED)
        return made

    def running(self) -> str:
        """An execution that runs until the gate is opened."""
        made = self.scheduler.schedule_task("hold")
        self.until(made, TaskStatus.RUNNING)
        return made


@contextmanager
def site_on(folder: Path, *, prefix: str = "") -> Iterator[Site]:
    """A running scheduler and its dashboard; with a prefix, inside an application of a host."""
    scheduler = AdvancedTaskScheduler(
        store=f"sqlite:///{folder / 'site.db'}", name="here", max_concurrent_tasks=20
    )
    site = Site(scheduler, "")
    _register(site)
    if prefix:
        app = FastAPI(lifespan=scheduler.lifespan, openapi_url=None)
        app.include_router(scheduler_router(scheduler), prefix=prefix)
    else:
        app = create_app(scheduler)
    try:
        with served(app) as origin:
            site.url = f"{origin}{prefix}/scheduler/"
            try:
                yield site
            finally:
                site.gate.set()
    finally:
        scheduler.close()


def furnish(site: Site) -> None:
    """Something of everything that pages show."""
    site.scheduler.create_schedule("greet", CronTrigger("30 2 * * *"), name="Nightly")
    site.failed()
    site.running()
    site.later("greet", "Ada", priority=TaskPriority.HIGH, tags=["morning"])
    site.scheduler.schedule_task("break")
    run = site.scheduler.schedule_workflow(["extract", "load"])
    site.until(run["load"], TaskStatus.COMPLETED)


def _register(site: Site) -> None:
    def greet(name: str = "you", *, times: int = 1, password: str = "") -> str:
        """Says hello."""
        return f"hello {name} {times}{'' if not password else '!'}"

    def fail() -> None:
        raise ConnectionError("mail.example refused")

    def hold() -> None:
        context = current_execution()
        context.logger.warning("the gate is shut")
        context.progress(40, 100, "steps")
        site.gate.wait()

    task = site.scheduler.task
    task(task_id="greet", tags=["polite"])(greet)
    retry = RetryConfig(max_attempts=1, initial_delay=0.01, jitter=False)
    task(task_id="break", retry=retry)(fail)
    task(task_id="hold", lock=True, priority=TaskPriority.LOW)(hold)
    task(task_id="extract")(lambda: HUGE)
    task(task_id="load", after=["extract"])(lambda: None)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The origin under which a server of this process has the application."""
    port = free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), what="the server answers")
        assert server.started
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
