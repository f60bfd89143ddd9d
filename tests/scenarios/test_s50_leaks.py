"""S50: bodies that recurse without end, and failures that could keep their variables alive."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskStatus
from tests.scenarios import breaks
from tests.scenarios.tasks import definition

MEBIBYTE = 2**20
FAILURES = 10_000
GROWTH_LIMIT = 50 * MEBIBYTE


def endless() -> None:
    endless()


async def endless_coroutine() -> None:
    await endless_coroutine()


def wasteful() -> None:
    variables = b"z" * MEBIBYTE
    raise ValueError(f"failed with {len(variables)} bytes in a variable")


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_endless_recursion_fails_the_execution() -> None:
    scheduler = AdvancedTaskScheduler()
    with scheduler.running():
        for function in (endless, endless_coroutine):
            one = scheduler.schedule_task(function)
            assert scheduler.wait_for_task(one, timeout=20) is None
            status = scheduler.get_task_status(one)
            assert status is not None
            assert status["status"] == TaskStatus.FAILED
            assert status["error"].startswith("RecursionError")
    scheduler.close()


def growth(failures: int, broken: str | None) -> int:
    """By how many bytes so many failures make this process bigger."""
    if broken is not None:
        breaks.apply(broken)
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(definition(wasteful))
    with scheduler.running():
        _fail(scheduler, 100)  # what the first ones need, they need for all
        before = resident()
        _fail(scheduler, failures)
        grown = resident() - before
    scheduler.close()
    return grown


def _fail(scheduler: AdvancedTaskScheduler, number: int) -> None:
    ids = scheduler.schedule_task_many("wasteful", [()] * number)
    for one in ids[-100:]:
        scheduler.wait_for_task(one, timeout=60)
    gc.collect()


def leaks(failures: int, broken: str | None = None) -> list[str]:
    """In a process of its own: what other tests have freed would blur the measure."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux' /proc")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        grown = process.submit(growth, failures, broken).result(timeout=100)
    if grown < GROWTH_LIMIT:
        return []
    return [f"{failures} failures left {grown // MEBIBYTE} MiB behind"]


def test_failures_keep_nothing_of_their_variables() -> None:
    assert leaks(FAILURES) == []


def test_control_errors_that_are_kept_show() -> None:
    assert leaks(200, "keeps-errors")
