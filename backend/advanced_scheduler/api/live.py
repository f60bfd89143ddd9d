"""Live events: one envelope for all ways in, a bounded buffer for each client.

An event reaches a client at most once, and may be lost with a process or a connection: the
executions and the ledger are the truth. Who is told ``resync`` has missed some, and reads anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..engine.told import TOLD
from ..errors import SchedulerError
from ..events import Event, EventType
from ..forks import free_in_child
from ..scheduler import AdvancedTaskScheduler
from .hearing import Envelope, Hearing
from .problems import Problem

BUFFER: Final = 256
"""Events that wait for one client; where more come, it is told to read anew."""

HEARTBEAT_SECONDS: Final = 15.0
SOON: Final = 0.1
"""Seconds between two batches; longer with many clients, as work goes before watching."""

LINGER_SECONDS: Final = 30.0
"""For how long events are kept for the last client, which may come back."""

TYPES: Final = tuple(one.value for one in TOLD)
"""What a client may be told."""

FIELDS: Final = ("task_id", "execution_id", "workflow_id", "schedule_id", "queue")
"""What of the data of an event a client may choose by."""

_SECONDS_PER_CLIENT: Final = 0.002
"""Some twenty times what it takes to tell one."""

_SLICE: Final = 50  # clients that are told at once

Transport = Literal["sse", "websocket"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked for; None and {} mean everything."""

    types: Collection[str] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def among(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]:
        """Those that were asked for."""
        if self.types is not None:
            envelopes = [one for one in envelopes if one.type in self.types]
        for name, value in self.fields.items():
            envelopes = [one for one in envelopes if one.data.get(name) == value]
        return envelopes


EVERYTHING: Final = Wanted()


def wanted(query: Mapping[str, Any]) -> Wanted:
    """What the parameters of a request ask for: ``type``, a list, and any of ``FIELDS``."""
    fields = {name: query[name] for name in FIELDS if query.get(name) is not None}
    return Wanted(frozenset(query.get("type") or ()) or None, fields)


class Client:
    """One listener, on the event loop that made it."""

    def __init__(self, wanted: Wanted, transport: Transport) -> None:
        self.transport: Final = transport
        self._wanted = wanted
        self._waiting: list[Envelope] = []
        self._news = asyncio.Event()
        self._lost = False
        self.dismissed = False

    def dismiss(self) -> None:
        """The process is about to stop, and waits for whoever listens to go."""
        self.dismissed = True
        self._news.set()

    def push(self, envelopes: Sequence[Envelope]) -> int:
        """Keep what it wants, if that fits; answers how many did not."""
        wanted = self._wanted.among(envelopes)
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
        if not (self._waiting or self._lost or self.dismissed):
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
    """Tells the clients of one event loop in batches what happens on all nodes."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self.scheduler: Final = scheduler
        self._lock = free_in_child(threading.Lock())
        self._clients: set[Client] = set()
        self._connected: Counter[Transport] = Counter()
        self._home: asyncio.AbstractEventLoop | None = None
        self._hearing = Hearing(scheduler, self._hear)
        self._asked = False
        self._forget_stop = scheduler.events.subscribe(self._part, [EventType.STOPPING])
        self._told_until = 0.0
        scheduler.feed.look_for_listeners()

    @property
    def clients(self) -> int:
        """How many listen now."""
        return len(self._clients)

    def close(self) -> None:
        """Hear no more."""
        self._forget_stop()
        self._hearing.end()

    def join(
        self,
        wanted: Wanted = EVERYTHING,
        after: int | None = None,
        transport: Transport = "sse",
    ) -> Client:
        """A new client on the running loop, which is first told what it missed after ``after``."""
        client = Client(wanted, transport)
        self._hearing.begin()
        with self._lock:
            home = asyncio.get_running_loop()
            if home is not self._home:  # what was asked of one that is gone, was never done
                self._home, self._asked = home, False
            missed = self._hearing.after(after) if after is not None else ()
            self._clients.add(client)
            self._connected[transport] += 1
        if missed is None:
            client.resync()  # too long ago, or of a process before this one
        else:
            client.push(missed)
        self._tell(transport)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client; safe to repeat."""
        with self._lock:
            if client in self._clients:
                self._clients.discard(client)
                self._connected[client.transport] -= 1
        self._tell(client.transport)
        if not self._clients and self._home is not None and not self._home.is_closed():
            self._home.call_later(LINGER_SECONDS, self._end_alone)

    def _end_alone(self) -> None:
        if not self._clients:
            self._hearing.end()

    def _hear(self) -> None:
        """On any thread."""
        home = self._home
        if self._asked or home is None:
            return
        self._asked = True
        try:
            home.call_soon_threadsafe(self._spread_soon)
        except RuntimeError:  # it was closed, with all that listened on it
            self._asked = False

    def _part(self, _: Event) -> None:
        """On the thread that publishes."""
        if self._home is not None and not self._home.is_closed():
            self._home.call_soon_threadsafe(self.dismiss)

    def dismiss(self) -> None:
        """Let all clients go; on their loop."""
        with self._lock:
            members = list(self._clients)
        for client in members:
            client.dismiss()

    def _spread_soon(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(SOON, self._told_until - loop.time()), self._spread)

    def _spread(self) -> None:
        self._asked = False
        with self._lock:  # nobody joins in between, and is told twice
            found, members = self._hearing.take(), list(self._clients)
        loop = asyncio.get_running_loop()
        for first in range(0, len(members), _SLICE):
            some = members[first : first + _SLICE]
            if first:
                loop.call_later(first * _SECONDS_PER_CLIENT, self._push, found, some)
            else:
                self._push(found, some)
        self._told_until = loop.time() + len(members) * _SECONDS_PER_CLIENT
        if self._hearing.holds and not self._asked:
            self._asked = True
            self._spread_soon()

    def _push(self, found: Sequence[Envelope] | None, members: Sequence[Client]) -> None:
        dropped: Counter[Transport] = Counter()
        for client in members:
            if found is None:
                client.resync()
            else:
                dropped[client.transport] += client.push(found)
        for transport, number in dropped.items():
            if number:
                self._tell(transport, number)

    def _tell(self, transport: Transport, dropped: int = 0) -> None:
        """How many listen, to whoever counts."""
        events = self.scheduler.events
        if events.hears(EventType.LIVE):
            with self._lock:
                connections = self._connected[transport]
            data = {"transport": transport, "connections": connections, "dropped": dropped}
            now = self.scheduler.clock.now()
            events.publish(Event(EventType.LIVE, now, None, data))


async def batches(
    live: LiveEvents, client: Client, still: Callable[[], Awaitable[object]]
) -> AsyncGenerator[list[Envelope] | None]:
    """What ``Client.next`` answers, until it is dismissed; the client leaves in the end.

    ``still()`` is asked with every heartbeat, and as often where there is none, and ends this by
    what it raises: who listens must be let in all the time.
    """
    clock = live.scheduler.clock
    asked = clock.monotonic()
    try:
        while True:
            found = await client.next()
            if client.dismissed and not found:
                break
            if not found or clock.monotonic() - asked >= HEARTBEAT_SECONDS:
                await still()
                asked = clock.monotonic()
            yield found
    finally:
        live.leave(client)


async def server_sent(
    live: LiveEvents, wanted: Wanted, after: int | None, still: Callable[[], Awaitable[object]]
) -> AsyncIterator[str]:
    """The text of a stream of server-sent events, until the client goes or has to."""
    with suppress(Problem, SchedulerError):
        async with aclosing(batches(live, live.join(wanted, after), still)) as told:
            yield "retry: 2000\n\n"
            async for found in told:
                if found is None:
                    yield "event: resync\ndata: {}\n\n"
                else:
                    yield "".join(one.sent for one in found) or ": heartbeat\n\n"
