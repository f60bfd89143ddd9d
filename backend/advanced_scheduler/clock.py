"""Owns the time: the only module that asks the operating system for it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the rest of the package knows of time."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring durations."""
        ...


class SystemClock:
    """The clock of this machine, moved by ``offset_seconds`` (to test clocks that differ)."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self._offset = timedelta(seconds=offset_seconds)

    def now(self) -> datetime:
        """The current instant in UTC."""
        return datetime.now(UTC) + self._offset if self._offset else datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when it is told to; for tests and simulations."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start={start!r} has no time zone; give an aware datetime")
        self._start = self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The instant that the clock was last set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that the clock was moved since it was made."""
        return (self._now - self._start).total_seconds()

    def advance(self, delta: timedelta | None = None, **parts: float) -> datetime:
        """Move forward by ``delta``, or by ``timedelta`` keywords such as ``minutes=5``."""
        with self._lock:
            self._now += timedelta(**parts) if delta is None else delta
            return self._now

    def set(self, instant: datetime) -> datetime:
        """Jump to ``instant`` (aware), backwards too."""
        with self._lock:
            self._now = instant.astimezone(UTC)
            return self._now
