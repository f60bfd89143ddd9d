"""The awaitable twins: the same calls, which block no event loop."""

from __future__ import annotations

import asyncio
import inspect
from typing import Final

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ExecutionNotFound,
    InvalidArguments,
    ResultTimeout,
    TaskFailed,
    TaskNotRegistered,
)
from advanced_scheduler.aio import AsyncCalls
from tests.unit.engine.kit import add_task

ASKS_NO_STORE: Final = {
    *("add_process_pool", "announce_stop", "run_until_exit", "running", "serve_metrics", "task"),
}
MANY: Final = 100  # far more than the threads that an event loop has


def _plain_calls() -> list[str]:
    found = inspect.getmembers(AdvancedTaskScheduler, inspect.isfunction)
    return [
        name
        for name, call in found
        if not name.startswith("_")
        and not inspect.iscoroutinefunction(inspect.unwrap(call))
        and not inspect.isasyncgenfunction(inspect.unwrap(call))
    ]


@pytest.mark.parametrize("name", sorted({*_plain_calls()} - ASKS_NO_STORE))
def test_every_call_that_may_ask_the_store_has_a_twin_of_its_signature(name: str) -> None:
    twin = getattr(AsyncCalls, name)
    assert inspect.iscoroutinefunction(twin)
    assert inspect.signature(twin) == inspect.signature(getattr(AdvancedTaskScheduler, name))
    assert twin.__doc__


def test_there_is_no_twin_of_anything_else() -> None:
    twins = {name for name in vars(AsyncCalls) if not name.startswith("_")}
    assert twins == {*_plain_calls()} - ASKS_NO_STORE


async def test_a_twin_answers_what_the_call_answers(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: 7)
    aio = AsyncCalls(target)
    execution_id = await aio.schedule_task("job")
    assert await aio.get_task_status(execution_id) == target.get_task_status(execution_id)
    assert await aio.wait_for_task(execution_id, 0) is None
    await target.run_due()
    assert await aio.wait_for_task(execution_id) == 7
    assert await aio.result(execution_id, timeout=0) == 7


async def test_a_twin_raises_what_the_call_raises(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: 1 / 0)
    aio = AsyncCalls(target)
    with pytest.raises(TaskNotRegistered):
        await aio.schedule_task("nobody")
    failing = await aio.schedule_task("job")
    with pytest.raises(ResultTimeout, match="took over 0 s"):
        await aio.result(failing, timeout=0)
    await target.run_due()
    with pytest.raises(TaskFailed, match="division"):
        await aio.result(failing)
    with pytest.raises(ExecutionNotFound):
        await aio.result("nothing")
    with pytest.raises(InvalidArguments, match="timeout='soon'"):
        await aio.wait_for_task(failing, "soon")  # type: ignore[arg-type]


async def test_those_that_wait_take_no_thread_from_other_calls(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, lambda: "done")
    aio = AsyncCalls(target)
    awaited = await aio.schedule_task("job")
    waiting = [asyncio.ensure_future(aio.result(awaited)) for _ in range(MANY)]
    await asyncio.sleep(0)
    for _ in range(MANY):
        assert await aio.get_execution(awaited) is not None
    assert not any(one.done() for one in waiting)
    await target.run_due()
    assert await asyncio.gather(*waiting) == ["done"] * MANY


async def test_whoever_is_cancelled_while_waiting_holds_up_nobody(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, lambda: "done")
    aio = AsyncCalls(target)
    awaited = await aio.schedule_task("job")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(aio.result(awaited), 0.01)
    await target.run_due()
    assert await aio.result(awaited) == "done"


async def test_a_started_scheduler_answers_on_its_own_loop(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: "here")
    aio = AsyncCalls(target)
    async with target.lifespan():
        assert await aio.result(await aio.schedule_task("job")) == "here"
