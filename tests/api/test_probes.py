"""The HTTP surface of one node: who may ask what, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.errors import ConfigurationError, StoreUnavailable
from advanced_scheduler.health import HealthFacts
from advanced_scheduler.metrics import MetricsServer, serve
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.servers import RedisServer
from tests.support.waiting import eventually

PATHS: Final = ("/metrics", "/health", "/health/live", "/health/ready", "/health/startup")
WELL: Final[dict[str, Any]] = {
    "started": True,
    "seconds_since_pass": 0.0,
    "seconds_since_heartbeat": 0.0,
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, if it is a JSON object."""
        content: dict[str, Any] = json.loads(self.body)
        return content


class Node(AdvancedTaskScheduler):
    """A scheduler that says of itself what a test wants to hear."""

    facts: dict[str, Any] = WELL
    hangs: threading.Event | None = None

    def health_facts(self, *, ask: bool = True) -> HealthFacts:
        if ask and self.hangs is not None:
            self.hangs.wait()
        facts = replace(super().health_facts(ask=ask), **self.facts)
        return facts if ask else replace(facts, store_error=None, lock_error=None)


class FaultyStore(MemoryStore):
    """Cannot be reached while ``down``."""

    down = False

    def ping(self) -> None:
        if self.down:
            raise StoreUnavailable("gone")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def node(clock: ManualClock, store: FaultyStore) -> Iterator[Node]:
    node = Node(clock=clock, store=store, name="one")
    yield node
    node.close()


@pytest.fixture
def server(node: Node) -> Iterator[MetricsServer]:
    server = serve(node, 0)
    yield server
    server.close()


def ask(server: MetricsServer, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request, whatever the status of the answer."""
    request = Request(server.url + path, method=method, headers=headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, refusal.headers, refusal.read())


def say(server: MetricsServer, sent: bytes) -> bytes:
    """What comes back for these very bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize("path", PATHS)
def test_a_node_that_is_well_answers_every_path(server: MetricsServer, path: str) -> None:
    answer = ask(server, path)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(server: MetricsServer, path: str) -> None:
    head, get = ask(server, path, "HEAD"), ask(server, path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_changed_here(server: MetricsServer, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        answer = ask(server, path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), method


@pytest.mark.parametrize("path", ["/", "/health/", "/metrics/x", "/health/../metrics"])
def test_there_is_nothing_else(server: MetricsServer, path: str) -> None:
    assert [ask(server, path, method).status for method in ("GET", "HEAD", "POST")] == [404] * 3


def test_a_query_does_not_change_the_answer(server: MetricsServer) -> None:
    assert ask(server, "/health/live?verbose=1").json == {"status": "pass"}


@pytest.mark.parametrize(
    ("fact", "value", "failing"),
    [
        ("started", False, {"/health/ready", "/health/startup"}),
        ("draining", True, {"/health/ready"}),
        ("store_error", "gone", {"/health/ready"}),
        ("seconds_since_heartbeat", 999.0, {"/health/ready"}),
        ("loop_lag", 1.5, {"/health/ready"}),
        ("seconds_since_pass", 61.0, {"/health/live"}),
        ("seconds_since_pass", None, {"/health/live", "/health/startup"}),
        ("abandoned_threads", 3, set()),
    ],
)
def test_a_probe_fails_for_its_own_reasons_and_tells_none(
    node: Node, server: MetricsServer, fact: str, value: object, failing: set[str]
) -> None:
    node.facts = {**WELL, fact: value}
    answers = {path: ask(server, path) for path in PATHS if path.startswith("/health/")}
    assert {path for path, answer in answers.items() if answer.status == 503} == failing
    for path, answer in answers.items():
        assert answer.json == {"status": "fail" if path in failing else "pass"}
        assert answer.headers["Content-Type"] == "application/json"


def test_ready_asks_the_servers_at_most_every_two_seconds(
    node: Node, server: MetricsServer, clock: ManualClock
) -> None:
    assert ask(server, "/health/ready").status == 200
    node.facts = {**WELL, "store_error": "gone"}
    clock.advance(seconds=1.9)
    assert ask(server, "/health/ready").status == 200
    clock.advance(seconds=0.1)
    assert ask(server, "/health/ready").status == 503


def test_a_store_that_hangs_makes_a_node_unready_but_not_dead(
    node: Node, server: MetricsServer
) -> None:
    node.hangs = threading.Event()
    try:
        assert ask(server, "/health/ready").status == 503
        assert ask(server, "/health/live").status == 200
        assert ask(server, "/health/startup").status == 200
    finally:
        node.hangs.set()


def test_the_report_has_the_keys_of_the_document_and_of_its_media_type(
    server: MetricsServer,
) -> None:
    answer = ask(server, "/health")
    assert answer.headers["Content-Type"] == "application/health+json"
    report = answer.json
    assert report["status"] == "pass"
    assert report["health"] == "healthy"
    assert report["serviceId"] == "one"
    assert set(report) >= {
        "releaseId",
        "uptime_seconds",
        "metrics",
        "success_rate",
        "average_execution_time",
        "lock_success_rate",
        "recent_errors",
        "queue_stats",
        "running_tasks",
        "max_concurrent_tasks",
        "reasons",
    }


def fails() -> None:
    raise RuntimeError("boom")


def test_failing_tasks_warn_and_do_not_fail_the_node(node: Node, server: MetricsServer) -> None:
    node.facts = {}
    node.schedule_task_many(fails, [()] * 10)
    asyncio.run(node.run_due())
    answer = ask(server, "/health")
    assert (answer.status, answer.json["status"], answer.json["health"]) == (
        200,
        "warn",
        "degraded",
    )
    assert answer.json["reasons"] == ["10 of the last 10 executions failed"]
    assert "boom" in answer.json["recent_errors"][0]["error"]


def test_a_store_that_is_gone_fails_the_report(store: FaultyStore, server: MetricsServer) -> None:
    store.down = True
    answer = ask(server, "/health")
    assert (answer.status, answer.json["status"], answer.json["health"]) == (
        503,
        "fail",
        "unhealthy",
    )
    assert answer.json["reasons"] == ["the store does not answer: gone"]
    store.down = False
    assert ask(server, "/health").json["status"] == "pass"


def test_prometheus_gets_the_format_that_it_asks_for(server: MetricsServer) -> None:
    assert ask(server, "/metrics").headers["Content-Type"].startswith("text/plain")
    answer = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/99\r\n\r\n",
        b"GET /health HTTP/x.y\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"POST /health\r\n\r\n",
    ],
    ids=["tls", "word", "no path", "version", "no version", "long", "headers", "old post"],
)
def test_garbage_is_refused_without_an_echo(server: MetricsServer, sent: bytes) -> None:
    status, _, rest = say(server, sent).partition(b"\r\n")
    assert status.startswith((b"HTTP/1.0 4", b"HTTP/1.0 505"))
    assert b"nonsense" not in rest
    assert b"Traceback" not in rest
    assert ask(server, "/health/live").status == 200


def test_a_client_that_says_nothing_holds_up_nobody(server: MetricsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(b"GET /hea")
        assert ask(server, "/health/live").status == 200


def test_an_answer_that_cannot_be_made_tells_no_details(
    node: Node, server: MetricsServer, caplog: pytest.LogCaptureFixture
) -> None:
    node.facts = {"no_such_fact": 1}
    answer = ask(server, "/health/live")
    assert (answer.status, answer.json) == (500, {"status": "fail"})
    assert "/health/live could not be answered" in caplog.text


def test_a_port_that_is_taken_is_named(node: Node, server: MetricsServer) -> None:
    with pytest.raises(OSError, match=f"127.0.0.1:{server.port}: .*choose another") as error:
        serve(node, server.port)
    assert error.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(node: Node, port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"port={port} is not one"):
        serve(node, port)


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="needs IPv6 on Linux")
def test_a_host_may_be_an_address_of_ipv6(node: Node) -> None:
    server = serve(node, 0, "::1")
    assert server.url == f"http://[::1]:{server.port}"
    assert ask(server, "/health/live").status == 200
    server.close()


def test_after_close_nobody_answers_and_the_port_is_free(node: Node) -> None:
    server = serve(node, 0)
    port = server.port
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    again = serve(node, port)
    assert ask(again, "/health/live").status == 200
    again.close()


def test_a_node_on_its_way_from_start_to_stop() -> None:
    scheduler = AdvancedTaskScheduler()
    server = scheduler.serve_metrics(port=0)
    assert ask(server, "/health/startup").status == 503
    with scheduler.running():
        eventually(lambda: ask(server, "/health/ready").status == 200)
        eventually(lambda: ask(server, "/health/startup").status == 200)
        assert ask(server, "/health/live").status == 200
    assert ask(server, "/health/startup").status == 503
    scheduler.close()


def test_a_node_that_needs_redis_is_unready_without_it(private_redis: RedisServer) -> None:
    scheduler = AdvancedTaskScheduler(private_redis.url)
    server = scheduler.serve_metrics(port=0)
    with scheduler.running():
        eventually(lambda: ask(server, "/health/ready").status == 200)
        private_redis.kill()
        eventually(lambda: ask(server, "/health/ready").status == 503)
        report = ask(server, "/health").json
        assert (report["status"], report["health"]) == ("warn", "degraded")
        assert any("lock server does not answer" in one for one in report["reasons"])
        assert ask(server, "/health/live").status == 200
        private_redis.start()
        eventually(lambda: ask(server, "/health/ready").status == 200)
    scheduler.close()
