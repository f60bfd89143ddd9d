"""Owns the scheduler that the tests of metrics look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    RetryConfig,
    RetryStrategy,
    TaskDefinition,
)
from advanced_scheduler.metrics import SchedulerMetrics
from tests.unit.metrics.samples import FaultyStore, fails, works

RETRY_ONCE = RetryConfig(RetryStrategy.FIXED, max_attempts=1, initial_delay=60, jitter=False)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def scheduler(clock: ManualClock, store: FaultyStore) -> Iterator[AdvancedTaskScheduler]:
    """Not started; knows the tasks ``works`` and ``fails``, which is tried twice."""
    scheduler = AdvancedTaskScheduler(clock=clock, store=store, max_concurrent_tasks=3)
    scheduler.register_task(TaskDefinition("works", "Works", works))
    scheduler.register_task(TaskDefinition("fails", "Fails", fails, retry_config=RETRY_ONCE))
    yield scheduler
    scheduler.close()


@pytest.fixture
def metrics(scheduler: AdvancedTaskScheduler) -> SchedulerMetrics:
    return SchedulerMetrics(scheduler)
