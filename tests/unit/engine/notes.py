"""Owns what the tests of schedules share: a task that takes notes, and a clock that is stepped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from advanced_scheduler import AdvancedTaskScheduler, IntervalTrigger, ManualClock, TickOutcome
from tests.support.definitions import define
from tests.unit.engine.kit import NOW

SECOND: Final = timedelta(seconds=1)
_EVER: Final = NOW - timedelta(days=9), NOW + timedelta(days=99)

calls: Final[list[tuple[Any, ...]]] = []
"""What ``note`` was called with, in this test."""


def note(*args: Any, **kwargs: Any) -> None:
    calls.append((*args, *sorted(kwargs.items())))


def fails() -> None:
    raise ZeroDivisionError("as always")


def every_second(**more: Any) -> IntervalTrigger:
    return IntervalTrigger(1, start_time=NOW + SECOND, **more)


def ready(scheduler: AdvancedTaskScheduler, function: Callable[..., Any] = note) -> None:
    """With a task ``job``."""
    scheduler.register_task(define(function, task_id="job"))


def outcomes(scheduler: AdvancedTaskScheduler, schedule_id: str) -> list[TickOutcome]:
    """What the ledger says, by instant."""
    return [tick.outcome for tick in scheduler.store.ticks(schedule_id, *_EVER)]


async def seconds(scheduler: AdvancedTaskScheduler, clock: ManualClock, count: int) -> None:
    """Step the scheduler once a second."""
    for _ in range(count):
        clock.advance(seconds=1)
        await scheduler.run_due()
