"""``require_lock``: at most one execution of the task at a time, wherever it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from advanced_scheduler import AdvancedTaskScheduler, Settings, TaskContext, TaskDefinition
from tests.support.servers import RedisServer
from tests.support.waiting import eventually

QUICK = Settings(poll_seconds=0.05, lock_wait_seconds=0.5)


@pytest.fixture(params=["process", "store", "redis"])
def scheduler(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AdvancedTaskScheduler]:
    store = f"sqlite:///{tmp_path}/jobs.db" if request.param == "store" else None
    client = request.getfixturevalue("redis_client") if request.param == "redis" else None
    scheduler = AdvancedTaskScheduler(client, store=store, settings=QUICK)
    assert scheduler.lock_manager.kind == request.param
    yield scheduler
    scheduler.close()


def test_two_executions_of_a_locked_task_never_overlap(scheduler: AdvancedTaskScheduler) -> None:
    inside = threading.Lock()
    overlaps: list[str] = []
    fences: list[int | None] = []

    def alone(context: TaskContext) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(context.execution_id)
            return
        fences.append(context.lock_fence)
        inside.release()

    scheduler.register_task(TaskDefinition("alone", "Alone", alone, require_lock=True))
    ids = scheduler.schedule_task_many("alone", [()] * 20)
    with scheduler.running():
        for execution_id in ids:
            scheduler.result(execution_id, timeout=30)
    assert overlaps == []
    numbers = [fence for fence in fences if fence is not None]
    assert len(numbers) == 20
    assert numbers == sorted(set(numbers))
    assert not scheduler.lock_manager.is_locked("alone")


def test_a_busy_lock_takes_no_slot_and_no_attempt(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(TaskDefinition("alone", "Alone", len, args=([],), require_lock=True))
    lock_id = scheduler.lock_manager.acquire("alone", timeout=60)
    assert lock_id is not None
    execution_id = scheduler.schedule_task("alone")
    with scheduler.running():

        def waits() -> dict[str, Any]:
            status = scheduler.get_task_status(execution_id) or {"reason": None}
            return status if "lock" in (status["reason"] or "") else {}

        waiting = eventually(waits)
        assert (waiting["status"], waiting["attempt"]) == ("pending", 0)
        assert scheduler.lock_manager.release("alone", lock_id)
        assert scheduler.result(execution_id, timeout=10) == 0


def test_the_task_waits_while_redis_is_down(private_redis: RedisServer) -> None:
    ran: list[str] = []
    client = redis.Redis.from_url(private_redis.url)
    scheduler = AdvancedTaskScheduler(client, settings=QUICK)
    scheduler.register_task(
        TaskDefinition("locked", "Locked", ran.append, args=("locked",), require_lock=True)
    )
    scheduler.register_task(TaskDefinition("free", "Free", ran.append, args=("free",)))
    private_redis.kill()
    locked, free = scheduler.schedule_task("locked"), scheduler.schedule_task("free")
    with scheduler.running():
        scheduler.result(free, timeout=10)

        def waits() -> bool:
            status = scheduler.get_task_status(locked)
            return status is not None and "lock server" in (status["reason"] or "")

        eventually(waits)
        assert ran == ["free"]
        assert scheduler.get_health_status()["status"] == "degraded"

        private_redis.start()
        scheduler.result(locked, timeout=20)
        assert ran == ["free", "locked"]
        eventually(lambda: scheduler.get_health_status()["status"] == "healthy")
    scheduler.close()
    client.close()
