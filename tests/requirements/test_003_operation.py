"""Document 003, what can be seen and done: health, status, cancelling, settings, the reference."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
import redis

import advanced_scheduler
from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    Settings,
    TaskDefinition,
    TaskPriority,
    TaskStatus,
)
from tests.requirements.document_003 import Functions, fail, my_task, run_all, statuses, workflow
from tests.support.waiting import eventually


@pytest.fixture
def scheduler(advanced: AdvancedTaskScheduler) -> AdvancedTaskScheduler:
    return advanced


# --- Health monitoring ----------------------------------------------------------------------


def test_health_tells_rates_queue_and_recent_errors(app: Functions) -> None:
    scheduler = AdvancedTaskScheduler()
    app["app.tasks.data.fetch"] = fail
    scheduler.register_task(my_task())
    scheduler.register_task(TaskDefinition("bad", "Bad Task", "app.tasks.data.fetch"))
    good, bad = scheduler.schedule_task("my_task"), scheduler.schedule_task("bad")
    assert scheduler.get_health_status()["queue_stats"]["total_queued"] == 2
    with scheduler.running():
        scheduler.wait_for_task(good, timeout=10)
        scheduler.wait_for_task(bad, timeout=10)
        health = eventually(lambda: seen_both(scheduler)) or {}
    assert health["status"] in ("healthy", "degraded")
    assert health["success_rate"] == 50.0
    assert health["running_tasks"] == 0
    assert health["queue_stats"]["total_queued"] == 0
    assert health["average_execution_time"] >= 0
    errors = [f"{error['task_name']}: {error['error']}" for error in health["recent_errors"]]
    assert errors == ["Bad Task: OSError: no connection"]
    scheduler.close()


def seen_both(scheduler: AdvancedTaskScheduler) -> dict[str, Any] | None:
    health = scheduler.get_health_status()
    done = health["metrics"]["tasks_succeeded"] + health["metrics"]["tasks_failed"]
    return health if done == 2 and not health["running_tasks"] else None


def test_health_is_healthy_before_anything_has_run(scheduler: AdvancedTaskScheduler) -> None:
    health = scheduler.get_health_status()
    assert (health["status"], health["success_rate"]) == ("healthy", 100.0)


# --- Task status tracking -------------------------------------------------------------------


def test_an_execution_can_be_tracked(
    scheduler: AdvancedTaskScheduler, app: Functions, clock: ManualClock
) -> None:
    scheduler.register_task(my_task())
    execution_id = scheduler.schedule_task("my_task")
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert (status["status"], status["started_time"]) == ("pending", None)

    run_all(scheduler)
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert status["status"] == "completed"
    assert status["started_time"] == clock.now().isoformat()
    assert status["retry_count"] == 0
    assert status["error"] is None
    assert scheduler.get_task_status("unknown") is None


def test_there_are_seven_statuses() -> None:
    assert [one.name for one in TaskStatus] == [
        "PENDING",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "RETRYING",
        "CANCELLED",
        "SKIPPED",
    ]


# --- Cancelling tasks -----------------------------------------------------------------------


def test_a_task_can_be_cancelled_before_it_runs_and_not_afterwards(
    scheduler: AdvancedTaskScheduler, ran: list[str]
) -> None:
    scheduler.register_task(my_task())
    execution_id = scheduler.schedule_task("my_task")
    assert scheduler.cancel_task(execution_id)
    assert run_all(scheduler) == 0
    assert ran == []
    assert not scheduler.cancel_task(execution_id)
    assert statuses(scheduler, {"my_task": execution_id}) == {"my_task": TaskStatus.CANCELLED}


def test_a_running_task_can_be_cancelled() -> None:
    async def main() -> None:
        scheduler = AdvancedTaskScheduler()
        entered = asyncio.Event()

        @scheduler.task(task_id="my_task")
        async def endless() -> None:
            entered.set()
            await asyncio.Event().wait()

        await scheduler.start()
        execution_id = scheduler.schedule_task("my_task")
        await asyncio.wait_for(entered.wait(), 10)
        assert scheduler.cancel_task(execution_id)
        assert await asyncio.to_thread(scheduler.wait_for_task, execution_id, 10) is None
        assert statuses(scheduler, {"it": execution_id}) == {"it": TaskStatus.CANCELLED}
        await scheduler.stop()
        scheduler.close()

    asyncio.run(main())


# --- Configuration --------------------------------------------------------------------------


def test_redis_is_configured_by_the_environment(
    app: Functions, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("REDIS_PASSWORD", "your_redis_password")
    settings = Settings()
    assert settings.redis_url == redis_url
    assert settings.redis_password is not None
    assert settings.redis_password.get_secret_value() == "your_redis_password"

    monkeypatch.delenv("REDIS_PASSWORD")  # the server of the tests has none
    scheduler = AdvancedTaskScheduler()
    assert scheduler.lock_manager.kind == "redis"
    scheduler.close()


def test_a_redis_client_and_a_limit_can_be_given(
    app: Functions, redis_client: redis.Redis, ran: list[str]
) -> None:
    custom_redis_client = redis_client
    scheduler = AdvancedTaskScheduler(
        redis_client=custom_redis_client,
        max_concurrent_tasks=10,
    )
    assert scheduler.lock_manager.kind == "redis"
    scheduler.register_task(my_task())
    for _ in range(12):
        scheduler.schedule_task("my_task")
    assert asyncio.run(scheduler.run_due()) == 10  # at once, and no more
    assert asyncio.run(scheduler.run_due()) == 2
    scheduler.close()


def test_the_history_is_trimmed_to_a_thousand_executions() -> None:
    assert Settings().history_limit == 1000


# --- API reference --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("AdvancedTaskScheduler", "TaskDefinition", "TaskExecution", "TaskDependency"),
        *("RetryConfig", "TaskPriority", "TaskStatus", "RetryStrategy"),
        *("PriorityTaskQueue", "TaskDependencyGraph", "DistributedTaskLock"),
        *("TaskRetryManager", "SchedulerHealthMonitor"),
    ],
)
def test_the_package_exports_the_classes_that_the_document_names(name: str) -> None:
    assert inspect.isclass(getattr(advanced_scheduler, name))


def test_tasks_are_registered_and_unregistered(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(my_task())
    assert "my_task" in scheduler.task_definitions
    scheduler.unregister_task("my_task")
    assert "my_task" not in scheduler.task_definitions


def test_the_scheduler_starts_and_stops_on_an_event_loop(app: Functions) -> None:
    async def main() -> None:
        scheduler = AdvancedTaskScheduler()
        scheduler.register_task(my_task())
        await scheduler.start()
        execution_id = scheduler.schedule_task("my_task")
        await asyncio.to_thread(scheduler.result, execution_id, 10)
        await scheduler.stop(wait=True)
        scheduler.close()

    asyncio.run(main())


# --- Troubleshooting ------------------------------------------------------------------------


def test_the_queue_can_be_measured(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(my_task())
    assert scheduler.task_queue.size() == 0
    scheduler.schedule_task("my_task")
    assert scheduler.task_queue.size() == 1
    assert scheduler.task_queue.size(TaskPriority.HIGH) == 1


def test_the_graph_can_be_put_in_order(scheduler: AdvancedTaskScheduler) -> None:
    for task in workflow():
        scheduler.register_task(task)
    order = scheduler.dependency_graph.topological_sort()
    assert order == ["fetch_data", "process_data", "generate_report"]


def test_what_depends_on_an_unknown_task_is_refused(scheduler: AdvancedTaskScheduler) -> None:
    for task in workflow()[1:]:
        scheduler.register_task(task)
    with pytest.raises(ValueError, match="fetch_data"):
        scheduler.schedule_task("process_data")
