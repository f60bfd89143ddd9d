"""Probes of a node whose servers are killed, hang, and come back: over both ways to ask."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.api import Scope, create_app
from advanced_scheduler.cli.app import app as cli
from advanced_scheduler.config import Settings
from advanced_scheduler.errors import StoreError
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from tests.support.definitions import define
from tests.support.servers import PostgresServer, RedisServer, Server
from tests.support.waiting import eventually

from .rest import FAR, serving

LATEST: Final = 10.0
"""Seconds: a server that hangs does so for good, and a busy machine does not take so long."""

LIVE, READY, STARTUP, REPORT = "/health/live", "/health/ready", "/health/startup", "/health"
PROBES: Final = (LIVE, READY, STARTUP)
WAYS: Final = ("metrics", "app")
KEYS: Final = {
    *("status", "uptime_seconds", "metrics", "success_rate", "average_execution_time"),
    *("lock_success_rate", "recent_errors", "queue_stats", "running_tasks"),
    "max_concurrent_tasks",
}
"""Of document 003's report."""


class Asked:
    """One node, by ``serve_metrics`` and by an application of its own."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls

    def ask(self, way: str, path: str) -> httpx.Response:
        """The answer, which never lets a probe wait."""
        answer = httpx.get(self.urls[way] + path, timeout=LATEST if path in PROBES else 30)
        assert answer.headers["cache-control"] == "no-store"
        return answer

    def codes(self, path: str) -> set[int]:
        """The status by each way."""
        return {self.ask(way, path).status_code for way in self.urls}

    def until(self, path: str, code: int) -> None:
        """Wait for this status by each way; the process is alive all the while."""

        def turned() -> bool:
            assert self.codes(LIVE) == {200}
            return self.codes(path) == {code}

        eventually(turned, what=f"{path} {code}")

    def report(self, reason: str) -> Any:
        """What the node's own server tells, once it gives this reason among others."""

        def given() -> Any:
            told = self.ask("metrics", REPORT).json()
            return told if any(reason in one for one in told["reasons"]) else None

        return eventually(given, what=reason)


@contextmanager
def uvicorn_of(app: Any) -> Iterator[str]:
    """The address of an application."""
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@contextmanager
def asked(scheduler: AdvancedTaskScheduler, **options: Any) -> Iterator[Asked]:
    """Both ways, with ``options`` of ``create_app``; closes the scheduler."""
    with ExitStack() as stack:
        stack.callback(scheduler.close)
        metrics = scheduler.serve_metrics(port=0)
        app = create_app(scheduler, run=False, **options)
        yield Asked({"metrics": metrics.url, "app": stack.enter_context(uvicorn_of(app))})


def on(server: PostgresServer) -> AdvancedTaskScheduler:
    """A scheduler on a database that is new."""
    return AdvancedTaskScheduler(store=server.url, settings=Settings(auto_migrate=True))


@contextmanager
def running(scheduler: AdvancedTaskScheduler) -> Iterator[Asked]:
    """A node that is ready."""
    with asked(scheduler) as node, scheduler.running():
        node.until(READY, 200)
        yield node


@contextmanager
def killed(server: Server) -> Iterator[None]:
    """No server, and its port refuses."""
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def paused(server: Server) -> Iterator[None]:
    """A server that takes connections and never answers."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def test_a_node_without_its_store_is_alive_and_not_ready(
    private_postgres: PostgresServer,
) -> None:
    idle = on(private_postgres)
    with running(on(private_postgres)) as node, asked(idle, node=False) as both:
        serves = Asked({"app": both.urls["app"]})  # and will never run a node
        for fault in (killed, paused):
            assert [serves.codes(path) for path in PROBES] == [{200}] * 3
            with fault(private_postgres):
                node.until(READY, 503)
                serves.until(READY, 503)
                assert node.codes(STARTUP) == {200}
                answers = [node.ask(way, REPORT) for way in WAYS]
                for answer in answers:
                    assert (answer.status_code, answer.json()["status"]) == (503, "fail")
                    assert answer.headers["content-type"] == "application/health+json"
                node.report("store does not answer")
            node.until(READY, 200)
            serves.until(READY, 200)
            node.until(REPORT, 200)


def test_a_node_without_its_lock_server_is_alive_and_not_ready(
    private_redis: RedisServer, tmp_path: Path
) -> None:
    scheduler = AdvancedTaskScheduler(private_redis.url, store=f"sqlite:///{tmp_path}/jobs.db")
    with running(scheduler) as node:
        for fault in (killed, paused):
            with fault(private_redis):
                node.until(READY, 503)
                answer = node.ask("app", REPORT)
                assert (answer.status_code, answer.json()["status"]) == (200, "warn")
            node.until(READY, 200)


def test_requests_that_hang_with_the_store_hold_up_no_probe(
    private_postgres: PostgresServer,
) -> None:
    with (
        running(on(private_postgres)) as node,
        ThreadPoolExecutor(60) as threads,
    ):
        with paused(private_postgres):
            path = "/api/v1/scheduler/executions"
            hanging = [threads.submit(node.ask, "app", path) for _ in range(60)]
            node.until(READY, 503)
            assert not all(one.done() for one in hanging)
        assert {one.result().status_code for one in hanging} <= {200, 503}
        node.until(READY, 200)


def test_a_start_and_a_stop_show_at_once(tmp_path: Path) -> None:
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")
    began, let_go = threading.Event(), threading.Event()

    def waits() -> None:
        began.set()
        let_go.wait()

    with asked(scheduler) as node:
        assert node.codes(LIVE) == node.codes(STARTUP) == node.codes(READY) == {503}
        with scheduler.running():
            node.until(STARTUP, 200)
            node.until(READY, 200)
            scheduler.register_task(define(waits, task_id="waits"))
            scheduler.schedule_task("waits")
            assert began.wait(30)
            scheduler.announce_stop()
            assert node.codes(READY) == {503}
            assert node.codes(LIVE) == node.codes(STARTUP) == {200}
            let_go.set()
        assert node.codes(READY) == {503}


def test_a_node_whose_leases_run_out_is_not_ready(tmp_path: Path) -> None:
    settings = Settings(lease_seconds=1.5)
    url = f"sqlite:///{tmp_path}/jobs.db"
    with running(AdvancedTaskScheduler(store=url, settings=settings)) as node:
        somebody = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")  # it can be read, so that a ping is answered
        node.until(READY, 503)
        report = node.report("no heartbeat")
        assert (report["status"], report["health"]) == ("warn", "degraded")
        somebody.execute("ROLLBACK")
        somebody.close()
        node.until(READY, 200)


def test_a_node_whose_loop_is_blocked_is_not_ready() -> None:
    scheduler = AdvancedTaskScheduler()
    let_go = threading.Event()

    async def blocks() -> None:
        let_go.wait()

    scheduler.register_task(define(blocks, task_id="blocks"))
    with running(scheduler) as node:
        scheduler.schedule_task("blocks")
        node.until(READY, 503)
        assert node.report("event loop")["status"] == "warn"
        let_go.set()
        node.until(READY, 200)


def test_a_node_whose_engine_stands_still_is_dead_whatever_answers(clock: ManualClock) -> None:
    store = FaultyStore(MemoryStore(), blocking=True)
    settings = Settings(poll_seconds=0.02)
    scheduler = AdvancedTaskScheduler(store=store.face, clock=clock, settings=settings)
    with running(scheduler) as node:
        claim = store.hold("exchange")
        assert claim.entered.wait(30)
        clock.advance(seconds=5)
        assert any("last pass 5 s ago" in one for one in node.ask("app", REPORT).json()["reasons"])
        clock.advance(seconds=55)
        assert node.codes(LIVE) == {200}
        clock.advance(seconds=0.1)
        assert node.codes(LIVE) == {503}
        claim.released.set()
        eventually(lambda: node.codes(LIVE) == {200})


def test_nothing_can_be_asked_before_the_tables_are_at_head(postgres_schema: str) -> None:
    store = ("--store", postgres_schema)
    refused = CliRunner().invoke(cli, ["serve", *store, "--port", "0"])
    assert (refused.exit_code, "advanced-scheduler db upgrade" in refused.stderr) == (3, True)
    with pytest.raises(StoreError, match="advanced-scheduler db upgrade"):
        AdvancedTaskScheduler(store=postgres_schema)
    assert CliRunner().invoke(cli, ["db", "upgrade", *store]).exit_code == 0
    scheduler = AdvancedTaskScheduler(store=postgres_schema)
    with asked(scheduler) as node:
        assert node.codes(STARTUP) == {503}
        with scheduler.running():
            node.until(STARTUP, 200)


@pytest.mark.parametrize("path", [*PROBES, REPORT])
def test_head_is_get_without_a_body(path: str) -> None:
    with serving(node=False) as rest:
        head, get = (rest.client.request(one, path) for one in ("HEAD", "GET"))
    assert (head.status_code, get.status_code, head.content) == (200, 200, b"")
    for name in ("content-type", "cache-control"):
        assert head.headers[name] == get.headers[name]


def test_who_shows_no_key_gets_no_details() -> None:
    with serving(client=FAR) as far:
        for path in PROBES:
            assert far.client.request("GET", path).json() == {"status": "fail"}
        assert far.client.request("GET", REPORT).status_code == 401
        shown = far.key(Scope.READ)
        answer = far.client.request("GET", REPORT, headers=shown)
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.json().keys() >= KEYS
    assert answer.json()["status"] == "pass"
