"""One claimed execution becomes exactly one transition, whatever its body does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.context import current_execution
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import Grant
from advanced_scheduler.models import RetryConfig, RetryStrategy, TaskExecution, TaskStatus
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, row_of, scheduler

AT_ONCE = RetryConfig(strategy=RetryStrategy.FIXED, max_attempts=2, initial_delay=0, jitter=False)


async def ran(function: Callable[..., Any], *args: Any, **fields: Any) -> TaskExecution:
    """What one run of the function came to."""
    target = scheduler()
    add_task(target, function, **fields)
    execution_id = target.schedule_task("job", *args)
    assert await target.run_due() == 1
    row = row_of(target, execution_id)
    target.close()
    return row


async def test_a_result_and_its_times_are_kept() -> None:
    row = await ran(lambda a, b: a + b, 1, 2)
    assert (row.status, row.result, row.error) == (TaskStatus.COMPLETED, 3, None)
    assert set(row.metrics) >= {"execution_time", "queue_wait"}
    assert row.metrics["execution_time"] >= 0


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration()],
)
@pytest.mark.parametrize("kind", ["thread", "coroutine"])
async def test_whatever_a_body_raises_fails_that_execution_alone(
    error: BaseException, kind: str
) -> None:
    def plain() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    row = await ran(plain if kind == "thread" else coroutine)
    name = "RuntimeError" if (kind, type(error)) == ("coroutine", StopIteration) else None
    assert row.status is TaskStatus.FAILED
    assert (row.error or "").startswith(name or type(error).__name__)
    assert "Traceback" in (row.traceback_str or "")


@pytest.mark.parametrize("swallow", [False, True])
async def test_a_coroutine_past_its_time_out_has_failed_though_it_swallows_the_cancellation(
    swallow: bool,
) -> None:
    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not swallow:
                raise
        return "too late"

    row = await ran(work, timeout=0.02)
    assert (row.status, row.result) == (TaskStatus.FAILED, None)
    assert row.error == "TimeoutError: did not end within its timeout of 0.02 s"


async def test_a_thread_past_its_time_out_is_told_and_left_behind() -> None:
    told = threading.Event()

    def work() -> None:
        assert current_execution().cancelled.wait(10)
        told.set()

    row = await ran(work, timeout=0.5)  # the thread must have begun by then
    assert row.status is TaskStatus.FAILED
    assert await asyncio.to_thread(told.wait, 10)


async def test_a_timeout_error_of_the_body_is_its_own() -> None:
    async def work() -> None:
        raise TimeoutError("mine")

    assert (await ran(work, timeout=10)).error == "TimeoutError: mine"


@pytest.mark.parametrize("awaits", [0, 1])
async def test_a_time_out_at_the_very_end_leaves_one_clear_answer(awaits: int) -> None:
    async def work() -> str:
        for _ in range(awaits):
            await asyncio.sleep(0)
        return "done"

    row = await ran(work, timeout=1e-9)
    assert (row.status, row.result) in {
        (TaskStatus.COMPLETED, "done"), (TaskStatus.FAILED, None),
    }  # fmt: skip


async def test_a_retry_of_no_delay_comes_once_a_step_until_it_is_enough() -> None:
    target = scheduler()

    async def fail() -> None:
        raise ValueError(f"attempt {current_execution().attempt}")

    add_task(target, fail, retry_config=AT_ONCE)
    one = target.schedule_task("job")
    states = []
    for _ in range(3):
        await target.run_due()
        states.append((row_of(target, one).status, row_of(target, one).attempt))
    assert states == [
        (TaskStatus.RETRYING, 1), (TaskStatus.RETRYING, 2), (TaskStatus.FAILED, 3),
    ]  # fmt: skip
    assert row_of(target, one).error == "ValueError: attempt 3"
    assert await target.run_due() == 0
    target.close()


async def cancelled_while_running(
    target: AdvancedTaskScheduler, started: Callable[[], bool], one: str
) -> None:
    await target.start()
    await eventually_async(started)
    assert target.cancel_task(one)


async def test_a_cancelled_coroutine_hears_it_and_its_answer_does_not_count() -> None:
    target, begun, ended = scheduler(), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert current_execution().cancelled.is_set()
            ended.set()
        return "too late"

    add_task(target, work)
    one = target.schedule_task("job")
    await cancelled_while_running(target, begun.is_set, one)
    await ended.wait()
    await target.stop()
    row = row_of(target, one)
    assert (row.status, row.result, row.lease_until) == (TaskStatus.CANCELLED, None, None)


async def test_a_cancelled_thread_is_told_and_counts_as_abandoned_until_it_ends() -> None:
    target, begun, gate = scheduler(), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert current_execution().cancelled.wait(10)
        assert gate.wait(10)
        return "too late"

    add_task(target, work)
    one = target.schedule_task("job")
    await cancelled_while_running(target, begun.is_set, one)
    await eventually_async(lambda: target.health_facts().abandoned_threads == 1)
    gate.set()
    await eventually_async(lambda: target.health_facts().abandoned_threads == 0)
    await target.stop()
    assert (row_of(target, one).status, row_of(target, one).result) == (TaskStatus.CANCELLED, None)


async def test_a_task_may_schedule_and_cancel_itself_and_others_from_inside() -> None:
    target = scheduler()
    seen: list[str] = []

    async def child() -> None:
        seen.append("child")

    async def parent() -> None:
        me = current_execution().execution_id
        target.schedule_task("child")
        later = target.schedule_task("child")
        assert target.cancel_task(later)
        assert target.cancel_task(me)
        await asyncio.sleep(0)
        await asyncio.Event().wait()

    add_task(target, parent)
    add_task(target, child, "child")
    one = target.schedule_task("job")
    await target.run_due()
    await target.run_due()
    assert row_of(target, one).status is TaskStatus.CANCELLED
    assert seen == ["child"]
    target.close()


async def test_a_busy_lock_burns_no_attempt_and_a_lost_one_does_not_count() -> None:
    target = scheduler(limit=1)
    add_task(target, lambda: "done", require_lock=True)
    grant = target.lock_manager.try_acquire("job", 60)
    assert grant is not None
    one = target.schedule_task("job")
    await target.run_due()
    row = row_of(target, one)
    assert (row.status, row.attempt, row.lock_id) == (TaskStatus.PENDING, 0, None)
    assert "which somebody holds" in (row.reason or "")
    target.close()


@pytest.mark.parametrize(
    ("outage", "status"), [("wait", TaskStatus.PENDING), ("fail", TaskStatus.FAILED)]
)
async def test_a_lock_server_that_is_away_means_what_the_policy_says(
    outage: str, status: TaskStatus
) -> None:
    target = scheduler(lock_outage=outage)
    ran: list[bool] = []

    def away(task_id: str, timeout: float = 300) -> Grant | None:
        raise LockUnavailable("away")

    target.lock_manager.try_acquire = away  # type: ignore[method-assign]
    add_task(target, lambda: ran.append(True), require_lock=True)
    one = target.schedule_task("job")
    await target.run_due()
    assert (row_of(target, one).status, ran) == (status, [])
    assert row_of(target, one).attempt == (1 if outage == "fail" else 0)
    target.close()


async def test_work_under_a_lock_that_was_lost_does_not_count() -> None:
    target = scheduler()

    async def work() -> str:
        target.lock_manager.force_release("job")
        return "done"

    add_task(target, work, require_lock=True)
    one = target.schedule_task("job")
    await target.run_due()
    row = row_of(target, one)
    assert (row.status, row.result) == (TaskStatus.FAILED, None)
    assert "was lost during attempt 1" in (row.error or "")
    target.close()


async def test_a_body_gets_the_fence_of_its_lock_and_the_lock_is_recorded() -> None:
    target = scheduler()
    add_task(target, lambda: current_execution().lock_fence, require_lock=True)
    ids = [target.schedule_task("job") for _ in range(2)]
    fences = []
    while await target.run_due():
        pass
    for one in ids:
        row = row_of(target, one)
        assert row.lock_id is not None
        fences.append(row.result)
    assert sorted(fences) == [1, 2]
    assert not target.lock_manager.is_locked("job")
    target.close()
