"""Document 001's job and trigger managers: what becomes of one task, and when it is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from ..engine.ids import time_of
from ..lifecycle import OPEN
from ..triggers.trigger import moment
from ..triggers.zones import zone_of
from .service_calls import Calls
from .service_cleanup import clear_ended
from .service_requests import interval_trigger, read_task, wrong
from .service_results import Refused, Result


class JobManager:
    """A job is a task of the service, from when it is scheduled until it is cancelled."""

    def __init__(self, app_context: Any, calls: Calls) -> None:
        self.app_context = app_context
        self._calls = calls

    async def create_job(
        self,
        name: str,
        function_name: str,
        parameters: Mapping[str, Any],
        schedule_info: Mapping[str, Any],
    ) -> Result:
        """``schedule`` a task; ``schedule_info`` has the other keys of its configuration.

        Without a ``module_id`` among them, ``function_name`` is "module.function".
        """
        given = {"name": name, "function_name": function_name, "parameters": parameters}
        return await self._calls.answer(
            self._create, given, schedule_info, code="TASK_SCHEDULING_FAILED", details=given
        )

    async def schedule(self, config: Mapping[str, Any], task_id: str | None = None) -> Result:
        """See ``SchedulerService.schedule_task``.

        With a ``task_id`` (UUIDv7), asking again schedules nothing again: intervals count from
        the time that it has.
        """
        details = {"config": config}
        return await self._calls.answer(
            self._schedule, config, task_id, code="TASK_SCHEDULING_FAILED", details=details
        )

    async def cancel(self, job_id: str) -> Result:
        """See ``SchedulerService.cancel_task``."""
        return await self._calls.answer(self._cancel, job_id)

    async def pause(self, job_id: str) -> Result:
        """See ``SchedulerService.pause_task``."""
        return await self._calls.answer(self._pause, job_id)

    async def resume(self, job_id: str) -> Result:
        """See ``SchedulerService.resume_task``."""
        return await self._calls.answer(self._resume, job_id)

    async def execute_job(self, job_id: str, *, wait: float | None = None) -> Result:
        """See ``SchedulerService.execute_task``."""
        return await self._calls.answer(self._calls.run, job_id, wait, code="TASK_EXECUTION_FAILED")

    async def update_job_status(
        self, job_id: str, status: str, result: Any = None, error: str | None = None
    ) -> Result:
        """Make it "paused", "pending" (resume it), "running" (run it now) or "cancelled".

        "completed" and "failed" are what its function makes of an execution by what it returns
        or raises: nobody else says so, nor gives a ``result`` or an ``error`` in its place.
        Code: STATUS_NOT_ALLOWED.
        """
        verbs: dict[str, Callable[[str], Any]] = {
            "paused": self.pause,
            "pending": self.resume,
            "running": self.execute_job,
            "cancelled": self.cancel,
        }
        if status not in [*verbs] or result is not None or error is not None:
            return Result.error(
                code="STATUS_NOT_ALLOWED",
                message=f"status={status!r} cannot be given to job {job_id!r}: use "
                f"{', '.join(verbs)}, without result and error; how an execution ended is what "
                "its function returned or raised",
                details={"job_id": job_id, "status": status},
            )
        answer: Result = await verbs[status](job_id)
        return answer

    async def cleanup_completed_jobs(self) -> Result:
        """Delete what ended more days ago than the setting ``keep_execution_history`` says.

        The data has how many ``jobs`` and ``executions`` went.
        """
        days = self._calls.settings.keep_execution_history
        return await self._calls.answer(clear_ended, self._calls, days)

    def _create(self, given: dict[str, Any], info: object) -> dict[str, Any]:
        if not isinstance(info, Mapping):
            raise wrong("TASK_SCHEDULING_FAILED", given, {"schedule_info": "must be a dict"})
        if "module_id" not in info:
            module_id, _, function_name = str(given["function_name"]).rpartition(".")
            given = {**given, "module_id": module_id, "function_name": function_name}
        return self._schedule({**given, **info})

    def _schedule(self, config: object, task_id: str | None = None) -> dict[str, Any]:
        calls = self._calls
        now = calls.clock.now() if task_id is None else time_of(task_id)
        asked = read_task(config, now=now, timezone=calls.settings.timezone)
        task_id = calls.create(
            calls.target(asked.module_id, asked.function_name, asked.parameters),
            asked.trigger,
            asked.metadata,
            schedule_id=task_id or str(uuid4()),
            max_runs=asked.max_executions,
        )
        return {"task_id": task_id, "status": "scheduled"}

    def _cancel(self, job_id: str) -> dict[str, Any]:
        scheduler = self._calls.scheduler()
        scheduler.get_schedule(job_id)
        if not scheduler.remove_schedule(job_id):  # somebody else was faster
            raise Refused("TASK_NOT_FOUND", f"task {job_id!r} was cancelled before")
        # From here on no tick and no run by hand makes another one.
        while left := scheduler.executions(schedule_id=job_id, statuses=OPEN, limit=1000):
            if not sum(scheduler.cancel_task(row.execution_id) for row in left):
                break
        return {"task_id": job_id, "status": "cancelled"}

    def _pause(self, job_id: str) -> dict[str, Any]:
        self._calls.scheduler().pause_schedule(job_id)
        return {"task_id": job_id, "status": "paused"}

    def _resume(self, job_id: str) -> dict[str, Any]:
        self._calls.scheduler().resume_schedule(job_id)
        return {"task_id": job_id, "status": "resumed"}


class TriggerManager:
    """When intervals are due; a ``ValueError`` says what is wrong with one.

    One that belongs to no service has the settings of the environment.
    """

    def __init__(self, app_context: Any = None, calls: Calls | None = None) -> None:
        calls = calls or Calls(None, None, ())
        self.app_context = app_context
        self._clock = calls.clock
        self._timezone = calls.settings.timezone

    def calculate_next_execution(
        self, interval_type: str, interval_value: int, last_execution: datetime | None = None
    ) -> datetime:
        """One interval after ``last_execution`` (None: now), aware; see ``interval_trigger``.

        A month after the 31st is the last day of a shorter month. A task remembers that it began
        on the 31st; here the day is that of ``last_execution``.
        """
        last = self._instant("last_execution", last_execution or self._clock.now())
        trigger = interval_trigger(interval_type, interval_value, last, self._timezone)
        following = trigger.get_next_fire_time(last, last)
        if following is None:
            raise ValueError(f"there is no time {interval_value} {interval_type} after {last}")
        found: datetime = following
        return found

    def is_execution_due(self, next_execution: datetime | None) -> bool:
        """Whether the time has come; None is never due."""
        if next_execution is None:
            return False
        return self._instant("next_execution", next_execution) <= self._clock.now()

    def create_recurring_schedule(self, interval_type: str, interval_value: int) -> dict[str, Any]:
        """The keys that let a task's configuration recur, for the first time in one interval."""
        return {
            "recurring": True,
            "interval_type": interval_type,
            "interval_value": interval_value,
            "schedule_time": self.calculate_next_execution(interval_type, interval_value),
        }

    def _instant(self, name: str, value: datetime) -> datetime:
        return moment(name, value, zone_of(self._timezone))
