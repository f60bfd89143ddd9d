"""Document 003, what runs when: priorities, dependencies, locks, retries, cron."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import redis

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    RetryConfig,
    RetryStrategy,
    Settings,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)
from tests.requirements.document_003 import Functions, fail, my_task, run_all, statuses, workflow
from tests.support.waiting import eventually


@pytest.fixture
def scheduler(advanced: AdvancedTaskScheduler) -> AdvancedTaskScheduler:
    return advanced


# --- Basic task scheduling ------------------------------------------------------------------


def test_a_task_is_defined_registered_and_scheduled(app: Functions, ran: list[str]) -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(my_task())
    execution_id = scheduler.schedule_task("my_task")
    with scheduler.running():
        answer = scheduler.wait_for_task(execution_id, timeout=10)
    assert answer == "app.tasks.my_module.my_function"
    assert ran == ["app.tasks.my_module.my_function"]
    scheduler.close()


def test_keyword_arguments_reach_the_function(
    scheduler: AdvancedTaskScheduler, app: Functions
) -> None:
    app["app.tasks.my_module.my_function"] = lambda **kwargs: kwargs
    scheduler.register_task(my_task())
    execution_id = scheduler.schedule_task(task_id="my_task", day="monday")
    run_all(scheduler)
    assert scheduler.wait_for_task(execution_id) == {"day": "monday"}


# --- Priority queues ------------------------------------------------------------------------


def test_critical_tasks_run_first_and_background_tasks_last(
    app: Functions, ran: list[str], clock: ManualClock
) -> None:
    scheduler = AdvancedTaskScheduler(max_concurrent_tasks=1, clock=clock)
    background_task = TaskDefinition(
        task_id="background_task",
        task_name="Background Cleanup",
        func_path="app.tasks.maintenance.cleanup",
        priority=TaskPriority.BACKGROUND,
    )
    critical_task = TaskDefinition(
        task_id="critical_task",
        task_name="Critical Task",
        func_path="app.tasks.critical.handle_emergency",
        priority=TaskPriority.CRITICAL,
    )
    for task in (background_task, my_task(), critical_task):
        scheduler.register_task(task)
        scheduler.schedule_task(task.task_id)
    assert run_all(scheduler) == 3
    assert ran == [
        "app.tasks.critical.handle_emergency",
        "app.tasks.my_module.my_function",
        "app.tasks.maintenance.cleanup",
    ]
    scheduler.close()


def test_there_are_five_levels_from_critical_to_background() -> None:
    assert [one.name for one in sorted(TaskPriority)] == [
        "CRITICAL",
        "HIGH",
        "NORMAL",
        "LOW",
        "BACKGROUND",
    ]
    assert TaskDefinition("a", "A", "os.getcwd").priority is TaskPriority.NORMAL


# --- Task dependencies ----------------------------------------------------------------------


def test_each_step_of_a_workflow_waits_for_the_one_before(
    scheduler: AdvancedTaskScheduler, ran: list[str]
) -> None:
    for task in workflow():
        scheduler.register_task(task)
    run = scheduler.schedule_workflow(["generate_report", "process_data", "fetch_data"])
    run_all(scheduler)
    assert ran == ["app.tasks.data.fetch", "app.tasks.data.process", "app.tasks.reports.generate"]
    assert set(statuses(scheduler, run).values()) == {TaskStatus.COMPLETED}


def test_what_needs_a_success_is_skipped_after_a_failure(
    scheduler: AdvancedTaskScheduler, app: Functions
) -> None:
    app["app.tasks.data.fetch"] = fail
    for task in workflow():
        scheduler.register_task(task)
    run = scheduler.schedule_workflow(["fetch_data", "process_data", "generate_report"])
    run_all(scheduler)
    assert statuses(scheduler, run) == {
        "fetch_data": TaskStatus.FAILED,
        "process_data": TaskStatus.SKIPPED,
        "generate_report": TaskStatus.SKIPPED,
    }


@pytest.mark.parametrize("fails", [False, True], ids=["after a success", "after a failure"])
def test_completion_runs_either_way_success_and_failure_each_one_way(
    scheduler: AdvancedTaskScheduler, app: Functions, fails: bool
) -> None:
    if fails:
        app["app.tasks.data.fetch"] = fail
    scheduler.register_task(workflow()[0])
    for kind in ("completion", "success", "failure"):
        after = TaskDependency(task_id="fetch_data", dependency_type=kind)
        scheduler.register_task(
            TaskDefinition(kind, kind, "app.tasks.data.process", dependencies=[after])
        )
    run = scheduler.schedule_workflow(["fetch_data", "completion", "success", "failure"])
    run_all(scheduler)
    seen = statuses(scheduler, run)
    del seen["fetch_data"]
    assert seen == {
        "completion": TaskStatus.COMPLETED,
        "success": TaskStatus.SKIPPED if fails else TaskStatus.COMPLETED,
        "failure": TaskStatus.COMPLETED if fails else TaskStatus.SKIPPED,
    }


def test_a_cycle_of_dependencies_is_refused(scheduler: AdvancedTaskScheduler) -> None:
    def task(task_id: str, after: str) -> TaskDefinition:
        return TaskDefinition(
            task_id, task_id, "app.tasks.data.fetch", dependencies=[TaskDependency(after)]
        )

    scheduler.register_task(task("a", "b"))
    with pytest.raises(ValueError, match="circular dependency"):
        scheduler.register_task(task("b", "a"))
    assert "b" not in scheduler.task_definitions


# --- Distributed locking --------------------------------------------------------------------


def test_a_task_holds_its_lock_on_redis_while_it_runs(
    app: Functions, redis_client: redis.Redis
) -> None:
    scheduler = AdvancedTaskScheduler(redis_client)
    locks = scheduler.lock_manager
    during: list[float | None] = []
    app["app.tasks.critical.exclusive_operation"] = lambda: during.append(
        locks.get_lock_ttl("exclusive_task")
    )
    task_def = TaskDefinition(
        task_id="exclusive_task",
        task_name="Exclusive Task",
        func_path="app.tasks.critical.exclusive_operation",
        require_lock=True,
        lock_timeout=600,  # seconds
    )
    scheduler.register_task(task_def)
    assert locks.kind == "redis"
    execution_id = scheduler.schedule_task("exclusive_task")
    with scheduler.running():
        scheduler.result(execution_id, timeout=10)
    (ttl,) = during
    assert ttl is not None
    assert 0 < ttl <= 600
    assert not locks.is_locked("exclusive_task")  # released when it had ended
    scheduler.close()


def test_a_lock_that_is_stuck_can_be_looked_at_and_forced_open(
    app: Functions, redis_client: redis.Redis
) -> None:
    scheduler = AdvancedTaskScheduler(redis_client, settings=Settings(poll_seconds=0.05))
    lock_manager, task_id = scheduler.lock_manager, "exclusive_task"
    scheduler.register_task(
        TaskDefinition(
            task_id,
            "Exclusive Task",
            "app.tasks.critical.exclusive_operation",
            require_lock=True,
            lock_timeout=600,
        )
    )
    assert lock_manager.acquire(task_id, timeout=600) is not None  # by somebody who went away
    execution_id = scheduler.schedule_task(task_id)
    with scheduler.running():
        eventually(lambda: (scheduler.get_task_status(execution_id) or {}).get("reason"))
        assert (lock_manager.get_lock_ttl(task_id) or 0) > 0
        assert lock_manager.force_release(task_id)
        scheduler.result(execution_id, timeout=10)
    scheduler.close()


# --- Retry with backoff ---------------------------------------------------------------------


def retry_config() -> RetryConfig:
    return RetryConfig(
        strategy=RetryStrategy.EXPONENTIAL,
        max_attempts=5,
        initial_delay=60,
        max_delay=3600,
        backoff_multiplier=2.0,
        jitter=True,
    )


def resilient_task(config: RetryConfig) -> TaskDefinition:
    return TaskDefinition(
        task_id="resilient_task",
        task_name="Resilient Task",
        func_path="app.tasks.processing.flaky_operation",
        retry_config=config,
    )


def delays(scheduler: AdvancedTaskScheduler, clock: ManualClock, config: RetryConfig) -> list[int]:
    """Seconds before each retry, to the whole second, of a task that always fails."""
    scheduler.register_task(resilient_task(config))
    execution_id = scheduler.schedule_task("resilient_task")
    waited: list[int] = []
    while True:
        asyncio.run(scheduler.run_due())
        row = scheduler.get_execution(execution_id)
        assert row is not None
        if row.status is not TaskStatus.RETRYING:
            assert row.status is TaskStatus.FAILED
            return waited
        waited.append(round((row.due - clock.now()).total_seconds()))
        clock.set(row.due)


def test_a_task_that_fails_is_tried_again_up_to_max_attempts_times(
    scheduler: AdvancedTaskScheduler, app: Functions, clock: ManualClock, ran: list[str]
) -> None:
    app["app.tasks.processing.flaky_operation"] = fail
    waited = delays(scheduler, clock, retry_config())
    assert len(ran) == 6  # the first run, and five retries
    for seconds, expected in zip(waited, [60, 120, 240, 480, 960], strict=True):
        assert 0.79 * expected <= seconds <= 1.21 * expected  # jitter


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (RetryStrategy.EXPONENTIAL, [60, 120, 200]),
        (RetryStrategy.LINEAR, [60, 120, 180]),
        (RetryStrategy.FIXED, [60, 60, 60]),
        (RetryStrategy.NONE, []),
    ],
    ids=str,
)
def test_the_strategy_says_how_the_delay_grows_up_to_max_delay(
    scheduler: AdvancedTaskScheduler,
    app: Functions,
    clock: ManualClock,
    strategy: RetryStrategy,
    expected: list[int],
) -> None:
    app["app.tasks.processing.flaky_operation"] = fail
    config = RetryConfig(
        strategy=strategy, max_attempts=3, initial_delay=60, max_delay=200, jitter=False
    )
    assert delays(scheduler, clock, config) == expected


# --- Cron scheduling ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_id", "cron_expression", "instants"),
    [
        ("hourly_task", "15 * * * *", ["2030-01-01 00:15", "2030-01-01 01:15"]),
        ("daily_task", "30 2 * * *", ["2030-01-01 02:30", "2030-01-02 02:30"]),
        ("weekly_task", "0 9 * * 1", ["2030-01-07 09:00", "2030-01-14 09:00"]),  # Mondays
    ],
)
def test_a_cron_task_runs_when_its_text_says(
    scheduler: AdvancedTaskScheduler,
    clock: ManualClock,
    task_id: str,
    cron_expression: str,
    instants: list[str],
) -> None:
    scheduler.register_task(TaskDefinition(task_id, task_id, "app.tasks.maintenance.cleanup"))
    scheduler.schedule_cron_task(
        task_id=task_id,
        cron_expression=cron_expression,
    )
    for text in instants:
        instant = datetime.fromisoformat(text).replace(tzinfo=UTC)
        clock.set(instant - timedelta(seconds=1))
        assert run_all(scheduler) == 0
        clock.set(instant)
        assert run_all(scheduler) == 1
