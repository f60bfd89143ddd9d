"""Owns the definitions of document 003, and what its tests ask of a scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from advanced_scheduler import (
    AdvancedTaskScheduler,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)

Functions = dict[str, Callable[..., Any]]

PATHS = (
    "app.tasks.my_module.my_function",
    "app.tasks.critical.handle_emergency",
    "app.tasks.critical.exclusive_operation",
    "app.tasks.maintenance.cleanup",
    "app.tasks.data.fetch",
    "app.tasks.data.process",
    "app.tasks.reports.generate",
    "app.tasks.processing.flaky_operation",
)
"""The functions of the application that the document belongs to."""


def run_all(scheduler: AdvancedTaskScheduler) -> int:
    """Run what is due, and what that unblocks; answers how many executions ran."""
    count = 0
    while ran := asyncio.run(scheduler.run_due()):
        count += ran
    return count


def my_task() -> TaskDefinition:
    """The first definition of the document."""
    return TaskDefinition(
        task_id="my_task",
        task_name="My Task",
        func_path="app.tasks.my_module.my_function",
        priority=TaskPriority.HIGH,
    )


def workflow() -> list[TaskDefinition]:
    """Fetch, process and report: each runs only if the one before it has succeeded."""
    return [
        TaskDefinition(
            task_id="fetch_data",
            task_name="Fetch Data",
            func_path="app.tasks.data.fetch",
        ),
        TaskDefinition(
            task_id="process_data",
            task_name="Process Data",
            func_path="app.tasks.data.process",
            dependencies=[TaskDependency(task_id="fetch_data", dependency_type="success")],
        ),
        TaskDefinition(
            task_id="generate_report",
            task_name="Generate Report",
            func_path="app.tasks.reports.generate",
            dependencies=[TaskDependency(task_id="process_data", dependency_type="success")],
        ),
    ]


def statuses(scheduler: AdvancedTaskScheduler, run: dict[str, str]) -> dict[str, TaskStatus]:
    """How each execution of a workflow run stands, by task id."""
    found = {task: scheduler.get_execution(one) for task, one in run.items()}
    return {task: one.status for task, one in found.items() if one is not None}


def fail(**_: Any) -> None:
    """A task that never succeeds."""
    raise OSError("no connection")
