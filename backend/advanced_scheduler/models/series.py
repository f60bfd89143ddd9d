"""What happened on all nodes over a span of time, as charts draw it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

OUTCOMES: Final = ("completed", "failed", "timed_out", "cancelled", "skipped")

BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0),
)
"""Upper bounds, in seconds, of the buckets that durations are counted in; the last one has none."""


def bucket_of(seconds: float) -> int:
    """The number of the bucket."""
    return bisect_left(BOUNDS, seconds)


def quantile(buckets: Mapping[int, float], share: float) -> float | None:
    """The duration that ``share`` of those counted do not exceed, as far as buckets tell."""
    left = share * sum(buckets.values())
    if not left:
        return None
    for bucket in sorted(buckets):
        if left <= buckets[bucket]:
            low = BOUNDS[bucket - 1] if bucket else 0.0
            high = BOUNDS[bucket] if bucket < len(BOUNDS) else low
            return low + (high - low) * left / buckets[bucket]
        left -= buckets[bucket]
    return BOUNDS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One step: ``finished`` by outcome; quantiles in seconds, None where nothing ran.

    ``waiting`` is how many executions waited at each priority, None where nobody looked.
    """

    finished: Mapping[str, int] = field(default_factory=dict)
    run_p50: float | None = None
    run_p95: float | None = None
    wait_p50: float | None = None
    wait_p95: float | None = None
    waiting: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """``points``, the oldest first, each ``step`` seconds long; the first begins at ``start``.

    ``lane_p95`` is how long executions of each priority waited in all that time, from ready to
    started; in seconds, None where nothing ran.
    """

    start: datetime
    step: int
    points: tuple[SeriesPoint, ...]
    lane_p95: Mapping[str, float | None] = field(default_factory=dict)

    def time_of(self, number: int) -> datetime:
        """When this point begins."""
        return self.start + timedelta(seconds=number * self.step)
