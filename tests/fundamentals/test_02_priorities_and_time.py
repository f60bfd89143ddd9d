"""What runs first, and when: ``ManualClock`` and ``run_due()`` put time into our hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    ScheduleOptions,
    TaskPriority,
)


@pytest.fixture
def order() -> list[str]:
    return []


@pytest.fixture
def note(order: list[str]) -> Callable[[str], None]:
    return order.append


def run_all(scheduler: AdvancedTaskScheduler) -> int:
    async def main() -> int:
        ran = 0
        while one := await scheduler.run_due():
            ran += one
        return ran

    return asyncio.run(main())


def test_a_more_urgent_priority_goes_first(
    clock: ManualClock, order: list[str], note: Callable[[str], None]
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock, max_concurrent_tasks=1)
    for priority in reversed(TaskPriority):
        scheduler.schedule_task(note, priority.name, options=ScheduleOptions(priority=priority))
    assert scheduler.task_queue.size() == 5
    assert scheduler.task_queue.size(TaskPriority.HIGH) == 1
    assert run_all(scheduler) == 5
    assert order == ["CRITICAL", "HIGH", "NORMAL", "LOW", "BACKGROUND"]
    scheduler.close()


def test_within_a_priority_the_earlier_one_goes_first(
    clock: ManualClock, order: list[str], note: Callable[[str], None]
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock, max_concurrent_tasks=1)
    scheduler.schedule_task(note, "first come")
    scheduler.schedule_task(note, "second come")
    scheduler.schedule_task(note, "due before", scheduled_time=clock.now() - timedelta(minutes=1))
    run_all(scheduler)
    assert order == ["due before", "first come", "second come"]
    scheduler.close()


def test_nothing_starts_before_its_time(
    clock: ManualClock, order: list[str], note: Callable[[str], None]
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.schedule_task(note, "later", options=ScheduleOptions(delay=60))
    assert run_all(scheduler) == 0
    clock.advance(seconds=59.999)
    assert run_all(scheduler) == 0
    clock.advance(seconds=0.001)
    assert run_all(scheduler) == 1
    assert order == ["later"]
    scheduler.close()


def test_a_unique_key_admits_one_open_execution(
    clock: ManualClock, order: list[str], note: Callable[[str], None]
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    only = ScheduleOptions(unique="report")
    first = scheduler.schedule_task(note, "one", options=only)
    assert scheduler.schedule_task(note, "two", options=only) == first
    run_all(scheduler)
    assert scheduler.schedule_task(note, "three", options=only) != first
    run_all(scheduler)
    assert order == ["one", "three"]
    scheduler.close()


def test_a_cancelled_execution_never_runs(
    clock: ManualClock, order: list[str], note: Callable[[str], None]
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    execution_id = scheduler.schedule_task(note, "never")
    assert scheduler.cancel_task(execution_id)
    assert not scheduler.cancel_task(execution_id)
    assert not scheduler.cancel_task("no such execution")
    assert run_all(scheduler) == 0
    assert order == []
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert status["status"] == "cancelled"
    scheduler.close()
