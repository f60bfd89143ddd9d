"""The examples of embedding, each served as its first lines say, used, and asked to stop."""

from __future__ import annotations

import os
import re
import signal
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from advanced_scheduler.models import ExecutionFilter, TickOutcome
from advanced_scheduler.stores import open_store
from tests.support.waiting import eventually
from tests.web.farm import ALWAYS
from tests.web.served import API, EXAMPLES, FOUR_WORKERS, GRACE, THREADS, Served, served

pytestmark = pytest.mark.skipif(os.name != "posix", reason="gunicorn needs POSIX")

PATHS = ("/scheduler/", "/api/v1/scheduler/executions", "/health/ready")
APPS = {
    "fastapi_app": ("uvicorn", "fastapi_app:app"),
    "starlette_app": ("uvicorn", "starlette_app:app"),
    "django_app": ("uvicorn", "django_app:application"),
    "flask_app": ("gunicorn", "flask_app:app", *THREADS),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """All of them at once, as most of a start is waiting."""
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        folders = [tmp_path_factory.mktemp(name) for name in APPS]
        opened = [served(folder, *APPS[name]) for name, folder in zip(APPS, folders, strict=True)]
        yield dict(zip(APPS, threads.map(stack.enter_context, opened), strict=True))


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest, running: dict[str, Served]) -> Served:
    return running[request.param]


def test_every_example_is_served() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(APPS)


def test_a_task_runs_that_rest_was_asked_for(app: Served) -> None:
    asked = app.client.post(f"{API}/tasks/greet/execute", json={"args": ["ada"]})
    assert asked.status_code == 202, asked.text
    assert app.until_completed(asked.json()["execution_id"])["result"] == "hello ada"
    where = asked.url.join(asked.headers["location"])  # relative, so that it has the prefix
    assert app.client.get(where).json() == app.execution(asked.json()["execution_id"])


def test_a_route_of_the_host_schedules_as_well(app: Served) -> None:
    reply = app.client.post("/greetings", params={"name": "bob"})
    assert app.until_completed(reply.json()["execution_id"])["result"] == "hello bob"


def test_events_come_as_they_happen(app: Served) -> None:
    heard, joined = threading.Event(), threading.Event()

    def listen() -> None:
        for line in app.events():
            joined.set()
            if line == "event: execution.finished":
                heard.set()
                return

    listener = threading.Thread(target=listen)
    listener.start()
    assert joined.wait(30)
    app.client.post("/greetings", params={"name": "eve"})
    assert heard.wait(30)
    listener.join()


def test_a_websocket_opens_where_the_server_has_them(app: Served, request: Any) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    headers = {**upgrade, "sec-websocket-key": b64encode(bytes(16)).decode()}
    with app.client.stream("GET", f"{API}/events/ws", headers=headers) as reply:
        wsgi = request.node.callspec.params["app"] == "flask_app"
        assert reply.status_code == (404 if wsgi else 101)


def test_the_dashboard_is_under_the_prefix(app: Served) -> None:
    page = app.client.get("/jobs/scheduler/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert 'href="/' not in page.text, "only relative addresses work under any prefix"
    assert 'src="/' not in page.text


def test_a_stop_is_announced_and_ends_it_cleanly(app: Served) -> None:
    """Module scope ends here: the last test of each example."""
    listening = threading.Event()
    gone = threading.Event()

    def listen() -> None:
        with suppress(httpx.TransportError):
            for _ in app.events():
                listening.set()
        gone.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert listening.wait(30)
    assert app.is_ready()
    app.process.terminate()
    eventually(lambda: not app.is_ready(), what="it is not ready any more", timeout=30)
    assert gone.wait(30), "a listener holds up the stop"
    code = app.process.wait(timeout=GRACE)
    listener.join()
    log = app.log.read_text()
    assert code in (0, -signal.SIGTERM), log
    assert "Traceback" not in log
    assert re.search("stopped|Shutting down", log)


def test_four_workers_of_an_example_run_each_tick_once(tmp_path: Path) -> None:
    with served(tmp_path, "gunicorn", "fastapi_app:app", *FOUR_WORKERS) as app:
        booted = re.compile("Application startup complete")
        eventually(lambda: len(booted.findall(app.log.read_text())) == 4, 40, "four workers run")
        replies = [app.client.get(f"/jobs{path}") for path in PATHS for _ in range(8)]
        assert {reply.status_code for reply in replies} == {200}
        store = open_store(f"sqlite:///{tmp_path}/jobs.db")
        store.open()
        try:
            (schedule,) = store.schedules()
            ticks = eventually(
                lambda: len(found := store.ticks(schedule.schedule_id, *ALWAYS)) >= 4 and found,
                what="four seconds are in the ledger",
            )
            app.process.terminate()
            assert app.process.wait(timeout=GRACE) == 0
            rows = store.find(ExecutionFilter(task_id="tick", limit=1000))
            ticks = store.ticks(schedule.schedule_id, *ALWAYS)
        finally:
            store.close()
    instants = [tick.instant for tick in ticks]
    assert instants == [instants[0] + timedelta(seconds=n) for n in range(len(instants))]
    fired = [tick.execution_id for tick in ticks if tick.outcome is TickOutcome.FIRED]
    assert sorted(row.execution_id for row in rows) == sorted(filter(None, fired))
    assert "Traceback" not in app.log.read_text()
