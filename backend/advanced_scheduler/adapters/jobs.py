"""Document 004: jobs by id, each a function and a trigger, as schedules of the one engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Self, TypeVar

from ..engine.schedule_fields import MOST_CAUGHT_UP, Policies
from ..errors import (
    InvalidArguments,
    ScheduleExists,
    ScheduleNotFound,
    SchedulerStateError,
    TaskAlreadyRegistered,
    TaskNotRegistered,
)
from ..faults import is_storable
from ..forks import free_in_child
from ..lifecycle import OPEN
from ..models import Placeholder, Schedule, TaskDefinition, TaskExecution
from ..scheduler import AdvancedTaskScheduler
from .background import Background, Shared
from .job_reports import JobReport, JobStatus, report_of, status_of
from .job_triggers import (
    CronTrigger,
    IntervalTrigger,
    Moment,
    OneTimeTrigger,
    TimestampTrigger,
    Trigger,
    TriggerType,
    keeps_own_time,
    type_of,
)

__all__ = [
    "CronTrigger",
    "IntervalTrigger",
    "JobReport",
    "JobStatus",
    "OneTimeTrigger",
    "Scheduler",
    "TimestampTrigger",
    "Trigger",
    "TriggerType",
    "frame_number_placeholder",
    "get_scheduler",
    "scheduled_job",
]

AT_ONCE: Final = 100  # jobs that run at the same time, where the scheduler is our own
frame_number_placeholder: Final = Placeholder.TICK_INDEX
"""As an argument of a timestamp job: becomes the index of the timestamp, from 0."""

_EVERY_ONE: Final[Policies] = {
    "misfire": "run_all",
    "max_catch_up": MOST_CAUGHT_UP,
    "overlap": "queue_all",
}
_ONE_WAITS: Final[Policies] = {"overlap": "queue_one"}

Func = Callable[..., Any]
F = TypeVar("F", bound=Func)


class Scheduler:
    """Jobs by id; every call is thread-safe, and what cannot work raises a ``ValueError``.

    Works in memory, in threads of its own from the first job on. ``scheduler`` is another one to
    use, such as one on a database: its schedules are the jobs, and the application starts and
    stops it; or ``with`` does, if nobody has started it before. The runs of one job follow one
    another: all of a timestamp job; of any other at most one waits for the last to end, and what
    comes due while it waits is left out.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler | None = None) -> None:
        self.scheduler = scheduler or AdvancedTaskScheduler(None, AT_ONCE, store="memory://")
        self._owned = scheduler is None
        self._background = Background(self.scheduler)
        self._shut_down = False
        self._changes = free_in_child(threading.RLock())  # who adds and removes jobs

    def add_job(self, job_id: str, trigger: Any, func: Func, /, *args: Any, **kwargs: Any) -> bool:
        """Run ``func(*args, **kwargs)`` whenever ``trigger`` says so; False if the id is taken.

        ``trigger`` is a ``Trigger``, or one of ``advanced_scheduler.triggers``, or APScheduler's.
        The first three go by position, so that an argument of ``func`` may have their names.
        """
        if self._shut_down:
            raise SchedulerStateError(f"job {job_id!r} comes after shutdown(); make a Scheduler()")
        if not is_storable(job_id) or not job_id.strip():
            raise InvalidArguments(f"job_id={job_id!r} must be a text that is not empty")
        if self._owned:
            self._background.start()
        with self._changes:
            return self._add(job_id, trigger, func, args, kwargs)

    def add_timestamp_job(
        self, job_id: str, timestamps: Sequence[float], func: Func, /, *args: Any, **kwargs: Any
    ) -> bool:
        """``add_job`` with a ``TimestampTrigger``."""
        return self.add_job(job_id, TimestampTrigger(timestamps), func, *args, **kwargs)

    def add_interval_job(
        self,
        job_id: str,
        interval_seconds: float | timedelta,
        func: Func,
        /,
        *args: Any,
        max_runs: int | None = None,
        start_time: Moment | None = None,
        **kwargs: Any,
    ) -> bool:
        """``add_job`` with an ``IntervalTrigger``."""
        trigger = IntervalTrigger(interval_seconds, max_runs, start_time)
        return self.add_job(job_id, trigger, func, *args, **kwargs)

    def add_one_time_job(
        self, job_id: str, run_at: Moment, func: Func, /, *args: Any, **kwargs: Any
    ) -> bool:
        """``add_job`` with a ``OneTimeTrigger``."""
        return self.add_job(job_id, OneTimeTrigger(run_at), func, *args, **kwargs)

    def add_cron_job(
        self,
        job_id: str,
        cron_expression: str,
        func: Func,
        /,
        *args: Any,
        max_runs: int | None = None,
        timezone: str = "UTC",
        start_time: Moment | None = None,
        **kwargs: Any,
    ) -> bool:
        """``add_job`` with a ``CronTrigger``."""
        trigger = CronTrigger(cron_expression, max_runs, timezone, start_time)
        return self.add_job(job_id, trigger, func, *args, **kwargs)

    def scheduled_job(self, trigger: Any) -> Callable[[F], F]:
        """Add the decorated function as the job ``module.name``."""

        def decorate(func: F) -> F:
            self.add_job(f"{func.__module__}.{func.__name__}", trigger, func)
            return func

        return decorate

    def pause_job(self, job_id: str) -> bool:
        """Begin no run of it that comes due from now on; False unless it was running.

        What runs by then goes on, and what waits for that to end runs yet.
        """
        return self._change(job_id, JobStatus.RUNNING, self.scheduler.pause_schedule)

    def resume_job(self, job_id: str) -> bool:
        """Go on; False unless it was paused. A one-time job whose time has passed runs now."""
        job = self._find(job_id)
        late = job is not None and type_of(job.trigger["type"]) is TriggerType.ONE_TIME
        resume = partial(self.scheduler.resume_schedule, catch_up=late)
        return self._change(job_id, JobStatus.PAUSED, resume)

    def remove_job(self, job_id: str) -> bool:
        """Forget it, and cancel what waits or runs; False if there is no such job."""
        with self._changes:
            if not self.scheduler.remove_schedule(job_id):
                return False
            for row in self._open(job_id):  # the latest first: else its end would start the next
                self.scheduler.cancel_task(row.execution_id)
            self._forget(job_id)
        return True

    def get_job_status(self, job_id: str) -> JobReport | None:
        """How the job is doing; None if there is no such job."""
        job = self._find(job_id)
        return None if job is None else self._report(job)

    def list_jobs(self) -> list[str]:
        """The ids of all jobs."""
        return [job.schedule_id for job in self.scheduler.get_schedules()]

    def get_all_statuses(self) -> dict[str, JobReport]:
        """How all jobs are doing, by id."""
        return {job.schedule_id: self._report(job) for job in self.scheduler.get_schedules()}

    def shutdown(self) -> None:
        """Start no job any more, and let those that run end within ``drain_seconds`` (30).

        A scheduler that the application has started goes on with the jobs that it has.
        """
        self._shut_down = True
        self._background.stop(close=self._owned)

    def __enter__(self) -> Self:
        self._background.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _find(self, job_id: str) -> Schedule | None:
        try:
            return self.scheduler.get_schedule(job_id)
        except ScheduleNotFound:
            return None

    def _open(self, job_id: str) -> list[TaskExecution]:
        return self.scheduler.executions(schedule_id=job_id, statuses=OPEN, limit=10_000)

    def _add(
        self,
        job_id: str,
        trigger: Any,
        func: Func,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> bool:
        try:
            self.scheduler.register_task(TaskDefinition(job_id, job_id, func))
        except TaskAlreadyRegistered:
            return False
        try:
            while self._find(job_id) is None:
                with suppress(ScheduleNotFound):  # another node has added it, and removed it
                    self._create(job_id, trigger, args, kwargs)
                    return True
        except ScheduleExists:  # another node has just added it
            pass
        except BaseException:
            self._forget(job_id)
            raise
        return False  # a stored one; this process has its function now

    def _forget(self, job_id: str) -> None:
        with suppress(TaskNotRegistered):
            self.scheduler.unregister_task(job_id)

    def _create(
        self, job_id: str, trigger: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        standard = keeps_own_time(trigger)
        made = trigger.begun(self.scheduler.clock.now()) if standard else trigger
        frames = type_of(getattr(made, "kind", None)) is TriggerType.TIMESTAMP
        policies: Policies = {**(_EVERY_ONE if frames else _ONE_WAITS)}
        if standard:
            policies["max_runs"] = trigger.max_runs
        self.scheduler.create_schedule(
            job_id,
            made,
            args=args,
            kwargs=kwargs,
            schedule_id=job_id,
            **policies,
        )

    def _change(self, job_id: str, status: JobStatus, change: Callable[[str], object]) -> bool:
        job = self._find(job_id)
        if job is None or status_of(job, self._open(job_id)) is not status:
            return False
        try:
            change(job_id)
        except ScheduleNotFound:  # another thread has just removed it
            return False
        return True

    def _report(self, job: Schedule) -> JobReport:
        try:
            versions = self.scheduler.schedule_versions(job.schedule_id)
        except ScheduleNotFound:  # removed since: this is how it was
            versions = []
        return report_of(job, versions, self._open(job.schedule_id), self.scheduler.clock.now())


_shared: Final = Shared(Scheduler)


def get_scheduler() -> Scheduler:
    """The scheduler of this process for those who bring none; made at the first call."""
    return _shared.get()


def scheduled_job(trigger: Any, scheduler: Scheduler | None = None) -> Callable[[F], F]:
    """Add the decorated function as the job ``module.name`` of ``scheduler``, or the shared one."""
    return (scheduler or get_scheduler()).scheduled_job(trigger)
