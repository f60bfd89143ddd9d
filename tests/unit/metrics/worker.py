"""A worker of a server: runs N executions, and tells its scrape when it hears a line.

``PROMETHEUS_MULTIPROC_DIR=... python worker.py N``
"""

from __future__ import annotations

import asyncio
import sys

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.metrics import SchedulerMetrics


def works() -> None:
    """A task that completes."""


def main(number: int) -> None:
    """Run, say so, wait, and scrape."""
    scheduler = AdvancedTaskScheduler(max_concurrent_tasks=4)
    metrics = SchedulerMetrics(scheduler)
    scheduler.register_task(TaskDefinition("works", "Works", works))
    for _ in range(number):
        scheduler.schedule_task("works")
        asyncio.run(scheduler.run_due())
    metrics.render()
    print("ran", flush=True)
    sys.stdin.readline()
    print(metrics.render()[0].decode())
    metrics.close()
    scheduler.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
