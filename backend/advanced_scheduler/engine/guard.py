"""Takes, keeps and gives back the lock of an execution, without blocking the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..clock import Clock
from ..errors import LockUnavailable
from ..events import Event, EventBus, EventType
from ..locks import Grant
from .lock_calls import LockCalls

Outage = Literal["wait", "fail", "store_lock"]


class Guard:
    """The locks of this node, with the policy for a lock server that is away.

    ``fallback`` is asked instead, if the policy is ``store_lock``. ``last_error`` is what the
    last command met; None when the server answers. While it does not, one execution at a time
    asks: a server that hangs would else hold a slot for each, and free tasks had none.
    """

    def __init__(
        self,
        calls: LockCalls,
        *,
        fallback: LockCalls | None,
        outage: Outage,
        events: EventBus,
        clock: Clock,
    ) -> None:
        self.outage = outage
        self.last_error: str | None = None
        self._calls = calls
        self._fallback = fallback if outage == "store_lock" else None
        self._events = events
        self._clock = clock
        self._asking = 0
        self._from_fallback: set[str] = set()

    async def take(self, task_id: str, timeout: float) -> Grant | None:
        """One try; None if somebody else holds it, ``LockUnavailable`` if nobody knows."""
        before = self._clock.monotonic()
        try:
            grant = await self._ask(task_id, timeout)
        except LockUnavailable:
            self._tell(EventType.LOCK, result="error", wait=self._clock.monotonic() - before)
            if self._fallback is None:
                raise
            grant = await self._fallback.take(task_id, timeout)
            if grant is not None:
                self._from_fallback.add(grant.lock_id)
        result = "contended" if grant is None else "acquired"
        self._tell(EventType.LOCK, result=result, wait=self._clock.monotonic() - before)
        return grant

    async def _ask(self, task_id: str, timeout: float) -> Grant | None:
        if self.last_error is not None and self._asking:
            raise LockUnavailable(self.last_error)
        self._asking += 1
        try:
            grant = await self._calls.take(task_id, timeout)
            self.last_error = None
        except LockUnavailable as error:
            self.last_error = str(error)
            raise
        finally:
            self._asking -= 1
        return grant

    async def settle(self) -> None:
        """Wait until no lock is on its way; no longer than two commands last."""
        await self._calls.settle()
        if self._fallback is not None:
            await self._fallback.settle()

    def keep(self, grant: Grant, on_lost: Callable[[Grant], None]) -> None:
        """Renew the lock until it is given back; ``on_lost`` is called from another thread."""

        def lost(grant: Grant) -> None:
            self._tell(EventType.LOCK_LOST, task_id=grant.task_id)
            on_lost(grant)

        self._holder(grant).locks.keep(grant, lost)

    async def give_back(self, grant: Grant, held_since: float) -> bool:
        """Release; False if the lock was no longer ours, so that the work does not count."""
        ours = await self._forget(grant).let_go(grant)
        self._tell(EventType.LOCK_RELEASED, held=self._clock.monotonic() - held_since)
        return ours

    def leave(self, grant: Grant) -> None:
        """Stop renewing without a release: a coroutine goes on, and its loop may end before it."""
        self._forget(grant).locks.abandon(grant)

    def at_end(self, grant: Grant) -> Callable[[], None]:
        """What to call, from any thread, when a body that nobody waits for any more has ended.

        Until then its lock is renewed, unless it was left.
        """
        holder = self._holder(grant)

        def ended() -> None:
            self._from_fallback.discard(grant.lock_id)
            holder.locks.abandoned_ended(grant)

        return ended

    def _forget(self, grant: Grant) -> LockCalls:
        holder = self._holder(grant)
        self._from_fallback.discard(grant.lock_id)
        return holder

    def _holder(self, grant: Grant) -> LockCalls:
        if self._fallback is not None and grant.lock_id in self._from_fallback:
            return self._fallback
        return self._calls

    def _tell(self, type_: EventType, **data: object) -> None:
        if self._events.hears(type_):
            self._events.publish(Event(type_, self._clock.now(), None, data))
