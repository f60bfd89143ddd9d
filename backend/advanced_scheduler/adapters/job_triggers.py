"""Owns the triggers of document 004, as it writes them: what they mean is said by the engine's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from .. import triggers
from ..clock import SystemClock
from ..engine.schedule_fields import checked_policies
from ..errors import InvalidTrigger
from ..models import LONGEST

_CLOCK: Final = SystemClock()

Moment = float | datetime
"""Unix seconds, or a datetime; a naive one is local time, as ``datetime.now()`` answers it."""


class TriggerType(StrEnum):
    """The ``trigger_type`` of a job."""

    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    ONE_TIME = "one_time"
    CRON = "cron"
    CUSTOM = "custom"


class Trigger(ABC):
    """Says when a job runs; subclass it for a trigger of one's own, which lives in memory."""

    def __init__(self, trigger_type: TriggerType = TriggerType.CUSTOM) -> None:
        self.trigger_type = trigger_type

    @abstractmethod
    def get_next_run_time(self, after_time: float | None = None) -> float | None:
        """The first run after ``after_time`` (Unix seconds; None: now); None if there is none."""

    @abstractmethod
    def is_finished(self) -> bool:
        """Whether there will be no run any more."""


class StandardTrigger(Trigger):
    """One of the four. Asked by itself, it counts from when it was made; a job, from its start.

    ``max_runs`` is for the job to count. All raise ``ValueError`` when they are made.
    """

    def __init__(self, trigger_type: TriggerType, max_runs: int | None = None) -> None:
        super().__init__(trigger_type)
        checked_policies({"max_runs": max_runs})
        self.max_runs = max_runs
        now = _CLOCK.now()
        self._alone = self.begun(now).starting(now)

    @abstractmethod
    def begun(self, now: datetime) -> triggers.Trigger:
        """The engine's trigger for a job that begins now."""

    def get_next_run_time(self, after_time: float | None = None) -> float | None:
        """The first run after ``after_time`` (Unix seconds; None: now); None if there is none."""
        after = _CLOCK.now() if after_time is None else datetime.fromtimestamp(after_time, UTC)
        found = self._alone.get_next_fire_time(after, after)
        return None if found is None else found.timestamp()

    def is_finished(self) -> bool:
        """Whether all of its instants have passed."""
        return self.get_next_run_time() is None


class TimestampTrigger(StandardTrigger):
    """Runs at each of ``timestamps``: milliseconds of the job's time, which stops in a pause."""

    def __init__(self, timestamps: Sequence[float]) -> None:
        self._trigger = triggers.TimestampTrigger(timestamps)
        super().__init__(TriggerType.TIMESTAMP)

    def begun(self, now: datetime) -> triggers.Trigger:
        """Not begun yet: the engine does that when it stores the job."""
        return self._trigger


class IntervalTrigger(StandardTrigger):
    """Runs every ``interval_seconds``: the first time at ``start_time``, or else after one.

    A ``timedelta`` will do as well.
    """

    def __init__(
        self,
        interval_seconds: float | timedelta,
        max_runs: int | None = None,
        start_time: Moment | None = None,
    ) -> None:
        if isinstance(interval_seconds, timedelta):
            interval_seconds = interval_seconds.total_seconds()
        triggers.IntervalTrigger(interval_seconds)  # it says what is wrong with the number
        if interval_seconds > LONGEST:
            raise InvalidTrigger(f"interval_seconds={interval_seconds!r} is more than 100 years")
        self._seconds = interval_seconds
        self._start = None if start_time is None else _local("start_time", start_time)
        super().__init__(TriggerType.INTERVAL, max_runs)

    def begun(self, now: datetime) -> triggers.Trigger:
        """Counted from ``start_time``, or from now."""
        first = now + timedelta(seconds=self._seconds) if self._start is None else self._start
        return triggers.IntervalTrigger(self._seconds, start_time=first)


class OneTimeTrigger(StandardTrigger):
    """Runs once, at ``run_at``; at once if that has passed."""

    def __init__(self, run_at: Moment) -> None:
        self._trigger = triggers.OneTimeTrigger(_local("run_at", run_at))
        super().__init__(TriggerType.ONE_TIME)

    def begun(self, now: datetime) -> triggers.Trigger:
        """The same for every job."""
        return self._trigger


class CronTrigger(StandardTrigger):
    """Runs by cron text (5 fields, or 6 with seconds) in ``timezone``, from ``start_time`` on."""

    def __init__(
        self,
        cron_expression: str,
        max_runs: int | None = None,
        timezone: str = "UTC",
        start_time: Moment | None = None,
    ) -> None:
        start = None if start_time is None else _local("start_time", start_time)
        self._trigger = triggers.CronTrigger(cron_expression, timezone=timezone, start_time=start)
        super().__init__(TriggerType.CRON, max_runs)

    def begun(self, now: datetime) -> triggers.Trigger:
        """The same for every job."""
        return self._trigger


_TYPES: Final = {
    triggers.TimestampTrigger.kind: TriggerType.TIMESTAMP,
    triggers.IntervalTrigger.kind: TriggerType.INTERVAL,
    triggers.OneTimeTrigger.kind: TriggerType.ONE_TIME,
    triggers.CronTrigger.kind: TriggerType.CRON,
}


def type_of(kind: object) -> TriggerType:
    """What the document calls an engine's trigger, by the kind that it states."""
    return _TYPES.get(str(kind), TriggerType.CUSTOM)


def keeps_own_time(trigger: object) -> bool:
    """Whether it is one of the four, and not one that overrides what they say."""
    said = getattr(type(trigger), "get_next_run_time", None)
    return said is StandardTrigger.get_next_run_time


def _local(name: str, given: Moment) -> Moment:
    if not isinstance(given, datetime) or given.tzinfo is not None:
        return given
    try:
        return given.astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidTrigger(f"{name}={given!r} is out of range: {error}") from error
