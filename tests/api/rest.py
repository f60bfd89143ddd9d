"""Owns the REST service that tests talk to: a scheduler that runs when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.api import Scope, create_app
from advanced_scheduler.api.access import Authenticate
from advanced_scheduler.api.auth import Keyring
from advanced_scheduler.stores.base import Store
from tests.support.definitions import define

NOW: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
PREFIX: Final = "/api/v1/scheduler"
HERE: Final = ("127.0.0.1", 50_000)
FAR: Final = ("203.0.113.9", 50_000)
ALL: Final = {"everything": True}
"""To pause or resume."""


def add(a: int, b: int = 2) -> int:
    """Adds two numbers."""
    return a + b


def fail() -> None:
    """Fails."""
    raise ValueError("no")


class Client:
    """Asks an application in this process; keeps no cookies but those it is given."""

    def __init__(self, app: Any, address: tuple[str, int]) -> None:
        self.app = app
        self._transport = httpx.ASGITransport(app, client=address, raise_app_exceptions=False)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer to one request."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://127.0.0.1:8000"
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


class Rest:
    """A client of the service beside its scheduler, whose clock stands still."""

    def __init__(
        self, scheduler: AdvancedTaskScheduler, clock: ManualClock, client: Client
    ) -> None:
        self.scheduler = scheduler
        self.clock = clock
        self.client = client
        self.scheduler_keys = Keyring(scheduler.store, scheduler.clock)

    def key(self, *scopes: Scope, name: str = "somebody", **more: Any) -> dict[str, str]:
        """The header that shows a new key."""
        token, _ = self.scheduler_keys.create(name, scopes, **more)
        return {"authorization": f"Bearer {token}"}

    def run(self, times: int = 1) -> None:
        """Let what is due run."""
        for _ in range(times):
            asyncio.run(self.scheduler.run_due())

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON of a GET."""
        return self.ask("GET", path, status, **more)

    def post(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        """The JSON of a POST."""
        return self.ask("POST", path, status, json=body, **more)

    def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON of an answer, which must have this status and what keeps browsers out."""
        answer = self.client.request(method, f"{PREFIX}{path}", **more)
        assert answer.status_code == status, answer.text
        kind = "application/json" if status < 400 else "application/problem+json"
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        return answer.json()


@contextmanager
def serving(
    store: str | Store = "memory://",
    *,
    authenticate: Authenticate | None = None,
    client: tuple[str, int] = HERE,
    **options: Any,
) -> Iterator[Rest]:
    """A service on ``store`` with these ``options`` of ``create_app``, asked from this machine."""
    clock = ManualClock(NOW)
    scheduler = AdvancedTaskScheduler(store=store, clock=clock, name="here")
    scheduler.register_task(define(add, task_id="add"))
    scheduler.register_task(define(fail, task_id="fail"))
    app = create_app(scheduler, authenticate=authenticate, run=False, **options)
    try:
        yield Rest(scheduler, clock, Client(app, client))
    finally:
        scheduler.close()
