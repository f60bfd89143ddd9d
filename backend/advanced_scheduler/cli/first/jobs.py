"""The tasks of this application, and when they run."""

from __future__ import annotations

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    TaskContext,
    TaskDependency,
    TaskPriority,
)

scheduler = AdvancedTaskScheduler()  # its settings come from the environment, or scheduler.env


@scheduler.task(task_id="fetch", retry=RetryConfig(max_attempts=3, initial_delay=1))
def fetch(pages: int = 3) -> list[str]:
    """Something that may fail, and is tried again."""
    return [f"page {number}" for number in range(1, pages + 1)]


@scheduler.task(
    task_id="summarise", after=[TaskDependency("fetch", "success")], priority=TaskPriority.HIGH
)
def summarise(context: TaskContext) -> str:
    """Something that follows, with what came before at hand."""
    return f"{len(context.results['fetch'])} pages"


@scheduler.task(task_id="tidy-up", lock=True, timeout=60)
async def tidy_up() -> None:
    """Something that must not run twice at the same time, on any machine."""


tidy_up.cron("*/5 * * * *")  # every five minutes
