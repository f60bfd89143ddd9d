"""Owns what the tests of metrics share: tasks, a store that fails, and how to read samples."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from advanced_scheduler import AdvancedTaskScheduler, TaskPriority, TaskStatus
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.metrics import SchedulerMetrics
from advanced_scheduler.stores.memory import MemoryStore


class FaultyStore(MemoryStore):
    """Does not tell its counts while ``down``."""

    down = False

    def counts(
        self, statuses: Collection[TaskStatus] | None = None
    ) -> dict[tuple[TaskStatus, TaskPriority], int]:
        if self.down:
            raise StoreUnavailable("gone")
        return super().counts(statuses)


def works() -> str:
    """A task that completes."""
    return "done"


def fails() -> None:
    """A task that fails."""
    raise RuntimeError("boom")


def value(metrics: SchedulerMetrics, name: str, **labels: str) -> float | None:
    """One sample, None where there is none."""
    return metrics.registry.get_sample_value(f"advanced_scheduler_{name}", labels)


def values(metrics: SchedulerMetrics, name: str, label: str, **labels: str) -> dict[str, float]:
    """The samples with ``labels`` that are not 0, by one more label."""
    return {
        sample.labels[label]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == f"advanced_scheduler_{name}"
        and labels.items() <= sample.labels.items()
        and sample.value
    }


def run_due(scheduler: AdvancedTaskScheduler) -> None:
    """Run what is due, once."""
    asyncio.run(scheduler.run_due())
