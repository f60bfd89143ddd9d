"""Keeps what is too much from the application: long bodies, and JSON that is too deep."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from .problems import Problem

BODY_BYTES: Final = 1024 * 1024
"""The longest body that is read."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


class BodyLimit:
    """Answers 413 before a body is read that says it is too long, and at its first byte too many.

    A middleware of plain ASGI.
    """

    def __init__(self, app: Asgi, most: int = BODY_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._most:
            await refuse(send, self._problem())
            return
        body = await self._body(receive)
        if body is None:
            await refuse(send, self._problem())
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)

    async def _body(self, receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                return None
            if not message.get("more_body"):
                return b"".join(parts)

    def _problem(self) -> Problem:
        return Problem(413, "body-too-long", f"a body has at most {self._most:,} bytes")


async def refuse(send: Send, problem: Problem) -> None:
    """Answer a problem from outside of the framework."""
    body = json.dumps(problem.body()).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": problem.status.value, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
