"""What is special about threads: nobody can stop one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from advanced_scheduler.executors import Call, Outcome, ThreadExecutor
from tests.support.waiting import eventually, eventually_async
from tests.unit.executors.bodies import add
from tests.unit.executors.calls import make_call, outcome_of, value_of

SIZE = 2
HANGING = """
import asyncio, threading
from advanced_scheduler.executors import ThreadExecutor
from tests.unit.executors.calls import make_call

async def main():
    try:
        async with asyncio.timeout(0.05):
            await ThreadExecutor(1).run(make_call(threading.Event().wait))
    except TimeoutError:
        print("timed out")

asyncio.run(main())
"""


class Gate:
    """A body that begins, and ends when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> str:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.open.wait(60)
        return "late"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def threads() -> Iterator[ThreadExecutor]:
    threads = ThreadExecutor(SIZE, "crew")
    yield threads
    threads.shutdown()


def crew() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("crew-")]


async def abandon(threads: ThreadExecutor, gate: Gate) -> Call:
    """Begin the body, and cancel its call."""
    call = make_call(gate)
    job = asyncio.create_task(threads.run(call))
    await eventually_async(gate.begun.is_set, what="begun")
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    return call


async def all_at_once(threads: ThreadExecutor, number: int) -> None:
    """Be content only if so many functions are at work at the same time."""
    meeting = threading.Barrier(number)
    outcomes = await asyncio.gather(
        *(threads.run(make_call(meeting.wait, 60)) for _ in range(number))
    )
    assert [outcome.error for outcome in outcomes] == [None] * number


def test_threads_start_on_demand_up_to_the_size(threads: ThreadExecutor) -> None:
    threads.start()
    assert crew() == []
    value_of(threads, add, 1)
    assert [thread.name for thread in crew()] == ["crew-1"]
    asyncio.run(all_at_once(threads, SIZE))
    for _ in range(20):
        value_of(threads, add, 1)
    assert [thread.name for thread in crew()] == ["crew-1", "crew-2"]
    assert all(thread.daemon for thread in crew())


def test_threads_end_after_a_shutdown(threads: ThreadExecutor) -> None:
    asyncio.run(all_at_once(threads, SIZE))
    threads.shutdown()
    eventually(lambda: not crew(), what="no thread left")


def test_a_cancelled_call_abandons_its_thread(threads: ThreadExecutor, gate: Gate) -> None:
    async def scenario() -> None:
        call = await abandon(threads, gate)
        assert call.context.cancelled.is_set()
        assert threads.abandoned == 1

    asyncio.run(scenario())
    gate.open.set()
    eventually(lambda: threads.abandoned == 0, what="the thread has ended")
    assert gate.thread is not None
    gate.thread.join(60)
    assert not gate.thread.is_alive()


def test_it_is_told_when_a_function_that_nobody_waits_for_is_over(gate: Gate) -> None:
    over: list[str] = []
    threads = ThreadExecutor(1, "crew")

    def begin(name: str, function: Callable[..., object], *args: object) -> asyncio.Task[Outcome]:
        call = make_call(function, *args)._replace(over=lambda: over.append(name))
        return asyncio.create_task(threads.run(call))

    async def scenario() -> None:
        await begin("waited for", add, 1)
        jobs = [begin("at work", gate), begin("never begun", add, 1)]
        await eventually_async(gate.begun.is_set, what="begun")
        for job in reversed(jobs):  # once the first is let go, a new thread begins the second
            job.cancel()
            await asyncio.wait([job])
        assert over == ["never begun"]

    asyncio.run(scenario())
    threads.shutdown()
    gate.open.set()
    eventually(lambda: over == ["never begun", "at work"], what="over")


def test_the_pool_keeps_its_size_when_threads_are_abandoned(threads: ThreadExecutor) -> None:
    gates = [Gate() for _ in range(5)]

    async def scenario() -> None:
        for gate in gates:
            await abandon(threads, gate)
        assert threads.abandoned == len(gates)
        await all_at_once(threads, SIZE)

    asyncio.run(scenario())
    assert len(crew()) == len(gates) + SIZE
    for gate in gates:
        gate.open.set()
    eventually(lambda: threads.abandoned == 0, what="none abandoned")
    eventually(lambda: len(crew()) == SIZE, what="only the pool is left")
    asyncio.run(all_at_once(threads, SIZE))


def test_calls_that_wait_for_a_thread_go_on_when_one_is_abandoned(gate: Gate) -> None:
    threads = ThreadExecutor(1)

    async def scenario() -> Outcome:
        job = asyncio.create_task(threads.run(make_call(gate)))
        await eventually_async(gate.begun.is_set, what="begun")
        waiting = asyncio.create_task(threads.run(make_call(add, 3)))
        await asyncio.sleep(0)
        job.cancel()
        return await waiting

    assert asyncio.run(scenario()) == Outcome(3)
    threads.shutdown()


def test_a_call_that_is_cancelled_before_its_turn_never_runs(gate: Gate) -> None:
    threads = ThreadExecutor(1)
    ran: list[int] = []

    async def scenario() -> None:
        first = asyncio.create_task(threads.run(make_call(gate)))
        await eventually_async(gate.begun.is_set, what="begun")
        second = make_call(ran.append, 2)
        job = asyncio.create_task(threads.run(second))
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert second.context.cancelled.is_set()
        assert threads.abandoned == 0
        gate.open.set()
        await first
        await threads.run(make_call(ran.append, 3))

    asyncio.run(scenario())
    assert ran == [3]
    threads.shutdown()


def test_a_result_that_comes_after_the_end_of_the_loop_is_dropped(
    threads: ThreadExecutor, gate: Gate
) -> None:
    jobs: list[asyncio.Task[Outcome]] = []

    async def begin() -> None:
        jobs.append(asyncio.create_task(threads.run(make_call(gate))))
        await eventually_async(gate.begun.is_set, what="begun")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    gate.open.set()

    assert value_of(threads, add, 1) == 1
    asyncio.run(all_at_once(threads, SIZE))
    jobs[0].get_coro().close()
    jobs[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # it can never end


def test_shutdown_waits_for_nothing_and_running_calls_still_answer(
    threads: ThreadExecutor, gate: Gate
) -> None:
    async def scenario() -> list[Outcome]:
        running = asyncio.create_task(threads.run(make_call(gate)))
        await eventually_async(gate.begun.is_set, what="begun")
        threads.shutdown()
        other = await threads.run(make_call(add, 1))
        gate.open.set()
        return [await running, other]

    assert asyncio.run(scenario()) == [Outcome("late"), Outcome(1)]


def test_a_thread_abandoned_before_a_shutdown_is_still_counted(
    threads: ThreadExecutor, gate: Gate
) -> None:
    asyncio.run(abandon(threads, gate))
    threads.shutdown()
    assert threads.abandoned == 1
    gate.open.set()
    eventually(lambda: threads.abandoned == 0, what="none abandoned")


def test_the_callers_context_variables_are_seen_and_not_changed(threads: ThreadExecutor) -> None:
    language = contextvars.ContextVar("language", default="none")

    def body() -> str:
        before = language.get()
        language.set("changed")
        return before

    async def scenario() -> tuple[Outcome, str]:
        language.set("de")
        return await threads.run(make_call(body)), language.get()

    assert asyncio.run(scenario()) == (Outcome("de"), "de")


def test_a_system_without_threads_left_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = ThreadExecutor(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert isinstance(outcome_of(threads, add, 1).error, RuntimeError)
    assert value_of(threads, add, 1) == 1
    threads.shutdown()


def test_what_a_failed_body_held_goes_with_the_outcome(threads: ThreadExecutor) -> None:
    class Megabyte:
        """Stands for one."""

    held: list[weakref.ref[Megabyte]] = []

    def body() -> None:
        local = Megabyte()
        held.append(weakref.ref(local))
        raise ValueError(local)

    async def caller() -> None:
        outcome = await threads.run(make_call(body))
        assert held[0]() is not None
        assert isinstance(outcome.error, ValueError)
        del outcome
        await eventually_async(lambda: held[0]() is None, what="freed without collector")

    gc.disable()
    try:
        asyncio.run(caller())
    finally:
        gc.enable()


def test_thousands_of_calls_are_made_once_each(threads: ThreadExecutor) -> None:
    made: list[int] = []

    def note(append: Callable[[int], None], number: int) -> int:
        append(number)
        return number

    async def scenario() -> list[Outcome]:
        return await asyncio.gather(
            *(threads.run(make_call(note, made.append, number)) for number in range(5000))
        )

    outcomes = asyncio.run(scenario())
    assert [outcome.value for outcome in outcomes] == [*range(5000)]
    assert sorted(made) == [*range(5000)]


def test_an_abandoned_thread_does_not_hold_up_the_exit_of_the_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{HANGING}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("timed out\n", "")
