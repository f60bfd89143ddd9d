"""Measures how late the event loop is, so that a blocked loop shows in the health report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..clock import Clock

EVERY: Final = 0.5  # seconds


class Pulse:
    """Asks the loop to call back every half second and notes how late it does.

    ``check`` is called at each beat, on the loop.
    """

    def __init__(self, clock: Clock, check: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._check = check
        self._expected: float | None = None
        self._late = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def lag(self) -> float:
        """Seconds: of the last beat, or of the one that is overdue; readable from any thread."""
        if self._expected is None:
            return 0.0
        return max(self._late, self._clock.monotonic() - self._expected, 0.0)

    def start(self) -> None:
        """Begin, on the running loop."""
        self._expected = self._clock.monotonic() + EVERY
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._beat)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        self._expected = None

    def _beat(self) -> None:
        if self._expected is not None:
            self._late = max(self._clock.monotonic() - self._expected, 0.0)
            self._check()
            self.start()
