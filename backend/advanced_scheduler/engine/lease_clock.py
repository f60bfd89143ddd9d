"""Tells the time by which leases run: the server's, so that nodes whose clocks differ agree."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..clock import Clock
from ..stores.base import Store


class LeaseClock:
    """A ``Clock``: that of the store's server, or this node's where the store has none.

    The server's time is asked for now and then and carried on with the monotonic clock. An
    answer is older than the moment it is read, so this clock is never ahead of the server's:
    whatever delays this node, it takes no lease for longer than it should, and believes no
    lease of others to be over too early.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._answer: tuple[datetime, float] | None = None
        self._asked = False

    def now(self) -> datetime:
        """The time; the first call asks the server, and may raise ``StoreUnavailable``."""
        if not self._asked:
            self.ask()
        if self._answer is None:
            return self._clock.now()
        told, heard = self._answer
        return told + timedelta(seconds=self._clock.monotonic() - heard)

    def monotonic(self) -> float:
        """Seconds that never go back, of this node."""
        return self._clock.monotonic()

    def ask(self) -> None:
        """Ask the server again; raises ``StoreUnavailable``."""
        told = self._store.time()
        self._answer = None if told is None else (told, self._clock.monotonic())
        self._asked = True
