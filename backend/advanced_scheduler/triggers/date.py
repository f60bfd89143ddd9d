"""Owns the trigger that runs once."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import ClassVar

from ..errors import InvalidTrigger
from .trigger import Moment, Trigger, microseconds, moment
from .zones import zone_of


class OneTimeTrigger(Trigger):
    """Runs once at ``run_at``: also when that has passed, as a one-shot is better late than lost.

    ``run_at`` is a datetime (naive: in ``timezone``; a time that a clock change skips means
    right after the jump, one that comes twice the first), its ISO 8601 text, or Unix seconds.
    ``wall`` is for ``to_json``: the time as it was given, where the clocks change. Raises
    InvalidTrigger.
    """

    kind: ClassVar[str] = "once"

    def __init__(
        self, run_at: Moment, *, timezone: str | tzinfo = "UTC", wall: str | None = None
    ) -> None:
        zone = zone_of(timezone)
        instant = moment("run_at", run_at, zone)
        wall = _wall(run_at, instant.astimezone(zone)) if wall is None else _checked(wall)
        super().__init__({"run_at": instant.isoformat(), "timezone": str(zone), "wall": wall})
        self._run_at = instant.astimezone(zone)

    @property
    def run_at(self) -> datetime:
        """When it runs, in its zone."""
        return self._run_at

    @property
    def moved(self) -> str | None:
        """What a change of the clocks makes of the time as it was given, in words."""
        wall = self._arguments.get("wall")
        if wall is None:
            return None
        given, zone = datetime.fromisoformat(str(wall)), self._arguments["timezone"]
        if given == self._run_at.replace(tzinfo=None, fold=0):
            which = "second" if self._run_at.fold else "first"
            return f"{_shown(given)} happens twice in {zone}: runs the {which} time"
        instead = _shown(self._run_at).removeprefix(f"{given:%Y-%m-%d} ")
        return f"{_shown(given)} does not exist in {zone}: runs at {instead} instead"

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """``run_at``, unless ``previous_fire_time`` is that or later."""
        if previous_fire_time is None:
            return self._run_at
        over = microseconds(previous_fire_time) >= microseconds(self._run_at)
        return None if over else self._run_at

    def __str__(self) -> str:
        return f"once at {_shown(self._run_at)}, {self._arguments['timezone']}"


def _wall(given: Moment, shown: datetime) -> str | None:
    """The wall time that was given, if the clocks show it never or twice."""
    if isinstance(given, str):
        given = datetime.fromisoformat(given)
    if not isinstance(given, datetime) or given.tzinfo is not None:
        return None
    wall, clear = given.replace(fold=0), shown.replace(fold=0)
    again = clear.replace(fold=1)
    if wall == shown.replace(tzinfo=None, fold=0) and clear.utcoffset() == again.utcoffset():
        return None
    return wall.isoformat()


def _checked(wall: str) -> str:
    try:
        return datetime.fromisoformat(wall).replace(tzinfo=None).isoformat()
    except (TypeError, ValueError) as error:
        raise InvalidTrigger(f"wall={wall!r} is not an ISO 8601 time") from error


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
