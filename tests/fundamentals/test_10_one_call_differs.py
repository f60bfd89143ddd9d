"""One call can differ from its task: its queue, its rank, its retries, and what it is about."""

from __future__ import annotations

import asyncio

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskDefinition,
)


def render() -> str:
    return "a picture"


def test_a_node_serves_the_queues_it_is_told_to(clock: ManualClock) -> None:
    everywhere = AdvancedTaskScheduler(clock=clock)
    with_gpu = AdvancedTaskScheduler(store=everywhere.store, clock=clock, queues=["gpu"])
    for scheduler in (everywhere, with_gpu):
        scheduler.register_task(TaskDefinition("render", "Render", render))
    everywhere.schedule_task("render", options=ScheduleOptions(queue="gpu"))
    everywhere.schedule_task("render")

    assert asyncio.run(with_gpu.run_due()) == 1
    assert asyncio.run(with_gpu.run_due()) == 0
    assert asyncio.run(everywhere.run_due()) == 1


def test_of_equal_priority_the_higher_rank_goes_first(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("render", "Render", render))
    scheduler.schedule_task("render")
    urgent = scheduler.schedule_task("render", options=ScheduleOptions(rank=10))

    first = scheduler.task_queue.peek()
    assert first is not None
    assert first.execution_id == urgent


def test_a_call_brings_its_own_retries_and_what_it_is_about(clock: ManualClock) -> None:
    def flaky() -> None:
        raise ConnectionError

    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("flaky", "Flaky", flaky))
    options = ScheduleOptions(
        retry=RetryConfig(RetryStrategy.FIXED, max_attempts=1, initial_delay=1),
        metadata={"order": 42},
    )
    execution_id = scheduler.schedule_task("flaky", options=options)
    asyncio.run(scheduler.run_due())

    row = scheduler.get_execution(execution_id)
    assert row is not None
    assert (row.status, row.extras["metadata"]) == ("retrying", {"order": 42})


def test_what_cannot_work_is_refused_by_name(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    with pytest.raises(ValueError, match="rank=5000 must be a whole number from -1000 to 1000"):
        scheduler.schedule_task(render, options=ScheduleOptions(rank=5000))
    assert scheduler.task_queue.is_empty()
