"""Makes execution ids: UUID version 7 (RFC 9562), so that ids sort by the time of their making."""

from __future__ import annotations

import random
import threading
from datetime import datetime
from typing import Final

_COUNTER_BITS: Final = 12
_COUNTER_END: Final = 1 << _COUNTER_BITS


class ExecutionIds:
    """Strictly increasing within one object, whatever the clock does; safe from any thread.

    The noise comes from the operating system unless ``rng`` is given, so that two processes
    that were forked from one never make the same id.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()
        self._lock = threading.Lock()
        self._last = -1  # milliseconds and counter in one number

    def make(self, now: datetime) -> str:
        """An id for something made at ``now`` (aware)."""
        at = int(now.timestamp() * 1000) << _COUNTER_BITS
        with self._lock:
            self._last = at = at if at > self._last else self._last + 1
            noise = self._rng.getrandbits(62)
        ms, counter = divmod(at, _COUNTER_END)
        value = (ms << 80) | ((0x7000 | counter) << 64) | (0b10 << 62) | noise
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
