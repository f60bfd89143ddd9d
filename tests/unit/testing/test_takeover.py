"""An application's own scheduler in the hands of a test, and as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    IntervalTrigger,
    OneTimeTrigger,
    ScheduleOptions,
    SchedulerStateError,
    TaskPriority,
)
from advanced_scheduler.testing import taken_over
from tests.support.definitions import define

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def application(url: str) -> Iterator[AdvancedTaskScheduler]:
    made = AdvancedTaskScheduler(store=url, max_concurrent_tasks=3, queues=["default"], name="app")
    yield made
    made.close()


def test_tasks_of_the_application_schedule_into_the_test_and_not_into_its_store(
    application: AdvancedTaskScheduler,
) -> None:
    @application.task(task_id="greet", priority=TaskPriority.HIGH)
    def greet(name: str) -> str:
        return f"hello {name}"

    before = greet.schedule("before")
    was = vars(application).copy()
    with taken_over(application) as kit:
        assert kit.scheduler is application
        kit.assert_scheduled("greet", count=0)
        greet.schedule("ada")
        kit.assert_scheduled(greet, args=["ada"], priority=TaskPriority.HIGH, at=MIDNIGHT)
        (row,) = kit.drain()
        assert row.result == "hello ada"
        assert application.max_concurrent_tasks == 3
        assert application.queues == frozenset({"default"})
    assert vars(application) == was
    assert [row.execution_id for row in application.executions()] == [before]


def test_schedules_begin_anew_on_the_clock_of_the_test(application: AdvancedTaskScheduler) -> None:
    application.register_task(define(task_id="job"))
    daily = application.schedule_cron_task("job", "30 2 * * *", timezone="Europe/Berlin")
    paused = application.create_schedule("job", IntervalTrigger(60))
    application.pause_schedule(paused)
    application.create_schedule("job", OneTimeTrigger(MIDNIGHT + timedelta(hours=5)), max_runs=1)
    real = application.get_schedules()
    with taken_over(application) as kit:
        assert [one.at for one in kit.scheduled()] == [
            MIDNIGHT + timedelta(hours=1, minutes=30),
            MIDNIGHT + timedelta(hours=5),
        ]
        assert len(kit.advance(days=1)) == 2
        assert application.get_schedule(daily).run_count == 1
        assert application.get_schedule(paused).paused
    assert application.get_schedules() == real


def test_a_schedule_has_all_its_runs_again(application: AdvancedTaskScheduler) -> None:
    application.register_task(define(task_id="job"))
    with taken_over(application) as first:
        hourly = application.create_schedule("job", IntervalTrigger(3600), max_runs=3)
        assert len(first.drain()) == 1
        with taken_over(application) as second:
            assert len(second.advance(days=1)) == 3
            assert application.get_schedule(hourly).ended
        assert application.get_schedule(hourly).run_count == 1
        assert len(first.advance(days=1)) == 2


def test_pools_are_there_as_well(application: AdvancedTaskScheduler) -> None:
    pool = application.add_process_pool(2)
    with taken_over(application) as kit:
        application.schedule_task(len, [], options=ScheduleOptions(executor=pool, delay=60))
        kit.assert_scheduled("builtins.len", count=1)


def test_a_test_that_fails_gives_it_back(application: AdvancedTaskScheduler) -> None:
    was = vars(application).copy()
    with pytest.raises(ZeroDivisionError), taken_over(application):
        raise ZeroDivisionError
    assert vars(application) == was


async def test_one_that_runs_is_left_alone(application: AdvancedTaskScheduler) -> None:
    await application.start()
    try:
        with pytest.raises(SchedulerStateError, match="stop it first"), taken_over(application):
            pass
    finally:
        await application.stop()
