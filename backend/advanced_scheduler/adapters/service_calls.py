"""The scheduler behind the service: opened when it is first needed; every answer is a result."""

from __future__ import annotations

import asyncio
import inspect
import reprlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from ..clock import Clock, SystemClock
from ..config import ServiceSettings, Settings, read_settings
from ..engine.waiters import checked_seconds
from ..errors import ConfigurationError, ScheduleExists, ScheduleNotFound, TaskAlreadyRegistered
from ..faults import describe_error
from ..forks import free_in_child
from ..lifecycle import FINAL
from ..models import TaskDefinition, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from ..triggers import Trigger
from ..triggers.zones import zone_of
from .service_requests import MODULE, allowed_function
from .service_results import Refused, Result

CALL_TASK: Final = "core.scheduler.call"
"""Runs a function that is not registered, but in a module that is allowed."""


class Calls:
    """What the parts of the service share: settings, clock, and calls on the scheduler.

    ``allowed_modules`` are modules whose functions, and those of modules below, may be run
    without being registered. ``own_tasks`` are registered when the scheduler is opened.
    """

    def __init__(
        self,
        scheduler: AdvancedTaskScheduler | None,
        settings: Mapping[str, Any] | None,
        allowed_modules: Sequence[str],
    ) -> None:
        self.settings = read_settings(ServiceSettings, **(settings or {}))
        zone_of(self.settings.timezone)  # which raises if there is no such zone
        self.allowed_modules = _modules(allowed_modules)
        self.clock: Clock = SystemClock() if scheduler is None else scheduler.clock
        self.own_tasks: dict[str, Callable[..., Any]] = {CALL_TASK: self._call}
        self._owned = scheduler is None
        self._scheduler = scheduler
        self._opened = False
        self._lock = free_in_child(threading.Lock())

    def scheduler(self) -> AdvancedTaskScheduler:
        """The scheduler; the first call opens its store, unless one was given."""
        with self._lock:
            if self._scheduler is None:
                self._scheduler = self._made()
            if not self._opened:
                for task_id, function in self.own_tasks.items():
                    with suppress(TaskAlreadyRegistered):  # by another service on the same one
                        self._scheduler.register_task(TaskDefinition(task_id, task_id, function))
                self._opened = True
            return self._scheduler

    def is_open(self) -> bool:
        """Whether ``scheduler`` was asked for."""
        return self._opened

    def close(self) -> None:
        """Close the scheduler, if it is not somebody else's."""
        with self._lock:
            if self._opened and self._owned and self._scheduler is not None:
                self._scheduler.close()
                self._scheduler, self._opened = None, False

    async def answer(
        self,
        work: Callable[..., Any],
        *args: Any,
        code: str = "TASK_OPERATION_FAILED",
        details: Mapping[str, Any] | None = None,
    ) -> Result:
        """The result of ``work`` in a thread; whatever it raises is an error of this ``code``.

        The first of ``args`` is the id of the task, where the work is to find one.
        """
        try:
            return Result.success(data=await asyncio.to_thread(work, *args))
        except Refused as refused:
            return refused.result
        except ScheduleNotFound:
            return Result.error(
                code="TASK_NOT_FOUND",
                message=f"no task {reprlib.repr(args[0])}: it never existed, or it was cancelled; "
                "schedule_task() answers the task_id",
            )
        except Exception as error:
            more = {"error": type(error).__name__, **(details or {})}
            return Result.error(code=code, message=describe_error(error), details=more)

    def target(
        self, module_id: str, function_name: str, parameters: Mapping[str, Any]
    ) -> tuple[str, list[Any]]:
        """The registered task that runs this function, and its arguments; raises ``Refused``."""
        task_id = f"{module_id}.{function_name}"
        if task_id in self.scheduler().task_definitions:
            return task_id, [parameters]
        allowed_function(module_id, function_name, self.allowed_modules)
        return CALL_TASK, [module_id, function_name, parameters]

    def create(
        self,
        target: tuple[str, list[Any]],
        trigger: Trigger,
        metadata: Mapping[str, Any],
        **more: Any,
    ) -> str:
        """Store a schedule that ``metadata`` names and describes; answers its id.

        Names need not be unique: the first of a name has it, so that others can find it by that.
        """
        scheduler, (task_id, args) = self.scheduler(), target
        if scheduler.task_definitions[task_id].timeout is None:
            more.setdefault("timeout", self.settings.execution_timeout)
        wanted: dict[str, Any] = {"args": args, "metadata": metadata, **more}
        try:
            return scheduler.create_schedule(task_id, trigger, name=metadata["name"], **wanted)
        except ScheduleExists:
            return scheduler.create_schedule(task_id, trigger, **wanted)

    def run(self, task_id: str, wait: float | None) -> dict[str, Any]:
        """Run a schedule now; ``wait`` is for how many seconds to wait for its end.

        Answers ``task_id``, ``execution_id``, ``status``, and ``result`` once it has one. Raises
        ``ScheduleNotFound``, and ``Refused`` if it ended without one.
        """
        if wait is not None:
            checked_seconds(wait, "wait")
        scheduler = self.scheduler()
        known: dict[str, Any] = {
            "task_id": task_id,
            "execution_id": scheduler.run_schedule_now(task_id),
        }
        if wait is not None:
            scheduler.wait_for_task(known["execution_id"], wait)
        row = scheduler.get_execution(known["execution_id"])
        if row is None:  # so short is the history
            return {**known, "status": TaskStatus.COMPLETED.value}
        known["status"] = row.status.value
        if row.status is TaskStatus.COMPLETED:
            return {**known, "result": row.result}
        if row.status in FINAL:
            raise Refused("TASK_EXECUTION_FAILED", row.error or row.reason or row.status, known)
        return known

    def _made(self) -> AdvancedTaskScheduler:
        kept = {"history_days": self.settings.keep_execution_history}
        told = "keep_execution_history" in self.settings.model_fields_set
        settings = read_settings(Settings, **(kept if told else {}))
        slots = self.settings.max_concurrent_tasks
        return AdvancedTaskScheduler(None, slots, settings=settings, clock=self.clock)

    async def _call(self, module_id: str, function_name: str, parameters: dict[str, Any]) -> Any:
        """Looks at the list again: another node, which allows more, may have stored this."""
        try:
            function = await asyncio.to_thread(
                allowed_function, module_id, function_name, self.allowed_modules
            )
        except Refused as refused:
            return refused.result
        if inspect.iscoroutinefunction(function):
            return await function(parameters)
        return await asyncio.to_thread(function, parameters)


def _modules(given: object) -> tuple[str, ...]:
    if isinstance(given, Sequence) and not isinstance(given, str) and all(map(MODULE[0], given)):
        return tuple(given)
    raise ConfigurationError(f"allowed_modules={given!r} must be a list of names of modules")
