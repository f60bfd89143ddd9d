"""Live events: one envelope for all ways in, a bounded buffer for each client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from ..events import Event, EventType
from ..forks import free_in_child
from ..scheduler import AdvancedTaskScheduler
from .views import priority_name

KEPT: Final = 1000
"""Events that a client may have missed, and is told when it comes back."""

BUFFER: Final = 256
"""Events that wait for one client; where more come, it is told to read anew."""

HEARTBEAT_SECONDS: Final = 15.0
SOON: Final = 0.1
"""Seconds between two batches; longer with many clients, so that work goes before watching."""

_SECONDS_PER_CLIENT: Final = 0.0005
_HEARD: Final = tuple(set(EventType) - {EventType.ATTEMPT_ENDED, EventType.STORE_ERROR})


class Envelope:
    """What every client gets, whatever the transport; written out once for all of them."""

    def __init__(self, number: int, type_: str, time: datetime, data: Mapping[str, Any]) -> None:
        self.id: Final = number
        self.type: Final = type_
        self.time: Final = time
        self.data: Final = data

    @cached_property
    def json(self) -> str:
        """``{id, type, time, data}``."""
        told = {"id": self.id, "type": self.type, "time": self.time.isoformat(), "data": self.data}
        return json.dumps(told, separators=(",", ":"))

    @cached_property
    def sent(self) -> str:
        """The same as a server-sent event."""
        return f"id: {self.id}\nevent: {self.type}\ndata: {self.json}\n\n"


class Client:
    """One listener, on the event loop that made it; ``types`` None means all."""

    def __init__(self, types: Collection[str] | None) -> None:
        self._types = None if types is None else frozenset(types)
        self._waiting: list[Envelope] = []
        self._news = asyncio.Event()
        self._lost = False

    def push(self, envelopes: Sequence[Envelope]) -> int:
        """Keep what it wants, if that fits; answers how many did not."""
        wanted = envelopes
        if self._types is not None:
            wanted = [one for one in envelopes if one.type in self._types]
        if not wanted:
            return 0
        self._news.set()
        if len(self._waiting) + len(wanted) > BUFFER:
            self.resync()
            return len(wanted)
        self._waiting += wanted
        return 0

    def resync(self) -> None:
        """Tell it that it has missed something."""
        self._lost = True
        self._waiting.clear()
        self._news.set()

    async def next(self, seconds: float = HEARTBEAT_SECONDS) -> list[Envelope] | None:
        """What has come within ``seconds``, empty for a heartbeat; None if something was lost."""
        if not self._waiting and not self._lost:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return []
        if self._lost:
            self._lost = False
            return None
        found, self._waiting = self._waiting, []
        return found


class LiveEvents:
    """Hears what happens on this node, and tells the clients of one event loop in batches."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler
        self._lock = free_in_child(threading.Lock())
        self._clients: set[Client] = set()
        self._home: asyncio.AbstractEventLoop | None = None
        self._fresh: list[Envelope] = []
        self._kept: deque[Envelope] = deque(maxlen=KEPT)
        self._last = 0
        self._asked = False
        self.dropped = 0
        self._unsubscribe: Callable[[], None] = scheduler.events.subscribe(self._hear, _HEARD)

    @property
    def clients(self) -> int:
        """How many listen now."""
        return len(self._clients)

    def close(self) -> None:
        """Hear no more."""
        self._unsubscribe()

    def join(self, types: Collection[str] | None = None, after: int | None = None) -> Client:
        """A new client on the running loop, which is first told what it missed after ``after``."""
        client = Client(types)
        with self._lock:
            self._home = asyncio.get_running_loop()
            self._clients.add(client)
            missed = [one for one in self._kept if after is not None and one.id > after]
            first = self._kept[0].id if self._kept else self._last + 1
        if after is not None and not first - 1 <= after <= self._last:
            client.resync()  # too long ago, or of a process before this one
        else:
            client.push(missed)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client; safe to repeat."""
        with self._lock:
            self._clients.discard(client)

    def _hear(self, event: Event) -> None:
        """On the thread that publishes: as short as can be."""
        with self._lock:
            self._last += 1
            envelope = Envelope(self._last, event.type.value, event.time, _data(event))
            self._kept.append(envelope)
            if not self._clients:
                return
            self._fresh.append(envelope)
            if self._asked or self._home is None or self._home.is_closed():
                return
            self._asked = True
            self._home.call_soon_threadsafe(self._spread_soon)

    def _spread_soon(self) -> None:
        pause = max(SOON, len(self._clients) * _SECONDS_PER_CLIENT)
        asyncio.get_running_loop().call_later(pause, self._spread)

    def _spread(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            self._asked = False
            members = list(self._clients)
        for client in members:
            self.dropped += client.push(fresh)


def _data(event: Event) -> dict[str, Any]:
    row = event.execution
    if row is None:
        return {key: str(value) for key, value in event.data.items()}
    return {
        "execution_id": row.execution_id,
        "task_id": row.task_id,
        "status": row.status.value,
        "priority": priority_name(row.priority),
        "queue": row.queue,
        "node": row.node,
        "schedule_id": row.schedule_id,
        "workflow_id": row.workflow_id,
    }


async def server_sent(
    live: LiveEvents, types: Collection[str] | None, after: int | None
) -> AsyncIterator[str]:
    """The text of a stream of server-sent events, until the client goes."""
    client = live.join(types, after)
    try:
        yield "retry: 2000\n\n"
        while True:
            found = await client.next()
            if found is None:
                yield "event: resync\ndata: {}\n\n"
            else:
                yield "".join(one.sent for one in found) or ": heartbeat\n\n"
    finally:
        live.leave(client)
