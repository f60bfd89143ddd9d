"""Who hosts the engine, and who hears first that it is to stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.engine.leaving import heard_first
from advanced_scheduler.events import EventType
from advanced_scheduler.health import is_ready
from tests.support.programs import run_program
from tests.support.waiting import eventually_async


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """A program that listens to SIGTERM, as a server does."""
    calls: list[str] = []

    def server(signum: int, frame: FrameType | None) -> None:
        calls.append("server")

    before = signal.signal(signal.SIGTERM, server)
    yield calls
    assert signal.getsignal(signal.SIGTERM) is server, "it was put back"
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_heard_before_the_server_hears_it(heard: list[str]) -> None:
    with heard_first(lambda: heard.append("engine")):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert heard == ["engine", "server", "server"]


def test_a_signal_that_nobody_hears_is_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with heard_first(lambda: pytest.fail("nobody asked")):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_lifespan_is_not_ready_from_the_signal_on(heard: list[str]) -> None:
    scheduler = AdvancedTaskScheduler()
    told: list[EventType] = []
    scheduler.events.subscribe(lambda event: told.append(event.type), [EventType.STOPPING])
    async with scheduler.lifespan():
        await eventually_async(lambda: not is_ready(scheduler.health_facts()), what="it is ready")
        signal.raise_signal(signal.SIGTERM)
        await eventually_async(lambda: is_ready(scheduler.health_facts()), what="it says so")
        assert scheduler.started, "the server stops it, not the signal"
        execution_id = scheduler.schedule_task(sum, [1, 2])
        assert await asyncio.to_thread(scheduler.result, execution_id, 10) == 3
    assert told == [EventType.STOPPING]
    assert heard == ["server"]
    scheduler.close()


PROGRAM = """
import sys

from advanced_scheduler import AdvancedTaskScheduler, current_execution

scheduler = AdvancedTaskScheduler(store="sqlite:///jobs.db")

def last():
    current_execution().cancelled.wait(60 if sys.version_info >= (3, 12) else 1)
    print("done", flush=True)

scheduler.run_until_exit()
scheduler.run_until_exit()  # changes nothing
scheduler.schedule_task(last)
while not scheduler.running_tasks:
    pass
"""


def test_a_program_that_ends_lets_what_runs_end_where_threads_may_start(tmp_path: Path) -> None:
    done = run_program(PROGRAM, tmp_path, timeout=30)
    assert done.returncode == 0, done.stderr
    if sys.version_info >= (3, 12):
        assert (done.stdout, done.stderr) == ("", "")
        return
    assert done.stdout == "done\n"
    assert re.fullmatch(
        r"node \S+ waits up to 30 s for 1 executions to end; interrupt again to end now\n",
        done.stderr,
    )
