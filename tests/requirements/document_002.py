"""Document 002's application: tasks that note how they were called, and a scheduler of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, TaskDefinition, TaskExecution
from advanced_scheduler.adapters.schedules import Scheduler

START: Final = datetime(2023, 4, 12, 0, 0, 1, tzinfo=UTC)
"""A Wednesday, and no instant of any schedule."""

TASKS: Final = (
    "accounting.process_invoices",
    "inventory.reorder_products",
    "maintenance.clean_old_data",
    "maintenance.cleanup",
    "monitor.check_system_health",
    "notifications.send_reminder",
    "reports.generate_daily_report",
    "reports.generate_report",
    "reports.generate_status_report",
    "reports.generate_weekly_report",
)


class Call(NamedTuple):
    """One call of a task of the application."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})


class Application:
    """Has the tasks; ``bodies`` are functions that a test puts in their place, by task id."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.bodies: dict[str, Callable[[], Any]] = {}

    @property
    def ran(self) -> list[str]:
        """Which tasks were called, in order."""
        return [call.task for call in self.calls]

    def join(self, scheduler: AdvancedTaskScheduler) -> None:
        """Register all tasks."""
        for task_id in TASKS:
            scheduler.register_task(TaskDefinition(task_id, task_id, self._function(task_id)))

    def _function(self, task_id: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(Call(task_id, args, kwargs))
            if body := self.bodies.get(task_id):
                answer = body()
                return await answer if hasattr(answer, "__await__") else answer
            return None

        return call


class Hours:
    """Time that passes for schedulers that were not started."""

    def __init__(self, clock: ManualClock, app: Application) -> None:
        self._clock = clock
        self._app = app

    async def until(self, scheduler: Scheduler, instant: datetime | str) -> list[Call]:
        """Let it be ``instant``; answers the calls that this brought."""
        at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        self._clock.set(at)
        before = len(self._app.calls)
        await scheduler.scheduler.run_due()
        return self._app.calls[before:]

    async def passing(self, scheduler: Scheduler, **parts: float) -> list[Call]:
        """Let as much time pass as ``timedelta(**parts)``; answers the calls that this brought."""
        return await self.until(scheduler, self._clock.now() + timedelta(**parts))


def executions(scheduler: Scheduler, schedule_id: str) -> list[TaskExecution]:
    """The executions of a schedule, the newest first."""
    return scheduler.scheduler.executions(schedule_id=schedule_id)
