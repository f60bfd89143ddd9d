"""The framework that document 001 stands in: a context with services, and a module with tasks."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, Settings
from advanced_scheduler.adapters.service import Result, SchedulerService
from advanced_scheduler.models import TaskDefinition, TaskExecution

START: Final = datetime(2025, 7, 16, 10, tzinfo=UTC)
EXPORT: Final = "standard.data_export.export_users_to_csv"


def rows(store: str, view: str) -> list[dict[str, Any]]:
    """All rows of a view, as plain SQL has them."""
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(f"SELECT * FROM {view}")]


class AppContext:
    """Hands out the services that were registered."""

    def __init__(self) -> None:
        self._services: dict[str, Any] = {}

    def register_service(self, name: str, service: Any) -> None:
        """Make a service known."""
        self._services[name] = service

    def get_service(self, name: str) -> Any:
        """The service of this name."""
        return self._services[name]


class Framework:
    """One node: context, scheduler and service, on a clock that stands still."""

    def __init__(self, clock: ManualClock, store: str, **options: Any) -> None:
        self.clock = clock
        self.context = AppContext()
        settings = Settings(auto_migrate=True)
        self.scheduler = AdvancedTaskScheduler(store=store, clock=clock, settings=settings)
        self.made = SchedulerService(self.context, scheduler=self.scheduler, **options)
        self.service: SchedulerService = self.context.get_service("core.scheduler.service")
        self.calls: list[dict[str, Any]] = []
        for task_id in (EXPORT, "core.scheduler.cleanup_old_logs"):
            self.register(task_id, self._noted)

    async def _noted(self, parameters: dict[str, Any]) -> Result:
        self.calls.append(parameters)
        return Result.success(data={"record_count": 3, "calls": len(self.calls)})

    def register(self, task_id: str, function: Any) -> None:
        """Make a function known under "module_id.function_name"."""
        self.scheduler.register_task(TaskDefinition(task_id, task_id, function))

    def now(self) -> datetime:
        """What document 001 gets from ``datetime.now()``."""
        return self.clock.now().replace(tzinfo=None)

    def one_time(self, **changes: Any) -> dict[str, Any]:
        """Document 001's first task, in an hour from now."""
        config = {
            "name": "Export User Data",
            "description": "Export all user data to CSV",
            "module_id": "standard.data_export",
            "function_name": "export_users_to_csv",
            "parameters": {"format": "csv", "include_deleted": False},
            "schedule_time": self.now() + timedelta(hours=1),
            "recurring": False,
        }
        return {key: value for key, value in (config | changes).items() if value is not ...}

    def recurring(self, interval_type: str, interval_value: int, **changes: Any) -> dict[str, Any]:
        """The same, at intervals from now on."""
        every = {"interval_type": interval_type, "interval_value": interval_value}
        return self.one_time(recurring=True, **every, **{"schedule_time": self.now(), **changes})

    async def scheduled(self, config: dict[str, Any]) -> str:
        """The id of a task that was scheduled."""
        result = await self.service.schedule_task(config)
        assert result.success, result.error
        task_id: str = result.data["task_id"]
        return task_id

    async def passes(self, **time: float) -> None:
        """Let time pass (keywords of a timedelta), and all run that is due then."""
        self.clock.advance(timedelta(**time))
        while await self.scheduler.run_due():
            pass

    async def ended(self, task_id: str) -> list[TaskExecution]:
        """The executions of a task, oldest first."""
        found = await asyncio.to_thread(self.scheduler.executions, schedule_id=task_id)
        return found[::-1]
