"""Blocking calls off the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from advanced_scheduler.engine.offload import InThreads, inline


async def test_calls_run_in_threads_of_the_pool_and_the_loop_goes_on() -> None:
    threads = InThreads(2, "pool-of-a-test")
    gate = threading.Event()
    waiting = asyncio.create_task(threads(gate.wait, 10))
    name = await threads(lambda: threading.current_thread().name)
    assert name.startswith("pool-of-a-test")
    gate.set()
    assert await waiting
    threads.close()


async def test_what_a_call_raises_is_raised_to_the_caller() -> None:
    threads = InThreads(1, "pool-of-a-test")
    for offload in (threads, inline):
        with pytest.raises(ValueError, match="invalid literal"):
            await offload(int, "x")
    threads.close()


async def test_a_close_lets_calls_that_have_begun_finish() -> None:
    threads = InThreads(1, "pool-of-a-test")
    gate, begun = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        gate.wait(10)
        return "done"

    waiting = asyncio.create_task(threads(work))
    await asyncio.to_thread(begun.wait)
    threads.close()
    gate.set()
    assert await waiting == "done"


async def test_inline_runs_right_here() -> None:
    assert await inline(threading.get_ident) == threading.get_ident()
