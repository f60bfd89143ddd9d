"""What fails can be tried again; what takes too long is stopped."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    RetryConfig,
    RetryStrategy,
    TaskDefinition,
    current_execution,
)


@pytest.fixture
def scheduler(clock: ManualClock) -> AdvancedTaskScheduler:
    return AdvancedTaskScheduler(clock=clock)


def status_of(scheduler: AdvancedTaskScheduler, execution_id: str) -> dict[str, Any]:
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    return status


def test_a_flaky_task_is_tried_again_after_its_delay(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    attempts: list[int] = []

    def flaky() -> str:
        attempts.append(current_execution().attempt)
        if len(attempts) < 3:
            raise ConnectionError("no route")
        return "there"

    retry = RetryConfig(RetryStrategy.EXPONENTIAL, initial_delay=60, jitter=False)
    scheduler.register_task(TaskDefinition("flaky", "Flaky", flaky, retry_config=retry))
    execution_id = scheduler.schedule_task("flaky")

    asyncio.run(scheduler.run_due())
    first = status_of(scheduler, execution_id)
    assert (first["status"], first["retry_count"]) == ("retrying", 1)
    assert first["error"] == "ConnectionError: no route"

    clock.advance(seconds=59)
    assert asyncio.run(scheduler.run_due()) == 0
    clock.advance(seconds=1)
    assert asyncio.run(scheduler.run_due()) == 1
    clock.advance(seconds=120)
    assert asyncio.run(scheduler.run_due()) == 1

    last = status_of(scheduler, execution_id)
    assert (last["status"], last["retry_count"], last["result"]) == ("completed", 2, "there")
    assert last["error"] is None
    assert attempts == [1, 2, 3]


def test_max_attempts_counts_the_retries_after_the_first_run(
    scheduler: AdvancedTaskScheduler,
) -> None:
    calls: list[None] = []

    def fails() -> None:
        calls.append(None)
        raise ValueError("again")

    retry = RetryConfig(RetryStrategy.FIXED, max_attempts=2, initial_delay=0, jitter=False)
    scheduler.register_task(TaskDefinition("fails", "Fails", fails, retry_config=retry))
    execution_id = scheduler.schedule_task("fails")
    for _ in range(5):
        asyncio.run(scheduler.run_due())
    assert len(calls) == 3
    assert status_of(scheduler, execution_id)["status"] == "failed"


def test_some_errors_are_not_worth_a_retry(scheduler: AdvancedTaskScheduler) -> None:
    def fails() -> None:
        raise PermissionError("never")

    retry = RetryConfig(initial_delay=0, give_up_on=(PermissionError,))
    scheduler.register_task(TaskDefinition("fails", "Fails", fails, retry_config=retry))
    execution_id = scheduler.schedule_task("fails")
    asyncio.run(scheduler.run_due())
    assert status_of(scheduler, execution_id)["status"] == "failed"


def test_a_coroutine_past_its_timeout_is_cancelled() -> None:
    scheduler = AdvancedTaskScheduler()
    ended = threading.Event()

    @scheduler.task(timeout=0.05)
    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    execution_id = hangs.schedule()
    with scheduler.running():
        scheduler.wait_for_task(execution_id, timeout=10)
        assert ended.wait(10)
    status = status_of(scheduler, execution_id)
    assert status["status"] == "failed"
    assert "TimeoutError" in status["error"]
    scheduler.close()


def test_a_thread_past_its_timeout_is_told_and_left_behind() -> None:
    scheduler = AdvancedTaskScheduler()
    told = threading.Event()

    @scheduler.task(timeout=0.5)
    def hangs() -> str:
        if current_execution().cancelled.wait(10):
            told.set()
        return "too late to count"

    execution_id = hangs.schedule()
    with scheduler.running():
        scheduler.wait_for_task(execution_id, timeout=10)
        assert told.wait(10)
    status = status_of(scheduler, execution_id)
    assert status["status"] == "failed"
    assert status["result"] is None
    scheduler.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_not_even_system_exit_takes_the_scheduler_along(error: type[BaseException]) -> None:
    scheduler = AdvancedTaskScheduler()

    def in_thread() -> None:
        raise error

    async def on_loop() -> None:
        raise error

    scheduler.register_task(TaskDefinition("thread", "Thread", in_thread))
    scheduler.register_task(TaskDefinition("loop", "Loop", on_loop))
    scheduler.register_task(TaskDefinition("after", "After", len, args=([],)))
    ids = [scheduler.schedule_task("thread"), scheduler.schedule_task("loop")]
    with scheduler.running():
        for execution_id in ids:
            scheduler.wait_for_task(execution_id, timeout=10)
        assert scheduler.result(scheduler.schedule_task("after"), timeout=10) == 0
    for execution_id in ids:
        status = status_of(scheduler, execution_id)
        assert (status["status"], status["error"]) == ("failed", error.__name__)
    scheduler.close()
