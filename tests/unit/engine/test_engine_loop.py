"""The loop that works, then sleeps until there is a reason to work again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from advanced_scheduler.engine.loop import MAX_BACKOFF, Loop
from advanced_scheduler.errors import StoreUnavailable
from tests.support.programs import run_program
from tests.support.waiting import eventually_async

LONG = 3600.0


class Work:
    """Counts its calls; raises what it is given, else answers how long to wait."""

    def __init__(self, wait: float = LONG) -> None:
        self.count = 0
        self.wait = wait
        self.failures: list[BaseException] = []
        self.during: Callable[[], None] = lambda: None

    async def __call__(self) -> float:
        self.count += 1
        self.during()
        if self.failures:
            raise self.failures.pop(0)
        return self.wait


async def finish(loop: Loop, running: asyncio.Task[None]) -> None:
    loop.stop()
    await running


async def test_it_works_once_and_then_waits_to_be_woken() -> None:
    work = Work()
    loop = Loop("x", work, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count == 1)
    loop.wake()
    loop.wake()
    await eventually_async(lambda: work.count == 2)
    await finish(loop, running)
    assert work.count == 2


async def test_it_works_again_when_the_wait_is_over() -> None:
    work = Work(wait=0.001)
    loop = Loop("x", work, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count >= 3)
    await finish(loop, running)


async def test_a_wait_of_nothing_lets_others_take_a_step() -> None:
    work = Work(wait=0)
    loop = Loop("x", work, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count >= 3)  # which itself needs the loop
    await finish(loop, running)


async def test_a_wake_up_from_a_thread_is_not_lost_wherever_it_falls() -> None:
    work = Work()
    loop = Loop("x", work, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    for wanted in range(1, 200):
        await eventually_async(lambda wanted=wanted: work.count >= wanted)  # type: ignore[misc]
        await asyncio.to_thread(loop.wake)
    await finish(loop, running)


async def test_a_wake_up_during_the_work_brings_another_pass() -> None:
    work = Work()
    loop = Loop("x", work, retry_seconds=LONG)

    def wake_once() -> None:
        if work.count == 1:
            loop.wake()

    work.during = wake_once
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count == 2)
    await finish(loop, running)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError("a bug")])
async def test_a_failure_is_tried_again_and_wake_ups_do_not_make_it_busy(error: Exception) -> None:
    work = Work()
    work.failures = [error]
    loop = Loop("x", work, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count == 1)
    for _ in range(50):
        loop.wake()
        await asyncio.sleep(0)
    assert work.count == 1
    await finish(loop, running)  # at once, though the next try is an hour away


async def test_after_a_failure_it_recovers() -> None:
    work = Work()
    work.failures = [StoreUnavailable("away"), StoreUnavailable("away"), ValueError("a bug")]
    loop = Loop("x", work, retry_seconds=0.001)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count == 4)
    loop.wake()  # heard again
    await eventually_async(lambda: work.count == 5)
    await finish(loop, running)


async def test_failures_that_go_on_are_tried_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work()
    work.failures = [StoreUnavailable("away") for _ in range(4)]
    loop = Loop("x", work, retry_seconds=0.001)
    running = asyncio.create_task(loop.run())
    await eventually_async(lambda: work.count == 5)
    await finish(loop, running)
    delays = [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)]
    assert delays == [0.001, 0.002, 0.004, 0.008]


async def test_a_stop_waits_for_the_pass_in_hand_and_cancels_nothing() -> None:
    entered, gate = asyncio.Event(), asyncio.Event()
    left: list[bool] = []

    async def claim() -> float:
        entered.set()
        await gate.wait()
        left.append(True)
        return LONG

    loop = Loop("x", claim, retry_seconds=LONG)
    running = asyncio.create_task(loop.run())
    await entered.wait()
    loop.stop()
    await asyncio.sleep(0)
    assert not running.done()
    gate.set()
    await running
    assert left == [True]


async def test_a_stop_while_others_take_a_step_is_not_slept_through_after_a_failure() -> None:
    work = Work()
    work.failures = [StoreUnavailable("away")]
    home = asyncio.get_running_loop()
    loop = Loop("x", work, retry_seconds=LONG, failed=lambda _: ended.append(stop()))
    ended: list[asyncio.Handle] = []

    def stop() -> asyncio.Handle:
        return home.call_soon(loop.stop)  # at the step that follows

    started = home.time()
    await loop.run()
    assert work.count == len(ended) == 1
    assert home.time() - started < MAX_BACKOFF


async def test_a_loop_that_was_stopped_before_it_ran_does_nothing() -> None:
    work = Work()
    loop = Loop("x", work, retry_seconds=LONG)
    loop.stop()
    await loop.run()
    assert work.count == 0


def test_a_wake_up_after_the_event_loop_has_closed_is_harmless() -> None:
    made: list[Loop] = []

    async def make() -> None:
        made.append(Loop("x", Work(), retry_seconds=LONG))

    asyncio.run(make())
    failures: list[BaseException] = []

    def wake() -> None:
        try:
            made[0].wake()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=wake)
    thread.start()
    thread.join()
    assert failures == []


ENDS_IN_A_PASS = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
from advanced_scheduler.engine.loop import Loop

entered = threading.Event()

async def main():
    home, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)

    async def work():
        entered.set()
        while True:  # until the pool refuses, as it does when the program ends
            await home.run_in_executor(pool, int)

    await Loop("x", work, retry_seconds=60).run()

threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
entered.wait()
"""


def test_a_pass_that_the_end_of_the_program_cuts_off_is_no_failure() -> None:
    done = run_program(ENDS_IN_A_PASS, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
