"""One running scheduler process: puts the parts of the engine together, starts and stops them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from typing import Final

from ..errors import SchedulerStateError, StoreError
from ..events import Event, EventType
from ..forks import renew_in_child
from ..locks import DistributedTaskLock
from ..models import Duties, Role
from ..stores.abilities import Signal
from .commands import Commands
from .desk import Desk
from .dispatcher import DeskOf, Dispatcher
from .guard import Guard
from .heartbeat import Heartbeat
from .hosting import elsewhere
from .housekeeper import Housekeeper
from .lock_calls import AtOnce, Batched, LockCalls
from .loop import Loop
from .offload import InThreads, Offload, inline
from .parts import Parts
from .pools import Places, Pools
from .presence import Presence
from .pulse import Pulse
from .recorder import Recorder
from .runner import Stop
from .timer import Host, Timer

logger = logging.getLogger(__name__)

_REVOKED: Final = EventType.REVOKED
WAITING: Final = "node %s waits up to %g s for %d executions to end; interrupt again to end now"
EVERY_DUTY: Final = Duties()


class Node:
    """From ``start`` to ``stop``; a scheduler that starts again makes a new one."""

    def __init__(
        self,
        parts: Parts,
        *,
        name: str,
        limit: int,
        duties: Duties = EVERY_DUTY,
        pools: Pools | None = None,
    ) -> None:
        boot = secrets.token_hex(4)
        self.id = f"{name}:{boot}"  # the name may be used twice; the boot id not
        self.draining = False
        self.stopped = False
        self.home: asyncio.AbstractEventLoop | None = None
        self.timer: Timer | None = None
        self.heartbeat: Heartbeat | None = None
        self.pulse = Pulse(parts.clock, self._check_leases)
        pools = pools or Pools()
        self.executors = Places(limit, parts.settings.result_limit_bytes, pools)
        self._parts = parts
        poll = parts.settings.poll_seconds
        # Nodes that were started together do not sweep in step.
        self._rests = chain([poll * int(boot, 16) / 16**8], repeat(poll))
        self._lease = timedelta(seconds=parts.settings.lease_seconds)
        self._threads = InThreads(4, "advanced-scheduler-store")
        # Apart: a lock server that hangs must not keep us from the store.
        self._lock_thread = InThreads(1, "advanced-scheduler-locks")
        self._offload: Offload = self._threads if parts.store.blocking else inline
        self.guard = _guard(parts, self._threads, self._lock_thread)
        self.dispatcher = self._make_dispatcher(limit, duties, _desk(parts, pools, self._offload))
        self.housekeeper = Housekeeper(parts, lambda: self.dispatcher.held.copy().keys())
        self.presence = Presence(
            parts, self.dispatcher, self.pulse, node_id=self.id, name=name, changed=self._hurry
        )
        self._loops: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._sweeping: Loop | None = None
        renew_in_child(self, Node._leave_to_parent)
        self._unsubscribe = parts.events.subscribe(
            self._hear,
            [
                *(EventType.SCHEDULED, EventType.UNBLOCKED, EventType.RECOVERED),
                *(EventType.REORDERED, EventType.REVOKED),
            ],
        )
        self.recorder = Recorder(parts.store, parts.events, parts.clock, self.id)
        self._end_signals: Callable[[], None] = lambda: None

    async def start(self, apscheduler: Host) -> None:
        """Run on the caller's event loop from now on; of what fails, or is cancelled, all ends."""
        self.home = asyncio.get_running_loop()
        self._starting = asyncio.create_task(self._start(apscheduler))
        try:
            await asyncio.shield(self._starting)
        except BaseException:
            await self.stop(wait=False)
            raise

    async def _start(self, apscheduler: Host) -> None:
        poll = self._parts.settings.poll_seconds
        self._start_executors()
        if Role.SCHEDULER in self.dispatcher.duties.roles:
            failed = partial(_store_failed, self._parts, "fire")
            self.timer = _started_timer(self._parts, apscheduler, failed)  # first: it may refuse
        self.dispatcher.loop = Loop(
            "dispatcher",
            self.dispatcher.work,
            retry_seconds=poll,
            failed=partial(_store_failed, self._parts, "exchange"),
        )
        self._sweeping = Loop(
            "housekeeper",
            self._sweep,
            retry_seconds=poll,
            failed=partial(_store_failed, self._parts, "sweep"),
        )
        self.heartbeat = self._make_heartbeat()
        self.heartbeat.start()
        self.pulse.start()
        self._end_signals = await self._offload(self._parts.signals.hear, self._signalled)
        await self._offload(self.presence.show)
        self._loops = [
            asyncio.create_task(self.dispatcher.loop.run(), name="advanced-scheduler-dispatcher"),
            asyncio.create_task(self._sweeping.run(), name="advanced-scheduler-housekeeper"),
        ]
        logger.info("node %s started", self.id)

    async def stop(self, *, wait: bool) -> None:
        """Claim no more; let running work end (``wait``) or give it back; then end all threads.

        Goes on though its caller is cancelled, as a task is that stops its own scheduler; a
        second call waits for the first. Raises ``SchedulerStateError`` on a foreign event loop.
        """
        if self._orphaned:
            self._abandon()
            return
        self.check_home()
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(wait=wait))
        await asyncio.shield(self._stopping)

    async def _stop(self, *, wait: bool) -> None:
        self.draining = True
        self.dispatcher.accepting = False
        seconds = self._parts.settings.drain_seconds if wait else 0.0
        if self._starting is not None:  # its threads are ended once they have all begun
            await asyncio.wait([self._starting])
        try:
            await asyncio.to_thread(self._end_signals)
            if self.timer is not None:
                await asyncio.to_thread(self.timer.stop)
            await self._drain(seconds)
            await self.guard.settle()
            for loop in (self.dispatcher.loop, self._sweeping):
                if loop is not None:
                    loop.stop()
            await asyncio.gather(*self._loops, return_exceptions=True)
            if self.heartbeat is not None:
                await asyncio.to_thread(self.heartbeat.stop)
                await asyncio.to_thread(self.presence.leave)
            self.pulse.stop()
            self.close()
        finally:
            self.stopped = True
        logger.info("node %s stopped", self.id)

    def _abandon(self) -> None:
        """End the threads that a closed event loop has left; the leases run out."""
        self._end_signals()
        if self.timer is not None:
            self.timer.stop()
        if self.heartbeat is not None:
            self.heartbeat.stop()
        self.pulse.stop()
        self.close()
        self.stopped = True

    async def step(self) -> int:
        """Sweep, tick, claim, run and settle once, with no thread but those of the tasks."""
        self.home = asyncio.get_running_loop()
        self._start_executors()
        await self._offload(self.housekeeper.sweep)
        await self._offload(self.presence.listen)
        if Role.SCHEDULER in self.dispatcher.duties.roles:
            await self._offload(self._parts.ticker.tick)
        return await self.dispatcher.step()

    def close(self) -> None:
        """Release the threads and processes; running bodies are not waited for."""
        self._unsubscribe()
        self.recorder.close()
        for executor in self.executors.values():
            executor.shutdown()
        self._threads.close()
        self._lock_thread.close()

    def _leave_to_parent(self) -> None:
        """In a forked process: this is a copy of what runs in the parent, and must do nothing."""
        self._unsubscribe()
        self.recorder.close()
        for loop in (self.dispatcher.loop, self._sweeping):
            if loop is not None:
                loop.disown()

    def interrupt(self, execution_id: str, why: Stop, fence: int | None = None) -> None:
        """Stop a run of this node; safe from any thread."""
        if self.home is not None and not self.home.is_closed():
            with suppress(RuntimeError):  # the loop was closed in between
                self.home.call_soon_threadsafe(self.dispatcher.interrupt, execution_id, why, fence)

    def is_home(self) -> bool:
        """Whether the caller is on the event loop that runs this node."""
        try:
            return asyncio.get_running_loop() is self.home
        except RuntimeError:
            return False

    def check_home(self) -> None:
        """Raise ``SchedulerStateError`` unless the caller is on that loop."""
        if not self.is_home():
            raise SchedulerStateError(elsewhere(self.home))

    @property
    def ending(self) -> bool:
        """Whether it stops, or its event loop was closed without a stop."""
        return self._stopping is not None or self._orphaned

    @property
    def _orphaned(self) -> bool:
        return self.home is not None and self.home.is_closed()

    @property
    def abandoned(self) -> int:
        """How many bodies are still at work that nobody waits for."""
        return sum(executor.abandoned for executor in self.executors.copy().values())

    def _start_executors(self) -> None:
        for executor in self.executors.values():
            executor.start()

    def _make_dispatcher(self, limit: int, duties: Duties, desk: DeskOf) -> Dispatcher:
        parts = self._parts
        return Dispatcher(
            parts,
            runner=parts.runner(
                clock=parts.clock,
                events=parts.events,
                arguments=parts.arguments,
                retries=parts.retries,
                executors=self.executors,
                guard=self.guard,
                look_up=partial(self._offload, parts.store.get),
                busy_seconds=min(0.5, parts.settings.poll_seconds),
                lapsed=lambda row: self.heartbeat is not None and self.heartbeat.lapsed(row),
            ),
            settler=parts.settler,
            node=self.id,
            limit=limit,
            duties=duties,
            lease=self._lease,
            poll_seconds=parts.settings.poll_seconds,
            offload=self._offload,
            desk=desk,
        )

    def _make_heartbeat(self) -> Heartbeat:
        return Heartbeat(
            self._parts,
            node=self.id,
            lease=self._lease,
            every=self._parts.settings.renewal,
            # What a closed loop has left is for others: its runs have ended, or will not be heard.
            held=lambda: {} if self._orphaned else self.dispatcher.held.copy(),
            lost=self._lost,
            failed=partial(_store_failed, self._parts, "extend"),
            show=self._show,
        )

    async def _drain(self, seconds: float) -> None:
        """What cannot be stored now runs out with its lease, and another node takes it."""
        if seconds and (at_work := len(self.dispatcher.running)):
            logger.warning(WAITING, self.id, seconds, at_work)
        try:
            await self.dispatcher.drain(seconds)
        except StoreError as error:
            logger.warning("node %s stops without giving its work back: %s", self.id, error)
        except Exception:  # whatever it is: a node that renewed on would keep the work for ever
            logger.exception("node %s stops without giving its work back", self.id)

    async def _sweep(self) -> float:
        await self._offload(self.presence.listen)
        await self._offload(self.recorder.write)
        sweep = partial(self._parts.times.call, "sweep", self.housekeeper.round)
        if await self._offload(sweep):
            self.dispatcher.wake()
        return next(self._rests)

    def _lost(self, gone: Collection[tuple[str, int]]) -> None:
        """Called by the heartbeat's thread."""
        for execution_id, fence in gone:
            self.interrupt(execution_id, Stop.LEASE_LOST, fence)

    def _check_leases(self) -> None:
        """A store that hangs holds up the heartbeat too: what it cannot renew is lost."""
        if self.heartbeat is not None and self.heartbeat.overdue:
            self._lost(list(self.dispatcher.held.items()))

    def _hear(self, event: Event) -> None:
        """New work, or less of it, from any thread of this process."""
        if event.execution is None:
            return  # unblocked by an exchange, which has claimed what there is a free slot for
        if event.type is _REVOKED:
            self.interrupt(event.execution.execution_id, Stop.CANCELLED)
        else:
            self.dispatcher.wake()

    def _signalled(self, signal: Signal) -> None:
        """What another node tells, on a thread of the store."""
        if signal is Signal.WORK:
            self.dispatcher.wake()
        elif signal is Signal.SCHEDULES and self.timer is not None:
            self.timer.wake()
        elif signal is Signal.REVOKED:
            self._hurry()
        elif signal is Signal.ORDERS and self._sweeping is not None:
            self._sweeping.wake()

    def _show(self) -> bool:
        return self._orphaned or self.presence.show()

    def _hurry(self) -> None:
        if self.heartbeat is not None:
            self.heartbeat.hurry()


def _desk(parts: Parts, pools: Pools, offload: Offload) -> DeskOf:
    return partial(
        Desk,
        ground=parts,
        commands=Commands(parts, pools),
        offload=offload,
        log_lines=parts.settings.task_log_lines,
    )


def _started_timer(parts: Parts, apscheduler: Host, failed: Callable[[Exception], None]) -> Timer:
    timer = Timer(
        apscheduler=apscheduler,
        tick=parts.ticker.tick,
        failed=failed,
        clock=parts.clock,
        poll_seconds=parts.settings.poll_seconds,
    )
    timer.start()
    timer.wake()
    return timer


def _guard(parts: Parts, store_threads: InThreads, lock_thread: InThreads) -> Guard:
    def calls(locks: DistributedTaskLock) -> LockCalls:
        if locks.kind == "process":
            return AtOnce(locks)
        return Batched(locks, store_threads if locks.kind == "store" else lock_thread)

    beside = parts.fallback_locks
    return Guard(
        calls(parts.locks),
        fallback=None if beside is None else calls(beside),
        outage=parts.settings.lock_outage,
        events=parts.events,
        clock=parts.clock,
    )


def _store_failed(parts: Parts, operation: str, error: Exception) -> None:
    data = {"operation": operation, "error": str(error)}
    parts.events.publish(Event(EventType.STORE_ERROR, parts.clock.now(), None, data))
