"""Document 001's service: tasks as dicts, jobs, triggers and clean-ups, over the one scheduler.

A task of document 001 is a schedule, whose metadata has what document 001 says of it beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..config import ServiceSettings
from ..scheduler import AdvancedTaskScheduler
from .service_calls import Calls
from .service_cleanup import Housekeeper
from .service_jobs import JobManager, TriggerManager
from .service_results import Result, ResultError

__all__ = [
    "SCHEDULER_SETTINGS",
    "SERVICE_NAME",
    "Housekeeper",
    "JobManager",
    "Result",
    "ResultError",
    "SchedulerService",
    "TriggerManager",
]

SERVICE_NAME: Final = "core.scheduler.service"
"""Under which ``app_context.get_service`` finds the service."""

SCHEDULER_SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    name: {
        "type": getattr(field.annotation, "__name__", ""),
        "default": field.default,
        "description": field.description,
    }
    for name, field in ServiceSettings.model_fields.items()
}
"""The settings of the service; in the environment ``CORE_SCHEDULER_MAX_CONCURRENT_TASKS``..."""


class SchedulerService:
    """The service of document 001; no call of it raises: what goes wrong is a ``Result.error``.

    To make one touches no server: ``initialize``, or the first call, opens the store (that of
    the setting ``store``), unless a ``scheduler`` is given. ``settings`` are values by the names
    of ``SCHEDULER_SETTINGS``; what they lack comes from the environment. Functions are
    registered tasks of the id "module_id.function_name", or else in one of ``allowed_modules``
    or below. ``database`` (URL or engine) is what table clean-ups clean: that of the store
    unless given. An ``app_context`` with ``register_service`` learns of the service.

    A task function takes one dict, and returns a ``Result`` or any value. Times without a zone
    are in the setting ``timezone``: UTC unless it says otherwise.
    """

    def __init__(
        self,
        app_context: Any = None,
        *,
        scheduler: AdvancedTaskScheduler | None = None,
        settings: Mapping[str, Any] | None = None,
        allowed_modules: Sequence[str] = (),
        database: Any = None,
    ) -> None:
        self.app_context = app_context
        self._calls = Calls(scheduler, settings, allowed_modules)
        self.settings = self._calls.settings
        self.job_manager = JobManager(app_context, self._calls)
        self.trigger_manager = TriggerManager(app_context, self._calls)
        self.housekeeper = Housekeeper(app_context, self._calls, database)
        register = getattr(app_context, "register_service", None)
        if callable(register):
            register(SERVICE_NAME, self)

    @property
    def scheduler(self) -> AdvancedTaskScheduler:
        """The one scheduler below; opens its store, in this thread, unless that is open."""
        return self._calls.scheduler()

    async def initialize(self) -> Result:
        """Open the store; nothing runs yet. Safe to repeat. Code: INITIALIZATION_FAILED."""
        return await self._calls.answer(self._initialized, code="INITIALIZATION_FAILED")

    async def start_background_processing(self) -> Result:
        """Run what is due from now on, on this event loop. Safe to repeat.

        Codes: INITIALIZATION_FAILED, START_FAILED.
        """
        if not (opened := await self.initialize()):
            return opened
        try:
            await self.scheduler.start()
        except Exception as error:
            return Result.error(code="START_FAILED", message=str(error))
        return Result.success(data={"status": "running"})

    async def stop_background_processing(self) -> Result:
        """Claim no more, and let what runs end; see ``AdvancedTaskScheduler.stop``.

        Safe to repeat. Code: STOP_FAILED.
        """
        try:
            if self._calls.is_open():
                await self.scheduler.stop()
        except Exception as error:
            return Result.error(code="STOP_FAILED", message=str(error))
        return Result.success(data={"status": "stopped"})

    async def shutdown(self) -> Result:
        """Stop, and close the store if the service has opened it. Code: STOP_FAILED."""
        if not (stopped := await self.stop_background_processing()):
            return stopped
        closed = await self._calls.answer(self._calls.close, code="STOP_FAILED")
        return stopped if closed else closed

    async def schedule_task(self, task_config: Mapping[str, Any]) -> Result:
        """Schedule a task; the data is {"task_id": ..., "status": "scheduled"}.

        ``name``, ``module_id`` and ``function_name`` are required. A task that is not
        ``recurring`` has a ``schedule_time`` (a datetime or ISO 8601 text); one that is has an
        ``interval_type`` (minutes, hours, days, weeks, months) and ``interval_value``, a ``cron``
        text or an ``event``, and it may have a ``schedule_time`` for its first run and
        ``max_executions``. Besides: ``description``, ``parameters`` (a dict),
        ``trace_session_id``, which is kept with each execution.

        Codes: TASK_NOT_ALLOWED; TASK_SCHEDULING_FAILED, with what is wrong by field in
        ``details["errors"]``, and ``details["config"]``. Nothing is stored then.
        """
        return await self.job_manager.schedule(task_config)

    async def cancel_task(self, task_id: str) -> Result:
        """Remove a task, and cancel its executions that have not ended. Code: TASK_NOT_FOUND."""
        return await self.job_manager.cancel(task_id)

    async def pause_task(self, task_id: str) -> Result:
        """Run it no more until it is resumed. Code: TASK_NOT_FOUND."""
        return await self.job_manager.pause(task_id)

    async def resume_task(self, task_id: str) -> Result:
        """Go on; what was due in the pause is left out. Code: TASK_NOT_FOUND."""
        return await self.job_manager.resume(task_id)

    async def execute_task(self, task_id: str, *, wait: float | None = None) -> Result:
        """Let the engine run it once, now, also if it is paused.

        The data has ``task_id``, ``execution_id``, ``status``; ``wait`` is for how many seconds
        to wait for the end, and then it has the ``result``. Codes: TASK_NOT_FOUND,
        TASK_EXECUTION_FAILED with the same in ``details``.
        """
        return await self.job_manager.execute_job(task_id, wait=wait)

    async def register_cleanup_task(
        self, module_id: str, cleanup_type: str, config: Mapping[str, Any]
    ) -> Result:
        """See ``Housekeeper.register_cleanup_task``."""
        return await self.housekeeper.register_cleanup_task(module_id, cleanup_type, config)

    def _initialized(self) -> Any:
        return {"store": type(self.scheduler.store).__name__}
