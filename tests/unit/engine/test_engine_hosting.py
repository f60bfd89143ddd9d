"""An event loop in a thread, for programs that have none."""

from __future__ import annotations

import asyncio
import threading

import pytest

from advanced_scheduler import TaskStatus
from advanced_scheduler.engine import dispatcher, hosting
from advanced_scheduler.engine.hosting import hosted
from tests.support.programs import run_program

from .kit import add_task, row_of, scheduler


class Engine:
    """Remembers where it was started and stopped."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.threads: list[int] = []

    async def start(self) -> None:
        if self.failure is not None:
            raise self.failure
        self._note()

    async def stop(self) -> None:
        self._note()

    def _note(self) -> None:
        self.loops.append(asyncio.get_running_loop())
        self.threads.append(threading.get_ident())


def test_it_starts_and_stops_on_one_loop_in_a_thread_of_its_own() -> None:
    engine = Engine()
    with hosted(engine.start, engine.stop):
        assert len(engine.loops) == 1
        assert engine.loops[0].is_running()
    assert len(set(engine.loops)) == len(set(engine.threads)) == 1
    assert len(engine.loops) == 2
    assert threading.get_ident() not in engine.threads
    assert engine.loops[0].is_closed()


@pytest.mark.parametrize("failure", [ValueError("no"), SystemExit(2)])
def test_what_the_start_raises_is_raised_to_the_program(failure: BaseException) -> None:
    engine = Engine(failure)
    entered = False
    with pytest.raises(type(failure)), hosted(engine.start, engine.stop):
        entered = True
    assert not entered
    assert engine.loops == []


def test_what_the_block_raises_stops_the_engine_and_is_raised_on() -> None:
    engine = Engine()
    with pytest.raises(KeyError), hosted(engine.start, engine.stop):
        raise KeyError("of the program")
    assert len(engine.loops) == 2


def test_a_program_that_never_leaves_the_block_can_still_end() -> None:
    program = (
        "from advanced_scheduler import AdvancedTaskScheduler\n"
        "scheduler = AdvancedTaskScheduler()\n"
        "hosting = scheduler.running()\n"
        "hosting.__enter__()\n"
        "print(scheduler.result(scheduler.schedule_task(len, [1, 2]), 10))\n"
    )
    done = run_program(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_a_coroutine_that_swallows_its_cancellation_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "INTERRUPT_SECONDS", 0.1)
    monkeypatch.setattr(hosting, "LET_GO_SECONDS", 0.1)
    target, begun = scheduler(drain_seconds=0.1), threading.Event()

    async def stubborn() -> str:
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    add_task(target, stubborn)
    with target.running():
        one = target.schedule_task("job")
        assert begun.wait(10)
    row = row_of(target, one)
    assert (row.status, row.attempt) == (TaskStatus.PENDING, 0)  # given back
    said = caplog.text
    assert "waits up to 0.1 s for 1 executions to end" in said
    assert f"execution {one} swallows its cancellation and is abandoned" in said
    target.close()
