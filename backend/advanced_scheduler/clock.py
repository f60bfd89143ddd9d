"""Owns the time: the only module that asks the operating system for it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .forks import free_in_child


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

    monotonic = staticmethod(time.monotonic)
    """Seconds since some fixed moment."""


class ManualClock:
    """A clock that moves only when it is told to; for tests and simulations."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = _in_utc(start)
        self._moved = timedelta(0)
        self._lock = free_in_child(threading.Lock())

    def now(self) -> datetime:
        """The instant that the clock was last set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that the clock was moved forward since it was made."""
        return self._moved.total_seconds()

    def advance(self, delta: timedelta = timedelta(0), **parts: float) -> datetime:
        """Move forward by ``delta`` and by ``timedelta`` keywords such as ``minutes=5``.

        Raises ``ValueError`` if that would be backwards; ``set`` does that.
        """
        step = delta + timedelta(**parts)
        if step < timedelta(0):
            raise ValueError(f"advance({step}) would go back; use set() for that")
        with self._lock:
            return self._move(self._now + step)

    def set(self, instant: datetime) -> datetime:
        """Jump to ``instant`` (aware), backwards too; ``monotonic`` never goes back."""
        with self._lock:
            return self._move(_in_utc(instant))

    def _move(self, instant: datetime) -> datetime:
        self._moved += max(instant - self._now, timedelta(0))
        self._now = instant
        return instant


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone; give an aware datetime")
    return instant.astimezone(UTC)
