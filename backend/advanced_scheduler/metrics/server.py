"""Answers scrapes and probes over HTTP, on a thread of its own and without a web framework."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from socketserver import ThreadingTCPServer
from typing import Any, Final

from ..errors import ConfigurationError
from ..forks import renew_in_child
from ..health import HealthFacts, HealthStatus, has_started, is_live, is_ready
from ..scheduler import AdvancedTaskScheduler
from .recent import Recent
from .series import SchedulerMetrics

logger = logging.getLogger(__name__)

JSON: Final = "application/json"
HEALTH_JSON: Final = "application/health+json"
CLIENT_SECONDS: Final = 10
METHODS: Final = ("GET", "HEAD")
WORDS: Final = {
    HealthStatus.HEALTHY: "pass",
    HealthStatus.DEGRADED: "warn",
    HealthStatus.UNHEALTHY: "fail",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; ``headers`` come on top of the usual ones."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Page = Callable[[str], Reply]
"""Takes the ``Accept`` header of the request."""


class Pages:
    """What there is to read of one scheduler, by path.

    ``node`` is False where nothing will start it: a process that only shows what is stored is
    alive without an engine, and ready when its store answers.
    """

    def __init__(
        self, scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, *, node: bool = True
    ) -> None:
        self._scheduler = scheduler
        self._metrics = metrics
        self._node = node
        self._asked = Recent(scheduler.health_facts, scheduler.clock, keep=2, wait=1)
        self.by_path: Mapping[str, Page] = {
            "/metrics": self._scrape,
            "/health": self._report,
            "/health/live": lambda _: _verdict(is_live(self._known())),
            "/health/startup": lambda _: _verdict(has_started(self._known())),
            "/health/ready": lambda _: _verdict(self._unready()),
        }

    def _known(self) -> HealthFacts:
        """What can be told without asking a server: a probe of life depends on none."""
        return replace(self._scheduler.health_facts(ask=False), node=self._node)

    def _unready(self) -> list[str]:
        """Only what the servers said is remembered: a start or a stop shows at once."""
        try:
            asked = self._asked.get()
            known = replace(
                self._known(), store_error=asked.store_error, lock_error=asked.lock_error
            )
            return is_ready(known)
        except TimeoutError:
            return ["the store or the lock server does not answer within 1 s"]

    def _scrape(self, accept: str) -> Reply:
        body, content_type = self._metrics.render(accept)
        return Reply(HTTPStatus.OK, content_type, body)

    def _report(self, _: str) -> Reply:
        report = self._scheduler.get_health_status()
        word = WORDS[HealthStatus(report["status"])]
        health = {
            **report,
            "status": word,
            "health": report["status"],
            "serviceId": self._scheduler.name,
            "releaseId": version("advanced-scheduler"),
        }
        return _json(_status(word != "fail"), health, HEALTH_JSON)


def _status(good: bool) -> HTTPStatus:
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE


BARE_FAILURE: Final = Reply(
    HTTPStatus.SERVICE_UNAVAILABLE, HEALTH_JSON, json.dumps({"status": "fail"}).encode()
)
"""The report where nobody can tell who asks for it."""


def _verdict(problems: list[str]) -> Reply:
    """Without the problems: who asks has shown no token."""
    for problem in problems:
        logger.info("a probe fails: %s", problem)
    return _json(_status(not problems), {"status": "fail" if problems else "pass"})


def _json(
    status: HTTPStatus,
    content: Mapping[str, Any],
    content_type: str = JSON,
    **headers: str,
) -> Reply:
    return Reply(status, content_type, json.dumps(content, default=str).encode(), headers)


class _Handler(BaseHTTPRequestHandler):
    """One request of one connection; HTTP/1.0, so that no idle client holds a thread."""

    server_version = "advanced-scheduler"
    sys_version = ""
    default_request_version = "HTTP/1.0"
    timeout = CLIENT_SECONDS

    def __init__(self, pages: Pages, *connection: Any) -> None:
        self._pages = pages.by_path
        super().__init__(*connection)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Answers every method, if only by a refusal; ``do_GET`` and its kin are looked up."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            self._send(_json(HTTPStatus.NOT_FOUND, {"error": "not found"}))
        elif self.command not in METHODS:
            allow = ", ".join(METHODS)
            refusal = {"error": f"use {allow}"}
            self._send(_json(HTTPStatus.METHOD_NOT_ALLOWED, refusal, Allow=allow))
        else:
            self._send(self._call(page))

    def _call(self, page: Page) -> Reply:
        try:
            return page(self.headers.get("Accept", ""))
        except Exception:
            logger.exception("%s could not be answered", self.path)
            return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"status": "fail"})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not a request, without repeating any of it."""
        self._send(_json(HTTPStatus(code), {"error": HTTPStatus(code).phrase}))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(reply.body)),
            "Cache-Control": "no-store",
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """A probe a second is no news."""
        logger.debug("%s %s", self.address_string(), format % args)


class _Listener(ThreadingTCPServer):
    """A thread for each connection: a slow client holds up nobody else."""

    # Not HTTPServer: that one asks DNS for its own name, which can take seconds.
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), partial(_Handler, pages))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news either."""
        logger.debug("the connection of %s broke: %r", client_address, sys.exc_info()[1])


class MetricsServer:
    """Serves until ``close``; ``port`` is the one that it really got."""

    def __init__(self, scheduler: AdvancedTaskScheduler, port: int, host: str) -> None:
        self._metrics = SchedulerMetrics(scheduler)
        try:
            self._listener = _listen(host, port, Pages(scheduler, self._metrics))
        except BaseException:
            self._metrics.close()
            raise
        self.port: int = self._listener.server_address[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            args=(0.1,),
            name="advanced-scheduler-metrics",
            daemon=True,
        )
        self._thread.start()
        renew_in_child(self, MetricsServer.close)

    def close(self) -> None:
        """Stop answering and counting; safe to repeat, and in a process forked meanwhile."""
        self._metrics.close()
        if self._thread.is_alive():  # in a forked process it is not, and would be waited for
            self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def _listen(host: str, port: int, pages: Pages) -> _Listener:
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"port={port!r} is not one; use 1 to 65535, or 0 for a free one")
    try:
        return _Listener(host, port, pages)
    except OSError as error:
        raise OSError(
            error.errno,
            f"metrics cannot be served on {host}:{port}: {error.strerror or error}; "
            "choose another port, or 0 for a free one",
        ) from error


def serve(scheduler: AdvancedTaskScheduler, port: int, host: str = "127.0.0.1") -> MetricsServer:
    """Answer ``/metrics`` and ``/health`` on a thread of its own until ``close()``.

    Port 0 takes a free one. Raises ``OSError`` if the port cannot be had and
    ``ConfigurationError`` if it is no port.
    """
    return MetricsServer(scheduler, port, host)
