"""Document 004: jobs by id, each a function and a trigger, as schedules of the one engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Self, TypeVar

from ..engine.schedule_fields import MOST_CAUGHT_UP, Policies
from ..errors import (
    InvalidArguments,
    ScheduleExists,
    ScheduleNotFound,
    SchedulerStateError,
    TaskAlreadyRegistered,
)
from ..faults import is_storable
from ..forks import free_in_child
from ..models import Placeholder, TaskDefinition
from ..scheduler import AdvancedTaskScheduler
from .background import Background, Shared
from .job_reports import JobReport, JobStatus
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
from .job_verbs import JobVerbs

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


class Scheduler(JobVerbs):
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

    def add_job(self, /, job_id: str, trigger: Any, func: Func, *args: Any, **kwargs: Any) -> bool:
        """Run ``func(*args, **kwargs)`` whenever ``trigger`` says so; False if the id is taken.

        ``trigger`` is a ``Trigger``, or one of ``advanced_scheduler.triggers``, or APScheduler's.
        An argument of ``func`` that has the name of a parameter of this call goes by position.
        """
        return self._admit(job_id, trigger, func, args, kwargs)

    def add_timestamp_job(
        self, /, job_id: str, timestamps: Sequence[float], func: Func, *args: Any, **kwargs: Any
    ) -> bool:
        """``add_job`` with a ``TimestampTrigger``."""
        return self._admit(job_id, TimestampTrigger(timestamps), func, args, kwargs)

    def add_interval_job(
        self,
        /,
        job_id: str,
        interval_seconds: float | timedelta,
        func: Func,
        *args: Any,
        max_runs: int | None = None,
        start_time: Moment | None = None,
        **kwargs: Any,
    ) -> bool:
        """``add_job`` with an ``IntervalTrigger``."""
        trigger = IntervalTrigger(interval_seconds, max_runs, start_time)
        return self._admit(job_id, trigger, func, args, kwargs)

    def add_one_time_job(
        self, /, job_id: str, run_at: Moment, func: Func, *args: Any, **kwargs: Any
    ) -> bool:
        """``add_job`` with a ``OneTimeTrigger``."""
        return self._admit(job_id, OneTimeTrigger(run_at), func, args, kwargs)

    def add_cron_job(
        self,
        /,
        job_id: str,
        cron_expression: str,
        func: Func,
        *args: Any,
        max_runs: int | None = None,
        timezone: str = "UTC",
        start_time: Moment | None = None,
        **kwargs: Any,
    ) -> bool:
        """``add_job`` with a ``CronTrigger``."""
        trigger = CronTrigger(cron_expression, max_runs, timezone, start_time)
        return self._admit(job_id, trigger, func, args, kwargs)

    def scheduled_job(self, trigger: Any) -> Callable[[F], F]:
        """Add the decorated function as the job ``module.name``."""

        def decorate(func: F) -> F:
            self.add_job(f"{func.__module__}.{func.__name__}", trigger, func)
            return func

        return decorate

    def shutdown(self) -> None:
        """Forget all jobs, and let those that run end within ``drain_seconds`` (30).

        A scheduler that the application has given keeps its jobs, and goes on with them if the
        application has started it.
        """
        with self._changes:
            self._shut_down = True
            for job_id in self.list_jobs() if self._owned else ():
                self.scheduler.remove_schedule(job_id)
        self._background.stop(close=self._owned)

    def __enter__(self) -> Self:
        self._background.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _admit(
        self,
        job_id: str,
        trigger: Any,
        func: Func,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> bool:
        if not is_storable(job_id) or not job_id.strip():
            raise InvalidArguments(f"job_id={job_id!r} must be a text that is not empty")
        with self._changes:
            if self._shut_down:
                raise SchedulerStateError(
                    f"job {job_id!r} comes after shutdown(); make a Scheduler()"
                )
            if self._owned:
                self._background.start()
            return self._add(job_id, trigger, func, args, kwargs)

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


_shared: Final = Shared(Scheduler)


def get_scheduler() -> Scheduler:
    """The scheduler of this process for those who bring none; made at the first call."""
    return _shared.get()


def scheduled_job(trigger: Any, scheduler: Scheduler | None = None) -> Callable[[F], F]:
    """Add the decorated function as the job ``module.name`` of ``scheduler``, or the shared one."""
    return (scheduler or get_scheduler()).scheduled_job(trigger)
