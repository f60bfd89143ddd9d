"""Owns work of every kind, for whoever watches: it completes, fails, retries, waits, is locked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)

EVERY_SECOND = "* * * * * *"


def quick() -> str:
    """A task that completes."""
    return "done"


def failing() -> None:
    """A task that fails, also when it is tried again."""
    raise RuntimeError("as always")


async def locked() -> None:
    """A task of which one runs at a time."""
    await asyncio.sleep(0.05)


async def slow() -> None:
    """A task that takes a slot for a while."""
    await asyncio.sleep(0.3)


@contextmanager
def under_load(scheduler: AdvancedTaskScheduler) -> Iterator[None]:
    """Run it, with schedules that fire every second, until the block ends."""

    def runs() -> None:
        scheduler.schedule_workflow(["extract", "load"])

    retried = RetryConfig(max_attempts=1, initial_delay=0.1)
    for task in (
        TaskDefinition("quick", "Quick", quick, priority=TaskPriority.HIGH),
        TaskDefinition("failing", "Failing", failing, retry_config=retried),
        TaskDefinition("locked", "Locked", locked, require_lock=True, lock_timeout=5),
        TaskDefinition("slow", "Slow", slow, priority=TaskPriority.LOW),
        TaskDefinition("extract", "Extract", quick),
        TaskDefinition("load", "Load", quick, dependencies=[TaskDependency("extract")]),
        TaskDefinition("again", "Workflow again", runs),
    ):
        scheduler.register_task(task)

    with scheduler.running():
        for task_id in ("quick", "failing", "locked", "slow", "again"):
            scheduler.schedule_cron_task(task_id, EVERY_SECOND)
        for task_id in ("locked", "slow"):
            scheduler.schedule_task_many(task_id, [()] * 10)
        scheduler.schedule_task("quick", options=ScheduleOptions(delay=3600))
        yield
