"""Tells the time that all nodes agree on: what runs out, runs out for all of them at once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ..clock import Clock
from ..engine.lease_clock import LeaseClock
from ..stores.base import Store

ASKED_SECONDS: Final = 60.0
"""How long an answer of the server is carried on; also across a sleep of the machine."""


class SharedClock:
    """A ``Clock``: that of the store's server, asked again each minute, or else of this node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._shared = LeaseClock(store, clock)
        self._clock = clock
        self._asked = clock.now()

    def now(self) -> datetime:
        """The time in UTC; raises ``StoreUnavailable``."""
        here = self._clock.now()
        if abs((here - self._asked).total_seconds()) >= ASKED_SECONDS:
            self._shared.ask()
            self._asked = here
        return self._shared.now()

    def monotonic(self) -> float:
        """Seconds that never go back, of this node."""
        return self._clock.monotonic()
