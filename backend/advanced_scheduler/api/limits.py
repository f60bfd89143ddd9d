"""Keeps bodies that are too long, or cut short, from the routes of any application."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from .problems import Problem

BODY_BYTES: Final = 1024 * 1024
"""The longest body that is read."""

BODY_SECONDS: Final = 60.0
"""How long it may take to come: whoever sends a byte now and then holds nothing for ever."""


async def with_body(request: Request) -> Request:
    """The same request with its body read; raises ``Problem``.

    One that says it is too long is refused before it is read, any other at its first byte too
    many, and one of whose end a proxy may think otherwise at once. What ends before its last part
    has no body, rather than an empty or a shorter one.
    """
    said = request.headers.getlist("content-length") or ["0"]
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise Problem(400, "invalid-length", "Content-Length and Transfer-Encoding: one of them")
    if len(said) != 1 or not (said[0].isascii() and said[0].isdigit()):
        raise Problem(400, "invalid-length", "Content-Length: one number")
    if len(said[0]) > _DIGITS or int(said[0]) > BODY_BYTES:
        raise _too_long()
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES:
            raise _too_long()
        return message

    whole = Request(request.scope, receive)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await whole.body()
    except TimeoutError as error:
        raise Problem(408, "body-too-slow", f"a body has {BODY_SECONDS:g} seconds") from error
    except ClientDisconnect as error:
        raise Problem(400, "body-cut-short", "the body ended before its last part") from error
    return whole


_DIGITS: Final = 12


def _too_long() -> Problem:
    return Problem(413, "body-too-long", f"a body has at most {BODY_BYTES:,} bytes")
