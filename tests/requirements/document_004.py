"""What document 004 calls, and a scheduler whose time passes when it is told to."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, SystemClock
from advanced_scheduler.adapters.jobs import JobReport, Scheduler, Trigger, TriggerType

PATIENCE: Final = 30.0  # seconds
FRAMES: Final = [int(i * 1000 / 60) for i in range(120)]
"""Two seconds at 60 frames per second, in milliseconds."""


class Days:
    """Jobs on a clock that stands still, unless days go by."""

    def __init__(self, clock: ManualClock, store: str = "memory://") -> None:
        self.clock = clock
        self.scheduler = AdvancedTaskScheduler(store=store, clock=clock)
        self.jobs = Scheduler(self.scheduler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.scheduler.close()

    async def go_by(self, *, step: float = 0.0, **parts: float) -> None:
        """Run what is due, now and after each step (seconds) of ``timedelta(**parts)``."""
        await self._run_due()
        left = timedelta(**parts)
        while left > timedelta(0):
            passing = min(left, timedelta(seconds=step)) if step else left
            self.clock.advance(passing)
            left -= passing
            await self._run_due()

    def status(self, job_id: str) -> JobReport:
        """The report of a job that there is."""
        report = self.jobs.get_job_status(job_id)
        assert report is not None
        return report

    async def _run_due(self) -> None:
        while await self.scheduler.run_due():
            pass


def unix_now() -> float:
    return SystemClock().now().timestamp()


def utc(*parts: int) -> float:
    """A moment in Unix seconds."""
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]


def is_finished(scheduler: Scheduler, job_id: str) -> bool:
    status = scheduler.get_job_status(job_id)
    return status is not None and status["is_finished"]


def nothing() -> None:
    pass


def automated_task() -> str:
    return "This runs every minute"


class RandomIntervalTrigger(Trigger):
    """As the document writes it."""

    def __init__(self, min_seconds: float, max_seconds: float) -> None:
        super().__init__(TriggerType.CUSTOM)
        self.min_seconds = min_seconds
        self.max_seconds = max_seconds
        self.next_time: float | None = None

    def get_next_run_time(self, after_time: float | None = None) -> float:
        if after_time is None:
            after_time = unix_now()
        if self.next_time is None or self.next_time <= after_time:
            delay = random.uniform(self.min_seconds, self.max_seconds)
            self.next_time = after_time + delay
        return self.next_time

    def is_finished(self) -> bool:
        return False
