"""Owns the virtual node: a real one, of which every part is stepped by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from ..config import Settings
from ..context import TaskContext, current_execution
from ..engine.commands import Commands
from ..engine.node import Node
from ..engine.parts import assemble
from ..engine.schedules import Schedules
from ..errors import StoreUnavailable
from ..models import TaskDefinition
from .faults import FaultyStore
from .journal import Journal, Mark
from .watch import Actor, Watch, signed
from .world import NodeClock, SharedStore, SteppedLocks

FOREVER: Final = 1e6  # seconds that a graceful stop waits: until the simulation ends the bodies
TURNS: Final = 8  # of the event loop, until all that can go on without us has done so


class SimulatedFailure(Exception):
    """What a body raises."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body that runs until ``end`` is given a result or an exception."""

    context: TaskContext
    end: asyncio.Future[None]

    def finish(self) -> None:
        """Let it return."""
        if not self.end.done():
            self.end.set_result(None)

    def raise_(self, error: BaseException) -> None:
        """Let it raise."""
        if not self.end.done():
            self.end.set_exception(error)


class VirtualNode(Node):
    """A node without threads and timers: nothing happens on it but by a call from outside.

    ``sleep`` is what a slow call to the store does. Once ``gone`` the node is dead, or has
    stopped: nothing it does reaches the store any more.
    """

    def __init__(
        self,
        name: str,
        *,
        shared: SharedStore,
        clock: NodeClock,
        settings: Settings,
        tasks: Sequence[TaskDefinition],
        slots: int,
        journal: Journal,
        watch: Watch,
        sleep: Callable[[float], object],
    ) -> None:
        self.name = name
        self.clock = clock
        self.gone = False
        self.suspended = False
        self.bodies: list[Body] = []
        self.leaving: asyncio.Task[None] | None = None
        self.store = FaultyStore(shared, sleep=sleep, done=lambda _: watch.look(self._actor()))
        self._journal = journal
        self._watch = watch
        parts = assemble(None, store=self.store.face, settings=settings, clock=clock)
        self.locks = SteppedLocks(shared, clock)
        self.parts = replace(parts, locks=self.locks)
        self.commands = Commands(self.parts)
        self.schedules = Schedules(self.parts)
        super().__init__(self.parts, name=name, limit=slots)
        self.home = asyncio.get_running_loop()
        self.heartbeat = self._make_heartbeat()
        for task in tasks:
            self.commands.register(replace(task, func_path=self._body))

    async def work(self) -> None:
        """One pass of the dispatcher, and the first steps of what it starts."""
        with suppress(StoreUnavailable):
            await self.dispatcher.work()

    def sweep(self) -> None:
        """One round of the housekeeper."""
        with suppress(StoreUnavailable):
            self.housekeeper.sweep()

    def tick(self) -> None:
        """One look at the schedules."""
        with suppress(StoreUnavailable):
            self.parts.ticker.tick()

    def beat(self) -> None:
        """One round of the heartbeat, one of the locks, and one look at the clock."""
        assert self.heartbeat is not None
        self._check_leases()
        self.heartbeat.beat()
        self.locks.tend()

    def leave(self, *, wait: bool) -> None:
        """Begin to stop; ``gone`` when that has come to its end."""
        self.draining = True
        self.dispatcher.accepting = False
        self.leaving = asyncio.create_task(self._leave(FOREVER if wait else 0.0))

    def die(self) -> None:
        """At once, with all that it held."""
        self.gone = True
        self.store.break_down()
        self.bodies.clear()
        self.close()

    async def _leave(self, seconds: float) -> None:
        await self._drain(seconds)
        await self.guard.settle()
        if not self.gone:
            self._journal.tell(f"{self.name} has stopped")
            self.die()

    def _actor(self) -> Actor:
        now = self.clock.now()
        return Actor(self.name, now, self.store.store.time() or now)

    async def _body(self) -> str:
        context = current_execution()
        body = Body(context, asyncio.get_running_loop().create_future())
        self.bodies.append(body)
        self._write(Mark.START, context)
        try:
            await body.end
        except asyncio.CancelledError:
            self._write(Mark.CUT, context)
            raise
        except BaseException:
            self._write(Mark.RAISED, context)
            raise
        finally:
            if body in self.bodies:
                self.bodies.remove(body)
        self._write(Mark.END, context)
        return signed(context.fence)

    def _write(self, mark: Mark, context: TaskContext) -> None:
        if not self.gone:
            self._watch.wrote(self._journal.write(mark, self.name, context))


async def settle() -> None:
    """Let the event loop do all that waits for nothing."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
