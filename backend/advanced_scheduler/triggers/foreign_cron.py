"""Owns the trigger that runs when APScheduler's own cron trigger would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar, Final

from apscheduler.triggers.cron import CronTrigger

from ..errors import InvalidTrigger
from .recurring import SECOND, RecurringTrigger
from .trigger import Moment, microseconds
from .zones import DAY, LATEST, stretch_at

STEPS: Final = 20_000
"""So many steps does one search of APScheduler's cron trigger take before it is given up."""

_QUARTER: Final = 900


class ForeignCronTrigger(RecurringTrigger):
    """Runs when APScheduler's own cron trigger does: 0 is its Monday, clock changes are its own.

    ``fields`` are the fields of that trigger that were given, by name. The other arguments are
    those of RecurringTrigger. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "apscheduler_cron"

    def __init__(
        self,
        fields: Mapping[str, str],
        *,
        timezone: str | tzinfo = "UTC",
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        jitter: float | None = None,
        jitter_seed: str | None = None,
    ) -> None:
        given = dict(fields)
        super().__init__(
            {"fields": given},
            timezone=timezone,
            start_time=start_time,
            end_time=end_time,
            max_runs=None,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )
        self._cron = _cron(given, self._zone)
        self.walls = ForeignWalls(given)
        self._given = given

    def _following(self, after: int) -> int | None:
        """The earliest of what it answers after ``after``, and if asked at a clock change.

        It moves times that a jump skips to later ones, but only if it is asked before the jump,
        and it passes over runs soon after a change, but only if it is asked before the change.
        """
        found = _next_run(self._cron, after, self._zone)
        second = after // SECOND + 1
        stretch = stretch_at(self._zone, second)
        if second - stretch.start < stretch.skipped:
            found = _earliest(found, self._asked_at(stretch.start - 1), after)
        while found is not None and stretch.end * SECOND < found:
            found = _earliest(found, self._asked_at(stretch.end), after)
            stretch = stretch_at(self._zone, stretch.end)
        return found

    def _asked_at(self, second: int) -> int | None:
        return _next_run(self._cron, second * SECOND - 1, self._zone)

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={text!r}" for name, text in self._given.items())
        return self._in_words(f"APScheduler's cron {fields or 'every second'}")


class ForeignWalls:
    """The wall times that APScheduler's cron fields name: what it does in UTC."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._cron = _cron(fields, UTC)

    def next_wall(self, wall: int) -> int | None:
        """The first wall time (seconds) that is named, from ``wall`` on; None: never again."""
        found = _next_run(self._cron, wall * SECOND - 1, UTC)
        return None if found is None else found // SECOND


class _TooManySteps(Exception):
    """A search of APScheduler's that would take seconds, or for ever."""


class _BoundedCron(CronTrigger):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's cron trigger, whose searches end."""

    steps = 0

    def _increment_field_value(self, dateval: datetime, fieldnum: int) -> Any:
        self._step()
        return super()._increment_field_value(dateval, fieldnum)

    def _set_field_value(self, dateval: datetime, fieldnum: int, new_value: int) -> Any:
        self._step()
        return super()._set_field_value(dateval, fieldnum, new_value)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise _TooManySteps


def _cron(fields: Mapping[str, str], zone: tzinfo) -> _BoundedCron:
    try:
        return _BoundedCron(**fields, timezone=zone)
    except (TypeError, ValueError) as error:
        raise InvalidTrigger(
            f"fields={fields!r} make no cron trigger of APScheduler: {error}"
        ) from error


def _earliest(one: int | None, other: int | None, after: int) -> int | None:
    """The earlier of two runs, each of which may be none or not after ``after``."""
    return min((run for run in (one, other) if run is not None and run > after), default=None)


def _next_run(cron: _BoundedCron, after: int, zone: tzinfo) -> int | None:
    """The first run of APScheduler's trigger after ``after``, in microseconds; None if none.

    At a clock change it may name an instant that has passed; it is then asked from later on.
    """
    cron.steps = 0
    since = after // SECOND + 1
    while since < LATEST - DAY:
        try:
            found = cron.get_next_fire_time(None, datetime.fromtimestamp(since, zone))
        except (_TooManySteps, OverflowError, ValueError):
            return None  # beyond the calendar
        if found is None:
            return None
        instant = microseconds(found.astimezone(UTC))
        if instant > after:
            return instant
        since += _QUARTER
    return None
