"""Carries requests to a service in this very process."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, unquote

import httpx
from a2wsgi import ASGIMiddleware


class Bridge(httpx.WSGITransport):
    """Streams what is answered, which httpx does for WSGI alone; the application lives on a loop.

    WSGI would know of a path only what it means, and httpx states that in a way of its own: so
    the path crosses as it was written, quoted once more.
    """

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        async def unquoted(scope: Any, receive: Any, send: Any) -> None:
            written = scope["path"]
            told = {**scope, "path": unquote(written), "raw_path": written.encode()}
            await app(told, receive, send)

        made: Any = ASGIMiddleware(unquoted, loop=loop)  # the two state the same calls differently
        super().__init__(made)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; answers as soon as the answer begins."""
        path, mark, query = request.url.raw_path.partition(b"?")
        twice = quote(path).encode() + mark + query
        url = request.url.copy_with(raw_path=twice)
        stream: Any = request.stream
        return super().handle_request(
            httpx.Request(request.method, url, headers=request.headers, stream=stream)
        )
