"""Owns the trigger that runs once."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import ClassVar

from .trigger import Moment, Trigger, microseconds, moment
from .zones import zone_of


class OneTimeTrigger(Trigger):
    """Runs once at ``run_at``: also when that has passed, as a one-shot is better late than lost.

    ``run_at`` is a datetime (naive: in ``timezone``; a time that a clock change skips means
    right after the jump), its ISO 8601 text, or Unix seconds. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "once"

    def __init__(self, run_at: Moment, *, timezone: str | tzinfo = "UTC") -> None:
        zone = zone_of(timezone)
        instant = moment("run_at", run_at, zone)
        super().__init__({"run_at": instant.isoformat(), "timezone": str(zone)})
        self._run_at = instant.astimezone(zone)

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """``run_at``, unless ``previous_fire_time`` is that or later."""
        if previous_fire_time is None:
            return self._run_at
        over = microseconds(previous_fire_time) >= microseconds(self._run_at)
        return None if over else self._run_at

    def __str__(self) -> str:
        at = f"{self._run_at:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
        return f"once at {at}, {self._arguments['timezone']}"
