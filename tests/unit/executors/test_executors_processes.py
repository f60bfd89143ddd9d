"""What is special about processes: they can be killed, and may die by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advanced_scheduler.errors import ProcessDied
from advanced_scheduler.executors import Outcome, ProcessExecutor
from tests.support.waiting import eventually, eventually_async
from tests.unit.executors import bodies
from tests.unit.executors.calls import error_of, make_call, value_of
from tests.unit.executors.fifo import Fifo

PARENT = """
import asyncio
from advanced_scheduler.executors import ProcessExecutor
from tests.unit.executors.bodies import never_end
from tests.unit.executors.calls import make_call
asyncio.run(ProcessExecutor(1).run(make_call(never_end, {fifo!r})))
"""


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    processes = ProcessExecutor(2)
    yield processes
    processes.shutdown()


def test_functions_run_in_another_process_that_serves_many(processes: ProcessExecutor) -> None:
    pids = {value_of(processes, bodies.pid) for _ in range(5)}
    assert len(pids) == 1
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("function", "argument", "end"),
    [
        (bodies.end_with, 3, "exited with code 3"),
        (bodies.end_with, 0, "exited with code 0"),
        (bodies.die_of, signal.SIGSEGV, "was killed by SIGSEGV"),
        (bodies.die_of, signal.SIGKILL, "was killed by SIGKILL"),
        (bodies.die_of, signal.SIGRTMIN + 5, "was killed by signal 39"),
    ],
)
def test_a_process_that_dies_fails_its_own_execution_alone(
    processes: ProcessExecutor, function: object, argument: int, end: str
) -> None:
    async def scenario() -> list[Outcome]:
        other = processes.run(make_call(bodies.add, 1))
        dying = processes.run(make_call(function, int(argument)))  # type: ignore[arg-type]
        outcomes = [*await asyncio.gather(other, dying)]
        return outcomes + [await processes.run(make_call(bodies.add, n)) for n in range(10)]

    other, dying, *next_ten = asyncio.run(scenario())

    assert other == Outcome(1)
    assert isinstance(dying.error, ProcessDied)
    assert f"{end} before the task ended" in str(dying.error)
    assert next_ten == [Outcome(n) for n in range(10)]


def test_a_worker_that_cannot_answer_any_more_has_died(processes: ProcessExecutor) -> None:
    assert isinstance(error_of(processes, bodies.close_all_files), ProcessDied)
    assert value_of(processes, bodies.add, 1) == 1


def test_a_worker_that_died_while_idle_is_replaced(processes: ProcessExecutor, fifo: Fifo) -> None:
    value_of(processes, bodies.start_a_child, fifo.path)
    worker = value_of(processes, bodies.pid)
    os.kill(worker, signal.SIGKILL)
    eventually(fifo.is_free, what="the grandchild is gone")
    eventually(lambda: not Path(f"/proc/{worker}").exists(), what="reaped")
    assert value_of(processes, bodies.pid) != worker


@pytest.mark.parametrize("body", [bodies.never_end, bodies.leave_sessions])
def test_a_cancelled_call_takes_its_process_and_all_that_descends_from_it_with_it(
    processes: ProcessExecutor, fifo: Fifo, body: Callable[[str], object]
) -> None:
    async def scenario() -> None:
        call = make_call(body, fifo.path)
        job = asyncio.create_task(processes.run(call))
        await eventually_async(fifo.begun, what="begun")
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert call.context.cancelled.is_set()
        await eventually_async(fifo.is_free, what="worker and grandchild are gone")
        assert processes.abandoned == 0
        assert await processes.run(make_call(bodies.add, 2)) == Outcome(2)

    asyncio.run(scenario())


def test_what_a_dead_process_started_dies_with_it(processes: ProcessExecutor, fifo: Fifo) -> None:
    value_of(processes, bodies.start_a_child, fifo.path)
    assert not fifo.is_free()
    assert isinstance(error_of(processes, bodies.end_with, 1), ProcessDied)
    eventually(fifo.is_free, what="the grandchild is gone")


def test_no_more_than_size_calls_run_at_a_time() -> None:
    processes = ProcessExecutor(2)

    async def scenario() -> set[int]:
        outcomes = await asyncio.gather(*(processes.run(make_call(bodies.pid)) for _ in range(20)))
        return {outcome.value for outcome in outcomes}

    assert len(asyncio.run(scenario())) <= 2
    processes.shutdown()


def test_a_call_that_waits_for_a_worker_can_be_cancelled(fifo: Fifo) -> None:
    processes = ProcessExecutor(1)

    async def scenario() -> None:
        running = asyncio.create_task(processes.run(make_call(bodies.never_end, fifo.path)))
        await eventually_async(fifo.begun, what="begun")
        call = make_call(bodies.add, 1)
        waiting = asyncio.create_task(processes.run(call))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert call.context.cancelled.is_set()
        processes.shutdown()
        outcome = await running
        assert isinstance(outcome.error, ProcessDied)

    asyncio.run(scenario())


@pytest.mark.parametrize("start", [bodies.start_a_child, bodies.start_sessions])
def test_a_shutdown_leaves_no_process_behind(
    processes: ProcessExecutor, fifo: Fifo, start: Callable[[str], object]
) -> None:
    value_of(processes, start, fifo.path)
    processes.shutdown()
    eventually(fifo.is_free, what="worker and grandchild are gone")


def test_workers_die_with_a_scheduler_that_is_killed(fifo: Fifo) -> None:
    source = f"import sys; sys.path[:] = {sys.path!r}\n{PARENT.format(fifo=fifo.path)}"
    with subprocess.Popen([sys.executable, "-c", source]) as parent:
        eventually(fifo.begun, timeout=30, what="begun")
        parent.kill()
    eventually(fifo.is_free, what="worker and grandchild are gone")


def test_what_a_task_prints_is_seen_though_workers_are_killed(
    capfd: pytest.CaptureFixture[str], processes: ProcessExecutor
) -> None:
    value_of(processes, print, "seen")
    processes.shutdown()
    assert capfd.readouterr().out == "seen\n"


def test_the_copy_of_a_process_that_a_task_forked_answers_nothing(
    processes: ProcessExecutor,
) -> None:
    assert value_of(processes, bodies.fork_and_return) == "parent"
    assert [value_of(processes, bodies.add, n) for n in range(3)] == [0, 1, 2]
