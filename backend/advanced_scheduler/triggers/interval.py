"""Owns the trigger that runs at equal distances."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import ClassVar, Final

from ..errors import InvalidTrigger
from .recurring import SECOND, RecurringTrigger
from .trigger import Moment, duration, microseconds
from .zones import DAY, EPOCH, LATEST, localize

_UNITS: Final = (
    ("week", 7 * DAY * SECOND),
    ("day", DAY * SECOND),
    ("hour", 3600 * SECOND),
    ("minute", 60 * SECOND),
    ("second", SECOND),
)


class IntervalTrigger(RecurringTrigger):
    """Runs at ``start_time`` and every ``interval`` (a timedelta, or seconds) of real time after.

    Instants are multiples counted from one anchor, so late runs never shift later ones. Without
    a ``start_time`` the anchor is 1970-01-01 00:00 in ``timezone``: an hourly trigger runs at
    the full hour there, and a restart moves nothing. The other arguments are those of
    RecurringTrigger. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "interval"

    def __init__(
        self,
        interval: float | timedelta,
        *,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        timezone: str | tzinfo = "UTC",
        jitter: float | None = None,
        jitter_seed: str | None = None,
        max_runs: int | None = None,
    ) -> None:
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else interval
        self._interval = duration("interval", seconds)
        if not self._interval:
            raise InvalidTrigger(f"interval={interval!r} must be at least a microsecond")
        super().__init__(
            {"interval": float(seconds)},
            timezone=timezone,
            start_time=start_time,
            end_time=end_time,
            max_runs=max_runs,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )
        if start_time is None:
            self._anchor = microseconds(localize(EPOCH.replace(tzinfo=None), self._zone))
        else:
            self._anchor = self._start

    def __str__(self) -> str:
        return self._in_words(f"every {_in_words(self._interval)}")

    def _following(self, after: int) -> int | None:
        found = after + self._interval - (after - self._anchor) % self._interval
        return found if found < LATEST * SECOND else None

    def _granted(self, instant: int, max_runs: int) -> bool:
        return (instant - self._anchor) // self._interval < max_runs


def _in_words(interval: int) -> str:
    """The largest unit of which the interval (microseconds) is a multiple, and how many."""
    for unit, size in _UNITS:
        if interval % size == 0:
            return unit if interval == size else f"{interval // size} {unit}s"
    return f"{interval / SECOND:g} seconds"
