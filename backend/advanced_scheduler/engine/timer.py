"""Hosts the ticker in APScheduler: a job store with one job, and the executor that runs it.

The job store never asks our store anything, and the executor only wakes a thread of ours:
so nothing that APScheduler calls can block its timer thread, or raise in it. What is due is
decided by the ticker alone, from (store, now).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.schedulers.base import BaseScheduler as Host
from apscheduler.triggers.base import BaseTrigger

from ..clock import Clock
from ..errors import SchedulerStateError, StoreError

__all__ = ["Host", "Timer"]

logger = logging.getLogger(__name__)

ALIAS: Final = "advanced_scheduler"
JOB_ID: Final = "advanced_scheduler.tick"


class _Poll(BaseTrigger):  # type: ignore[misc]  # APScheduler has no type hints
    """Never in the past: when the job is really due is the job store's affair."""

    def __init__(self, seconds: float) -> None:
        self._every = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now + self._every


class TickJobStore(BaseJobStore):  # type: ignore[misc]
    """Answers one job, whenever a pass of the ticker is due."""

    def __init__(self, clock: Clock, poll_seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._poll = poll_seconds
        self._due = 0.0  # on the monotonic clock
        self._asked: datetime | None = None

    def expect(self, seconds: float) -> None:
        """The next pass is due in so many seconds, and after one poll at the latest."""
        self._due = self._clock.monotonic() + min(max(seconds, 0.0), self._poll)

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """The tick job, if a pass is due; the next one is a poll away unless we hear better."""
        self._asked = now
        if self._due > self._clock.monotonic():
            return []
        self.expect(self._poll)
        return [self._job(now)]

    def get_next_run_time(self) -> datetime | None:
        """On the clock of APScheduler, which it told us in ``get_due_jobs``."""
        if self._asked is None:
            return None
        return self._asked + timedelta(seconds=max(self._due - self._clock.monotonic(), 0.0))

    def lookup_job(self, job_id: str) -> Job | None:
        """The tick job, by its id."""
        return next((job for job in self.get_all_jobs() if job.id == job_id), None)

    def get_all_jobs(self) -> list[Job]:
        """The tick job alone: our schedules are rows of our store, not jobs."""
        return [self._job(self._asked)] if self._asked is not None else []

    def add_job(self, job: Job) -> None:
        """Refused: nothing of an application can live here."""
        raise TypeError(f"job store {ALIAS!r} takes no jobs; use schedule_cron_task")

    def update_job(self, job: Job) -> None:
        """Nothing to keep: a failed pass leaves everything due."""

    def remove_job(self, job_id: str) -> None:
        """Nothing to remove: the timer goes when the scheduler stops."""

    def remove_all_jobs(self) -> None:
        """Nothing to remove."""

    def _job(self, now: datetime) -> Job:
        return Job(
            self._scheduler, id=JOB_ID, name="advanced-scheduler: fire what is due", func=_no_op,
            args=(), kwargs={}, trigger=_Poll(self._poll), executor=ALIAS, coalesce=True,
            misfire_grace_time=None, max_instances=1, next_run_time=now,
        )  # fmt: skip


def _no_op() -> None:
    """What the tick job would call; our executor wakes the ticker instead."""


class TickExecutor(BaseExecutor):  # type: ignore[misc]
    """Hands the tick job to the timer's own thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Answers at once."""
        self._wake()

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self._wake()


class Timer:
    """Runs ``tick`` when a schedule is due, and once a poll to see what other nodes did.

    ``tick`` answers when the next schedule is due. ``failed`` hears of a store that is away.
    """

    def __init__(
        self,
        *,
        apscheduler: Host,
        tick: Callable[[], datetime | None],
        failed: Callable[[Exception], None],
        clock: Clock,
        poll_seconds: float,
    ) -> None:
        self.last_pass: float | None = None
        self._apscheduler = apscheduler
        self._tick = tick
        self._failed = failed
        self._clock = clock
        self._poll = poll_seconds
        self._jobs = TickJobStore(clock, poll_seconds)
        self._asked = threading.Event()
        self._stopping = False
        self._said: str | None = None  # why schedules do not fire; once, not at every poll
        self._started_host = False
        self._thread = threading.Thread(
            target=self._run, name="advanced-scheduler-ticker", daemon=True
        )

    @property
    def alive(self) -> bool:
        """Whether somebody will fire the next tick."""
        return self._thread.is_alive() and bool(self._apscheduler.running)

    def start(self) -> None:
        """Plug into APScheduler, and start it unless the application has.

        Raises ``SchedulerStateError`` if another scheduler of ours is plugged in there.
        """
        try:
            self._apscheduler.add_executor(TickExecutor(self._asked.set), ALIAS)
        except ValueError as error:
            raise SchedulerStateError(
                "this APScheduler serves another AdvancedTaskScheduler, which runs; "
                "give each of them its own"
            ) from error
        try:
            self._apscheduler.add_jobstore(self._jobs, ALIAS)
            if not self._apscheduler.running:
                self._apscheduler.start()
                self._started_host = True
        except BaseException:
            self._unplug()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Unplug; a pass that is under way ends first."""
        self._stopping = True
        self._asked.set()
        self._unplug()
        self._thread.join()

    def _unplug(self) -> None:
        with suppress(LookupError):  # the application may have taken it out
            self._apscheduler.remove_jobstore(ALIAS)
        if self._started_host and self._apscheduler.running:
            self._apscheduler.shutdown(wait=False)
        with suppress(LookupError):
            self._apscheduler.remove_executor(ALIAS)

    def wake(self) -> None:
        """A schedule has changed: look now."""
        self._asked.set()

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._stopping:
                return
            self._jobs.expect(self._pass())
            try:
                if self._apscheduler.running:
                    self._apscheduler.wakeup()
            except Exception:  # the application's event loop may be closed
                logger.exception("APScheduler could not be woken")

    def _pass(self) -> float:
        """One pass of the ticker; answers in how many seconds the next one is due."""
        began = self._clock.now()
        try:
            following = self._tick()
        except StoreError as error:
            self._say(str(error))
            self._failed(error)
            return self._poll
        except Exception as error:
            logger.exception("a pass of the ticker failed")
            self._failed(error)
            return self._poll
        self._say(None)
        self.last_pass = self._clock.monotonic()
        if following is None or following <= began:  # still due: parked, or for another node
            return self._poll
        return (following - self._clock.now()).total_seconds()

    def _say(self, why_not: str | None) -> None:
        if why_not is not None and why_not != self._said:
            logger.warning("no schedules are fired until this is over: %s", why_not)
        elif why_not is None and self._said is not None:
            logger.info("schedules are fired again")
        self._said = why_not
