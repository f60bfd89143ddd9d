"""The part of the face that is about starting and stopping, and about who hosts the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Self

from .clock import Clock
from .engine.callbacks import Callbacks
from .engine.host import TimerHost
from .engine.hosting import hosted
from .engine.leaving import at_exit, heard_first
from .engine.node import Node
from .engine.parts import Parts
from .engine.pools import Pools
from .events import Event, EventBus, EventType
from .models import Duties


class HostingCalls:
    """Calls that start and stop the engine, on a loop of the caller's or in a thread of its own."""

    name: str
    max_concurrent_tasks: int
    duties: Duties
    queues: frozenset[str] | None
    clock: Clock
    events: EventBus
    _parts: Parts
    _host: TimerHost
    _pools: Pools
    _callbacks: Callbacks
    _node: Node | None
    _stepper: Node | None

    @property
    def started(self) -> bool:
        """Whether it was started in this process, and not stopped since."""
        return self._node is not None and not self._node.ending

    async def start(self) -> None:
        """Run on the caller's event loop; does nothing if it runs there already."""
        if self._node is not None and self._node.ending:
            await self.stop()
        if self._node is not None:
            self._node.check_home()
            return
        self._host.check()
        self._end_stepper()
        self._node = node = self._new_node()
        try:
            await node.start(self._host.apscheduler)
        finally:
            if node.stopped and self._node is node:
                self._node = None

    async def stop(self, wait: bool = True) -> None:
        """Claim no more; let running work end within ``drain_seconds``, or give it back at once.

        Who waits lets the callbacks of what has ended return as well, for 5 seconds at most.
        """
        await self._stop_node(wait)
        if wait:
            await asyncio.to_thread(self._callbacks.drain)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Start and stop with an ASGI application: ``FastAPI(lifespan=scheduler.lifespan)``.

        A signal that ends the server is heard first, see ``announce_stop``.
        """
        await self.start()
        try:
            with self._announced(asyncio.get_running_loop()):
                yield
        finally:
            await self.stop()

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Host the engine in a thread, for programs that have no event loop."""
        with hosted(self.start, self._stop_node):
            yield self
        self._callbacks.drain()  # in this thread: it may be theirs

    def run_until_exit(self) -> None:
        """Host the engine in a thread until the program ends; does nothing if it runs already.

        For WSGI servers, which tell nobody when they stop: called in each process, after the fork.
        At the end running work may end within ``drain_seconds``; from Python 3.12 on it is cut off
        (no thread can be started then), and taken up when its lease has run out.
        """
        if self.started:
            return
        hosting = ExitStack()
        hosting.enter_context(self.running())
        if self._node is not None and self._node.home is not None:
            hosting.enter_context(self._announced(self._node.home))
        at_exit(hosting.close)

    def announce_stop(self) -> None:
        """Be not ready any more, and let live streams end, since the process is about to stop.

        What runs goes on, and work is taken, until ``stop``.
        """
        if self._node is not None:
            self._node.draining = True
        self.events.publish(Event(EventType.STOPPING, self.clock.now()))

    async def _stop_node(self, wait: bool = True) -> None:
        if (node := self._node) is None:
            return
        try:
            await node.stop(wait=wait)
        finally:
            if node.stopped and self._node is node:
                self._node = None

    def _announced(self, home: asyncio.AbstractEventLoop) -> AbstractContextManager[None]:
        def announce() -> None:
            if not home.is_closed():
                home.call_soon_threadsafe(self.announce_stop)

        return heard_first(announce)

    def _new_node(self) -> Node:
        return Node(
            self._parts,
            name=self.name,
            limit=self.max_concurrent_tasks,
            duties=replace(self.duties, queues=self.queues),
            pools=self._pools,
        )

    def _end_stepper(self) -> None:
        if self._stepper is not None:
            self._stepper.close()
            self._stepper = None
