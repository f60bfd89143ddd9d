"""Owns waiting: one loop that works, then sleeps until there is a reason to work again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from ..errors import StoreUnavailable
from .leaving import program_ends

logger = logging.getLogger(__name__)

MAX_BACKOFF = 3.0  # seconds: a store that is back shall not wait for us


class Loop:
    """Calls ``work`` until stopped; ``work`` answers how many seconds it can wait.

    Must be made on the event loop that is to run it. A pass that fails is tried again, after
    ``retry_seconds`` at first and twice as long each time, up to 3 s.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[float]],
        *,
        retry_seconds: float,
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._work = work
        self._retry = retry_seconds
        self._failed = failed
        self._home = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False
        self._deaf = False  # after a failure: a wake-up would make a busy loop of it
        self._stopping = False

    def wake(self) -> None:
        """Ask for a pass now; safe from any thread, cheap when one is already asked for."""
        if self._woken:
            return
        self._woken = True
        if threading.get_ident() == self._thread:
            self._rouse()
        elif not self._home.is_closed():
            try:
                self._home.call_soon_threadsafe(self._rouse)
            except RuntimeError:  # the loop was closed in between: nobody is left to wake
                logger.debug("the loop of %s is closed", self._name)

    def stop(self) -> None:
        """End after the pass in hand: cancelling it could lose what it has just claimed."""
        self._stopping = True
        self._woken = False
        self.wake()

    def disown(self) -> None:
        """In a forked process: end as well, but send no signal, which the parent would get."""
        self._stopping = self._woken = True

    async def run(self) -> None:
        """Work and wait until ``stop``, or until the program ends around it."""
        failures = 0
        while not self._stopping:
            self._woken = False
            try:
                delay = await self._work()
                failures = 0
            except Exception as error:
                if program_ends():
                    return
                delay = min(self._retry * 2.0 ** min(failures, 10), MAX_BACKOFF)
                failures += 1
                self._report(error, delay)
            self._deaf = failures > 0
            if not self._stopping:
                await self._wait(delay)

    def _report(self, error: Exception, delay: float) -> None:
        known = isinstance(error, StoreUnavailable)
        logger.log(
            logging.WARNING if known else logging.ERROR,
            "%s: %s; trying again in %.1f s",
            self._name,
            error if known else repr(error),
            delay,
            exc_info=None if known else error,
        )
        self._failed(error)

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(0)  # let the tasks that were just started take their first step
        if seconds <= 0 or self._stopping or (self._woken and not self._deaf):
            return
        waiter = self._waiter = self._home.create_future()
        timer = self._home.call_later(seconds, _resolve, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _rouse(self) -> None:
        if self._waiter is not None and (self._stopping or not self._deaf):
            _resolve(self._waiter)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
