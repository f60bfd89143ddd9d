"""What document 002 calls a schedule, its options, and a template of both: values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar, Final, Literal, Self, TypedDict, Unpack

from ..errors import InvalidArguments
from ..models import MisfirePolicy, OverlapPolicy, TaskPriority
from ..triggers import (
    CronTrigger,
    DailyTrigger,
    IntervalTrigger,
    MonthlyTrigger,
    OneTimeTrigger,
    Trigger,
    WeeklyTrigger,
)
from ..triggers.trigger import Moment
from ..triggers.wall import Fold, Gap


class Options(TypedDict, total=False):
    """Everything but task and schedule that ``Scheduler.schedule`` takes; durations in seconds.

    ``args``, ``kwargs`` go to the task; ``queue``, ``priority`` (a name or a ``TaskPriority``),
    ``timeout``, ``tags``, ``metadata`` (JSON) are those of each execution. It is tried again
    ``max_retries`` times, ``retry_delay`` apart. ``name`` is unique in the store.

    ``start_date`` and ``end_date`` are inclusive, and in ``timezone`` where they are naive.
    ``jitter`` delays each run by less than that, always alike for the same schedule. ``gap`` and
    ``fold`` are what becomes of times that a clock change skips or repeats.

    ``unique=True``: one execution runs at a time and one may wait, ``"queued"``: none waits
    either; ``overlap`` says it in the facade's words. ``misfire`` takes the place of the
    scheduler's ``missed_schedule_handling``. It ends after ``max_runs``, and pauses itself after
    ``pause_on_failure`` failures in a row.
    """

    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    queue: str | None
    priority: TaskPriority | str | None
    start_date: Moment | None
    end_date: Moment | None
    timezone: str | tzinfo | None
    max_retries: int | None
    retry_delay: float | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None
    timeout: float | None
    unique: bool | Literal["queued"] | None
    name: str | None
    jitter: float | None
    overlap: OverlapPolicy | str | None
    misfire: MisfirePolicy | str | None
    gap: Gap | None
    fold: Fold | None
    max_runs: int | None
    pause_on_failure: int | None


class TimedSchedule(ABC):
    """When something runs, before it is known in which zone; raises InvalidTrigger at once."""

    def __post_init__(self) -> None:
        self.trigger("UTC")

    @abstractmethod
    def trigger(self, zone: str | tzinfo) -> Trigger:
        """The trigger that runs at these times in ``zone``."""


@dataclass(frozen=True, slots=True)
class CronSchedule(TimedSchedule):
    """By a cron text of 5 fields, or of 6 with the seconds first."""

    expression: str

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return CronTrigger(self.expression, timezone=zone)


@dataclass(frozen=True, slots=True)
class IntervalSchedule(TimedSchedule):
    """Every ``interval`` (or so many seconds): from ``start_date`` on, else on the full hour."""

    interval: timedelta | float

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return IntervalTrigger(self.interval, timezone=zone)


@dataclass(frozen=True, slots=True)
class OneTimeSchedule(TimedSchedule):
    """Once, at ``run_at``; late rather than never."""

    run_at: datetime

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return OneTimeTrigger(self.run_at, timezone=zone)


@dataclass(frozen=True, slots=True)
class DailySchedule(TimedSchedule):
    """Every day at each of ``times``, such as "09:00"."""

    times: Sequence[str]

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return DailyTrigger(self.times, timezone=zone)


@dataclass(frozen=True, slots=True)
class WeeklySchedule(TimedSchedule):
    """On ``days`` of the week, by their English names, at ``time``."""

    days: Sequence[str]
    time: str | Sequence[str]

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return WeeklyTrigger(self.days, self.time, timezone=zone)


@dataclass(frozen=True, slots=True)
class MonthlySchedule(TimedSchedule):
    """On ``days`` of the month, 1 to 31 or "last", at ``time``.

    A day that a month lacks is skipped, or is its last day by ``short="last"``.
    """

    days: Sequence[int | str]
    time: str | Sequence[str]
    short: Literal["skip", "last"] = "skip"

    def trigger(self, zone: str | tzinfo) -> Trigger:
        """See TimedSchedule."""
        return MonthlyTrigger(self.days, self.time, self.short, timezone=zone)


class ScheduleId(str):
    """The id of a schedule, also to whoever awaits it.

    ``lint`` says which times of its next two years do not exist or come twice.
    """

    __slots__ = ("lint",)
    lint: list[str]

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()
        return self


class ScheduleTemplate:
    """Options, and perhaps a schedule, to be used again; what ``schedule`` is given goes first."""

    __slots__: ClassVar = ("options", "schedule")

    def __init__(self, schedule: object = None, **options: Unpack[Options]) -> None:
        self.schedule: Final = schedule
        self.options: Final = checked(options)


def checked(options: Options) -> Options:
    """The options; raises InvalidArguments for one that there is not."""
    if unknown := sorted(options.keys() - Options.__annotations__.keys()):
        known = ", ".join(Options.__annotations__)
        raise InvalidArguments(f"{unknown[0]} is no option of a schedule; use {known}")
    return options
