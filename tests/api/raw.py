"""Asks an application by the very messages of ASGI: what no client would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any, Final, Self

from .rest import FAR, HERE, PREFIX, Rest

DISCONNECT: Final = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """A piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def scope_of(
    path: str, headers: Sequence[tuple[bytes, bytes]], client: tuple[str, int] = HERE
) -> dict[str, Any]:
    """What a server says of a GET."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000"), *headers],
        "client": client,
        "server": ("127.0.0.1", 8000),
    }


class Connection:
    """What is sent piece by piece, on a loop and a thread of its own, as long as it lasts."""

    def __init__(self, app: Any, scope: dict[str, Any], first: Any = None) -> None:
        self._app = app
        self._scope = scope
        self._first = first or (
            part(b"") if scope["type"] == "http" else {"type": "websocket.connect"}
        )
        self._thread = Thread(target=lambda: asyncio.run(self.run()), daemon=True)
        self.sent: list[Any] = []

    def start(self) -> Self:
        """Ask."""
        self._thread.start()
        return self

    async def run(self) -> None:
        """Ask, say nothing more, and listen until the server has said all."""
        said = [self._first]

        async def receive() -> dict[str, Any]:
            if not said:
                await asyncio.Event().wait()
            return said.pop()

        async def send(message: Any) -> None:
            self.sent.append(message)

        await self._app(self._scope, receive, send)


class Stream(Connection):
    """``/events``."""

    def __init__(self, app: Any, headers: Mapping[str, str], client: tuple[str, int]) -> None:
        super().__init__(app, scope_of(f"{PREFIX}/events", _raw(headers), client))

    @property
    def text(self) -> str:
        """What has come so far."""
        return b"".join(one.get("body", b"") for one in list(self.sent)[1:]).decode()

    @property
    def over(self) -> bool:
        """Whether the answer is complete."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False


class Socket(Connection):
    """``/events/ws``."""

    def __init__(self, app: Any, query: str, headers: Mapping[str, str]) -> None:
        scope = scope_of(f"{PREFIX}/events/ws", _raw(headers), FAR)
        more = {"type": "websocket", "query_string": query.encode(), "scheme": "ws"}
        super().__init__(app, {**scope, **more})

    @property
    def is_open(self) -> bool:
        """Whether it was accepted, and not closed since."""
        return bool(self.sent) and self.sent[0]["type"] == "websocket.accept" and self.code is None

    @property
    def text(self) -> str:
        """What has come so far."""
        return "".join(one.get("text", "") for one in list(self.sent))

    @property
    def code(self) -> int | None:
        """What it was closed with."""
        closed = [one["code"] for one in list(self.sent) if one["type"] == "websocket.close"]
        return closed[0] if closed else None


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def asked(
    rest: Rest,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    path: str = f"{PREFIX}/tasks",
    version: str = "1.1",
    parts: Sequence[dict[str, Any]] = ({"type": "http.request"},),
    app: Any = None,
) -> tuple[int, Any, int]:
    """Status, JSON, and how many of the ``parts`` were read, after which the client is gone."""
    scope = {**scope_of(path, headers), "method": method, "http_version": version}
    waiting = list(parts)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else DISCONNECT

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run((app or rest.client.app)(scope, receive, send))
    body = b"".join(one.get("body", b"") for one in sent[1:])
    return sent[0]["status"], json.loads(body), len(parts) - len(waiting)
