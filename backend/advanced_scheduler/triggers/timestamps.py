"""Owns the trigger that runs at a list of moments of a job's own, elapsed time."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from ..errors import InvalidTrigger
from .trigger import Moment, Trigger, duration, microseconds, moment
from .zones import EPOCH, LATEST

MOST: Final = 100_000


class TimestampTrigger(Trigger):
    """Runs at each of ``timestamps``: milliseconds of the job's elapsed time, 0 or more.

    They are sorted; equal ones are kept apart by a microsecond each. Time elapses from
    ``start_time`` on (naive: UTC), or from when the job is scheduled if that is None, and it
    stops while the job is paused: ``paused_seconds`` is for how long it was. Raises
    InvalidTrigger, also for more than 100,000 timestamps.
    """

    kind: ClassVar[str] = "timestamps"

    def __init__(
        self,
        timestamps: Sequence[float],
        start_time: Moment | None = None,
        paused_seconds: float = 0.0,
    ) -> None:
        listed = _checked(timestamps)
        start = None if start_time is None else moment("start_time", start_time, UTC)
        paused = duration("paused_seconds", paused_seconds)
        super().__init__(
            {
                "timestamps": listed,
                "start_time": None if start is None else start.isoformat(),
                "paused_seconds": float(paused_seconds),
            }
        )
        self._start = start
        self._begin = 0 if start is None else microseconds(start) + paused
        self._offsets = _apart(listed)
        if self._begin + self._offsets[-1] >= LATEST * 1_000_000:
            raise InvalidTrigger(f"timestamps: {listed[-1]!r} ms is after the year 9998")

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first instant after ``previous_fire_time``, or from ``now`` on, in UTC.

        Raises InvalidTrigger without a ``start_time``; see ``starting``.
        """
        if self._start is None:
            raise InvalidTrigger(
                "the trigger has no start_time: give one, or use starting(now), as a scheduler does"
            )
        if previous_fire_time is None:
            at = bisect_left(self._offsets, microseconds(now) - self._begin)
        else:
            at = bisect_right(self._offsets, microseconds(previous_fire_time) - self._begin)
        if at == len(self._offsets):
            return None
        return EPOCH + timedelta(microseconds=self._begin + self._offsets[at])

    def starting(self, now: datetime) -> TimestampTrigger:
        """The same with ``now`` as its ``start_time``, unless it has one."""
        return self if self._start else self._with(now, 0)

    def index_of(self, instant: datetime) -> int | None:
        """Which of the sorted timestamps ``instant`` is, from 0 on; None if it is none."""
        if self._start is None:
            return None
        offset = microseconds(instant) - self._begin
        at = bisect_left(self._offsets, offset)
        return at if at < len(self._offsets) and self._offsets[at] == offset else None

    def after_pause(self, paused_from: datetime, now: datetime) -> TimestampTrigger:
        """The same, later by as much of the pause up to ``now`` as was after its start."""
        if self._start is None:
            return self
        pause = microseconds(now) - max(microseconds(paused_from), self._begin)
        return self._with(self._start, pause) if pause > 0 else self

    def _with(self, start: datetime, pause: int) -> TimestampTrigger:
        paused = duration("paused_seconds", float(self._arguments["paused_seconds"])) + pause  # type: ignore[arg-type]
        return TimestampTrigger(self._arguments["timestamps"], start, paused / 1_000_000)  # type: ignore[arg-type]

    def __str__(self) -> str:
        count = len(self._offsets)
        moments = "moment" if count == 1 else "moments"
        since = f"from {self._start:%Y-%m-%d %H:%M:%S}, UTC" if self._start else "of its own time"
        return f"at {count} {moments} within {self._offsets[-1] / 1_000_000:g} s {since}"


def _checked(timestamps: object) -> list[float]:
    """The timestamps, sorted; whole ones as int, so that equal lists are the same JSON."""
    if not isinstance(timestamps, Sequence) or isinstance(timestamps, str | bytes):
        raise InvalidTrigger(f"timestamps={timestamps!r} is not a list of milliseconds")
    if not 1 <= len(timestamps) <= MOST:
        raise InvalidTrigger(
            f"timestamps has {len(timestamps)} items; give from 1 to {MOST:,} milliseconds"
        )
    for at, item in enumerate(timestamps):
        if isinstance(item, bool) or not isinstance(item, int | float) or not 0 <= item < math.inf:
            raise InvalidTrigger(
                f"timestamps[{at}]={item!r} is not a number of milliseconds, 0 or more"
            )
    return sorted(int(item) if item == int(item) else item for item in timestamps)


def _apart(milliseconds: Sequence[float]) -> list[int]:
    """Microseconds, each later than the one before."""
    offsets: list[int] = []
    last = -1
    for item in milliseconds:
        last = max(round(item * 1000), last + 1)
        offsets.append(last)
    return offsets
