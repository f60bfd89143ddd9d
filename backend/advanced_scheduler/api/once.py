"""Serves a request that is sent again as the first time, and does it once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..errors import LockUnavailable, SchedulerError, StoreError
from .auth import Principal
from .problems import Problem
from .replies import LEASE, Begun, Replies, Reply

logger = logging.getLogger(__name__)

_REFUSALS: Final = (Problem, RequestValidationError, HTTPException, SchedulerError)
"""Raised before anything is done, but where a server was lost."""

_LOST: Final = (StoreError, LockUnavailable)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Once:
    """Serves a request; under an idempotency key that was used before, answers as then."""

    def __init__(self, serve: Handler, replies: Replies, *, kept: bool) -> None:
        self._serve = serve
        self._replies = replies
        self._kept = kept

    async def __call__(self, request: Request, caller: Principal) -> Response:
        keys = request.headers.getlist("idempotency-key")
        if not keys or not self._kept or request.method != "POST":
            return await self._serve(request)
        key = keys[0] if len(keys) == 1 else ""  # of two, nobody could say which one counts
        begun, before = await run_in_threadpool(
            self._replies.begin, caller.identity, key, request.url.path, await request.body()
        )
        if before is not None:
            said = {"location": before.location, "etag": before.etag}
            headers = {name: value for name, value in said.items() if value}
            return Response(before.body, before.status, headers, media_type="application/json")
        request.state.new_id = begun.new_id
        request.state.plan = partial(self._replies.plan, begun)
        try:
            async with self._renewed(begun):
                response = await self._serve(request)
        except BaseException as error:
            refused = isinstance(error, _REFUSALS) and not isinstance(error, _LOST)
            over = self._replies.give_up if refused else self._replies.doubt
            await run_in_threadpool(over, begun)
            raise
        told = (response.headers.get(name) for name in ("location", "etag"))
        reply = Reply(response.status_code, bytes(response.body).decode(), *told)
        await run_in_threadpool(self._replies.end, begun, reply)
        return response

    @asynccontextmanager
    async def _renewed(self, begun: Begun) -> AsyncIterator[None]:
        """Keep the lease meanwhile; nothing writes it any more once this is left."""
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(begun, done))
        try:
            yield
        finally:
            done.set()
            await renewing

    async def _renew(self, begun: Begun, done: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(LEASE.total_seconds() / 3):
                    await done.wait()
                return
            except TimeoutError:
                pass
            try:
                await run_in_threadpool(self._replies.renew, begun)
            except StoreError as error:
                logger.warning("an idempotency key is not kept: %s", error)
