"""Live events by WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import SchedulerError
from .access import Access, demand, same_site
from .auth import Principal, Scope
from .live import LiveEvents, batches, wanted
from .problems import Problem
from .service import Service

REFUSED: Final = 4401
"""The code that a socket is closed with whose caller is not, or no more, let in."""

GOING_AWAY: Final = 1001

VOUCHED_SECONDS: Final = 300.0
"""For how long a ticket alone holds a socket open, where the host application knows who calls."""


def add_socket(router: APIRouter, service: Service, access: Access, path: str) -> None:
    """The same events as ``/events``; opened by a ticket, never by a key in the address."""

    @router.websocket(path)
    async def watch(socket: WebSocket) -> None:
        """Send events until either side goes."""
        clock, ticket = service.scheduler.clock, socket.query_params.get("ticket")
        vouched_until = clock.monotonic() + (VOUCHED_SECONDS if ticket is not None else 0.0)
        try:
            caller = await _caller(socket, service, access, ticket)
            demand(caller, Scope.READ)
        except (Problem, SchedulerError):
            await socket.close(REFUSED)
            return

        async def still() -> None:
            vouched = clock.monotonic() < vouched_until
            demand(await access.still(socket, caller, vouched=vouched), Scope.READ)

        await socket.accept()
        sending = asyncio.create_task(_send(socket, service.live, still))
        hearing = asyncio.create_task(_until_it_goes(socket))
        await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
        for one in (sending, hearing):
            one.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)


async def _send(
    socket: WebSocket, live: LiveEvents, still: Callable[[], Awaitable[object]]
) -> None:
    query = socket.query_params
    chosen = wanted({**query, "type": query.getlist("type")})
    with suppress(WebSocketDisconnect, RuntimeError):
        try:
            async with aclosing(
                batches(live, live.join(chosen, transport="websocket"), still)
            ) as told:
                async for found in told:
                    if found is None:
                        await socket.send_text('{"type":"resync","data":{}}')
                    elif not found:
                        await socket.send_text('{"type":"heartbeat","data":{}}')
                    for one in found or ():
                        await socket.send_text(one.json)
        except (Problem, SchedulerError):
            await socket.close(REFUSED)
        else:
            await socket.close(GOING_AWAY)


async def _until_it_goes(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass  # nothing that it says matters


async def _caller(
    socket: WebSocket, service: Service, access: Access, ticket: str | None
) -> Principal:
    same_site(socket)
    if ticket is None:
        return await access.principal(socket)
    return await run_in_threadpool(service.keys.take_ticket, ticket)
