"""What is special about running right on the caller's loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from contextlib import suppress

import pytest

from advanced_scheduler.context import CURRENT
from advanced_scheduler.executors import LoopExecutor, Outcome
from tests.unit.executors.calls import make_call


def test_the_body_runs_in_the_callers_own_task() -> None:
    async def body() -> object:
        return asyncio.current_task()

    async def caller() -> None:
        outcome = await LoopExecutor().run(make_call(body))
        assert outcome.value is asyncio.current_task()
        assert CURRENT.get() is None

    asyncio.run(caller())


def test_a_cancelled_body_cleans_up_and_the_caller_is_cancelled() -> None:
    cleaned: list[bool] = []

    async def caller() -> None:
        begun = asyncio.Event()

        async def body() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(call.context.cancelled.is_set())

        call = make_call(body)
        job = asyncio.create_task(LoopExecutor().run(call))
        await begun.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert call.context.cancelled.is_set()

    asyncio.run(caller())
    assert cleaned == [False]


def test_a_time_out_strikes_as_such() -> None:
    async def caller() -> None:
        async def body() -> None:
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await LoopExecutor().run(make_call(body))

    asyncio.run(caller())


def test_a_body_may_end_in_its_own_way_when_it_is_cancelled() -> None:
    async def caller() -> Outcome:
        begun = asyncio.Event()

        async def body() -> str:
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return "done all the same"

        job = asyncio.create_task(LoopExecutor().run(make_call(body)))
        await begun.wait()
        job.cancel()
        return await job

    assert asyncio.run(caller()) == Outcome("done all the same")


def test_a_call_that_is_closed_in_a_foreign_context_goes_no_further() -> None:
    reached: list[str] = []
    context = contextvars.copy_context()

    async def body() -> None:
        await asyncio.sleep(0)

    async def caller() -> None:
        await LoopExecutor().run(make_call(body))
        reached.append("after the call")

    coroutine = caller()

    async def start_it() -> None:
        coroutine.send(None)

    context.run(asyncio.run, start_it())
    coroutine.close()
    assert reached == []


def test_what_a_failed_body_held_goes_with_the_outcome() -> None:
    class Megabyte:
        """Stands for one."""

    held: list[weakref.ref[Megabyte]] = []

    async def body() -> None:
        local = Megabyte()
        held.append(weakref.ref(local))
        raise ValueError(local)

    async def caller() -> None:
        outcome = await LoopExecutor().run(make_call(body))
        assert held[0]() is not None
        assert isinstance(outcome.error, ValueError)
        del outcome
        assert held[0]() is None

    gc.disable()
    try:
        asyncio.run(caller())
    finally:
        gc.enable()
