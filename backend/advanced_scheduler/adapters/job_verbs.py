"""What document 004 does to a job and asks of it, once it was added."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ..errors import ScheduleNotFound, TaskNotRegistered
from ..lifecycle import OPEN
from ..models import Schedule, TaskExecution
from ..scheduler import AdvancedTaskScheduler
from .job_reports import JobReport, JobStatus, report_of, status_of
from .job_triggers import TriggerType, type_of


class JobVerbs:
    """Orders and questions, by the id of the job; thread-safe."""

    scheduler: AdvancedTaskScheduler
    _changes: threading.RLock

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

    def _find(self, job_id: str) -> Schedule | None:
        try:
            return self.scheduler.get_schedule(job_id)
        except ScheduleNotFound:
            return None

    def _open(self, job_id: str) -> list[TaskExecution]:
        return self.scheduler.executions(schedule_id=job_id, statuses=OPEN, limit=10_000)

    def _forget(self, job_id: str) -> None:
        with suppress(TaskNotRegistered):
            self.scheduler.unregister_task(job_id)

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
