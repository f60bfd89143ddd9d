"""Process pools that an application adds: names, sizes, and what a death in one costs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.errors import ConfigurationError, InvalidArguments
from advanced_scheduler.models import ScheduleOptions, TaskStatus
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, row_of, scheduler, status_of
from tests.unit.executors import bodies
from tests.unit.executors.fifo import Fifo

RUNNING, COMPLETED, FAILED = TaskStatus.RUNNING, TaskStatus.COMPLETED, TaskStatus.FAILED


@pytest.fixture
def target() -> Iterator[AdvancedTaskScheduler]:
    target = scheduler()
    for function in (bodies.pid, bodies.add, bodies.end_with, bodies.die_of, bodies.never_end,
                     bodies.fail):  # fmt: skip
        add_task(target, function, function.__name__)
    yield target
    target.close()


def schedule(target: AdvancedTaskScheduler, task: str, *args: Any, **options: Any) -> str:
    return target.schedule_task(task, *args, options=ScheduleOptions(**options))


def result_of(target: AdvancedTaskScheduler, execution_id: str) -> Any:
    row = row_of(target, execution_id)
    assert row.error is None
    return row.result


async def ended(target: AdvancedTaskScheduler, execution_id: str) -> None:
    await eventually_async(lambda: status_of(target, execution_id) is COMPLETED)


async def test_a_pool_of_one_runs_all_calls_in_one_process_after_each_other(
    target: AdvancedTaskScheduler,
) -> None:
    pool = target.add_process_pool(1)
    ids = [schedule(target, "pid", executor=pool) for _ in range(4)]
    assert row_of(target, ids[0]).extras == {"executor": pool}
    await target.run_due()
    pids = {result_of(target, one) for one in ids}
    assert len(pids) == 1
    assert os.getpid() not in pids


async def test_a_pool_may_be_added_while_the_scheduler_runs_and_outlives_a_restart(
    target: AdvancedTaskScheduler,
) -> None:
    pids: list[int] = []
    for _ in range(2):
        await target.start()
        name = "added" if pids else target.add_process_pool(1, "added")
        one = schedule(target, "pid", executor=name)
        await ended(target, one)
        pids.append(result_of(target, one))
        await target.stop()
        await eventually_async(lambda: not Path(f"/proc/{pids[-1]}").exists(), what="ended")
    assert len(set(pids)) == 2


async def test_the_standing_executors_can_be_chosen_for_one_call(
    target: AdvancedTaskScheduler,
) -> None:
    here, away = (schedule(target, "pid", executor=kind) for kind in ("thread", "process"))
    await target.run_due()
    assert result_of(target, here) == os.getpid() != result_of(target, away)


async def test_a_pool_that_this_node_lacks_is_the_standing_process_executor() -> None:
    there, here = scheduler(), scheduler()
    here.store.add([])
    for one in (there, here):
        add_task(one, bodies.pid)
    pool = there.add_process_pool(1, "elsewhere")
    row = row_of(there, schedule(there, "job", executor=pool))
    here.store.add([row])
    await here.run_due()
    assert result_of(here, row.execution_id) != os.getpid()
    for one in (there, here):
        one.close()


@pytest.mark.parametrize(
    ("task", "argument", "error"),
    [
        ("end_with", 3, "ProcessDied: process"),
        ("die_of", signal.SIGSEGV, "was killed by SIGSEGV"),
        ("die_of", signal.SIGKILL, "was killed by SIGKILL"),
        ("fail", "MemoryError", "MemoryError: bad"),
    ],
)
async def test_a_process_that_dies_fails_its_execution_alone(
    target: AdvancedTaskScheduler, task: str, argument: int | str, error: str
) -> None:
    pool = target.add_process_pool(2)
    argument = int(argument) if isinstance(argument, int) else argument
    dying = schedule(target, task, argument, executor=pool)
    others = [schedule(target, "add", n, executor=pool) for n in range(4)]
    await target.run_due()
    assert status_of(target, dying) is FAILED
    assert error in (row_of(target, dying).error or "")
    assert [result_of(target, one) for one in others] == [0, 1, 2, 3]


async def test_a_time_out_kills_the_process_and_its_children_and_the_next_has_its_own_time(
    target: AdvancedTaskScheduler, fifo: Fifo
) -> None:
    pool = target.add_process_pool(1)
    booted = schedule(target, "add", 0, executor=pool)
    await target.start()
    await eventually_async(lambda: status_of(target, booted) is COMPLETED)
    first = schedule(target, "never_end", fifo.path, executor=pool, timeout=3)
    await eventually_async(fifo.begun, what="begun")
    second = schedule(target, "add", 1, executor=pool)
    await eventually_async(lambda: status_of(target, first) is FAILED)
    assert (row_of(target, first).error or "").startswith("TimeoutError")
    await eventually_async(fifo.is_free, what="process and grandchild are gone")
    await eventually_async(lambda: status_of(target, second) is COMPLETED)
    await target.stop()


async def test_the_time_in_line_does_not_count(target: AdvancedTaskScheduler, fifo: Fifo) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    add_task(target, for_ever, "for ever")
    pool = target.add_process_pool(1)
    first = schedule(target, "never_end", fifo.path, executor=pool)
    await target.start()
    await eventually_async(fifo.begun, what="begun")
    in_line = schedule(target, "add", 1, executor=pool, timeout=0.01)
    await eventually_async(lambda: status_of(target, in_line) is RUNNING)
    later = schedule(target, "for ever", timeout=0.02)
    await eventually_async(lambda: status_of(target, later) is FAILED)
    assert status_of(target, in_line) is RUNNING
    target.cancel_task(first)
    await eventually_async(lambda: status_of(target, in_line) is FAILED, what="booting takes time")
    await target.stop()


async def test_who_is_in_line_at_a_stop_is_given_back_though_it_runs_at_most_once(
    target: AdvancedTaskScheduler, fifo: Fifo
) -> None:
    add_task(target, bodies.pid, "once", at_most_once=True)
    pool = target.add_process_pool(1)
    first = schedule(target, "never_end", fifo.path, executor=pool)
    await target.start()
    await eventually_async(fifo.begun, what="begun")
    in_line = schedule(target, "once", executor=pool)
    await eventually_async(lambda: status_of(target, in_line) is RUNNING)
    await target.stop(wait=False)
    assert [status_of(target, one) for one in (first, in_line)] == [TaskStatus.PENDING] * 2


def nested() -> Callable[[], None]:
    return lambda: None


def test_what_cannot_run_there_is_refused_before_anything_is_stored(
    target: AdvancedTaskScheduler,
) -> None:
    target.add_process_pool(1, "crunch")
    add_task(target, nested(), "nameless")
    with pytest.raises(
        InvalidArguments, match="executor='crush' is unknown; there are thread, process, crunch"
    ):
        schedule(target, "pid", executor="crush")
    for pool in ("crunch", "process"):
        with pytest.raises(InvalidArguments, match="another process can import"):
            schedule(target, "nameless", executor=pool)
    assert target.task_queue.is_empty()
    schedule(target, "nameless", executor="thread")


def test_names_are_made_for_those_that_give_none(target: AdvancedTaskScheduler) -> None:
    target.add_process_pool(1, "process-pool-2")
    assert [target.add_process_pool(1) for _ in range(2)] == ["process-pool-3", "process-pool-4"]


@pytest.mark.parametrize(
    ("size", "name", "message"),
    [
        (0, None, "max_workers=0 must be a whole number from 1 to 1,000"),
        (1001, None, "max_workers=1001"),
        (True, None, "max_workers=True"),
        (1.5, None, r"max_workers=1\.5"),
        (1, "", "name='' of a process pool must be a text of 1 to 200 characters"),
        (1, 5, "name=5"),
        (1, "\0", "name="),
        (1, "thread", "name='thread' of a process pool has a meaning already"),
        (1, "auto", "has a meaning already"),
        (1, "taken", "there is a process pool 'taken' already"),
    ],
)
def test_pools_that_cannot_be_are_refused(
    target: AdvancedTaskScheduler, size: Any, name: Any, message: str
) -> None:
    target.add_process_pool(1, "taken")
    with pytest.raises(ConfigurationError, match=message):
        target.add_process_pool(size, name)
