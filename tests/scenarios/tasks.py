"""Owns the bodies that nodes run: each writes one line when it starts and one when it ends."""

from __future__ import annotations

import asyncio
import builtins
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    RetryStrategy,
    TaskContext,
    TaskDefinition,
    current_execution,
)
from tests.support import journal

JOURNAL_VARIABLE: Final = "SCENARIO_JOURNAL"
"""Where bodies write; set for nodes by the harness."""

LOOK: Final = 0.02
"""Seconds between two looks of a body for the file that ends it."""

RETRY_DELAY: Final = 7.0
"""Seconds from a failure of ``flaky`` to its next attempt."""


@contextmanager
def journaled(**more: Any) -> Iterator[TaskContext]:
    """A start line before the block and, unless it raises, an end line after it."""
    me = current_execution()
    _write("start", me, more)
    yield me
    _write("end", me, more)


def _write(event: str, me: TaskContext, more: dict[str, Any]) -> None:
    journal.append(
        os.environ[JOURNAL_VARIABLE],
        event=event,
        task=me.task_id,
        execution=me.execution_id,
        attempt=me.attempt,
        fence=me.fence,
        lock_fence=me.lock_fence,
        node=me.node,
        **more,
    )


def note(value: Any = None) -> Any:
    """Ends at once; answers ``value``."""
    with journaled():
        return value


def nap(seconds: float) -> None:
    """Sleeps in a thread."""
    with journaled():
        time.sleep(seconds)


async def doze(seconds: float) -> None:
    """Sleeps on the loop, and lets others run."""
    with journaled():
        await asyncio.sleep(seconds)


def wait_for(*paths: str) -> None:
    """Ends, in its thread, when there is this file; each attempt may wait for one of its own."""
    with journaled() as me:
        until_there(paths[min(me.attempt, len(paths)) - 1])


async def linger(path: str) -> None:
    """Ends, on the loop, when there is this file."""
    with journaled():
        await _appearance(path)


async def cling(path: str) -> None:
    """``linger``, and writes a line ``let go`` if it is told to."""
    with journaled() as me:
        try:
            await _appearance(path)
        except asyncio.CancelledError:
            _write("let go", me, {})
            raise


async def once(path: str) -> None:
    """``linger``, which must not be run a second time."""
    await linger(path)


async def hog(seconds: float) -> None:
    """Sleeps on the loop and blocks it, which no coroutine should do."""
    with journaled():
        time.sleep(seconds)  # noqa: ASYNC251  # that is what is tested


def until_there(path: str) -> None:
    """Wait in a thread until there is this file: a body that does so ends when a test wants it."""
    while not Path(path).exists():
        time.sleep(LOOK)


async def _appearance(path: str) -> None:
    while not Path(path).exists():  # noqa: ASYNC110, ASYNC240  # a test makes it
        await asyncio.sleep(LOOK)


def flaky(failures: int) -> int:
    """Fails so many times, then answers the number of its attempt."""
    with journaled() as me:
        if me.attempt <= failures:
            raise RuntimeError(f"attempt {me.attempt} of a flaky task")
        return me.attempt


def raises(what: str) -> None:
    """Raises a builtin exception by its name."""
    with journaled():
        raise getattr(builtins, what)("raised by a body")


async def raises_on_the_loop(what: str) -> None:
    """The same in a coroutine."""
    await asyncio.sleep(0)
    raises(what)


def register(scheduler: AdvancedTaskScheduler) -> None:
    """The bodies above under their own names; ``flaky`` retries after ``RETRY_DELAY``."""
    for function in (note, nap, doze, wait_for, linger, cling, hog):
        scheduler.register_task(definition(function))
    scheduler.register_task(definition(once, at_most_once=True))
    patient = RetryConfig(RetryStrategy.FIXED, 5, initial_delay=RETRY_DELAY, jitter=False)
    scheduler.register_task(definition(flaky, retry_config=patient))


def register_raising(scheduler: AdvancedTaskScheduler) -> None:
    """``note``, and ``raises`` in a ``thread``, a ``process`` and as an ``async`` task."""
    scheduler.register_task(definition(note))
    scheduler.register_task(TaskDefinition("thread", "thread", raises, executor="thread"))
    scheduler.register_task(TaskDefinition("process", "process", raises, executor="process"))
    scheduler.register_task(TaskDefinition("async", "async", raises_on_the_loop))


def register_flood(scheduler: AdvancedTaskScheduler) -> None:
    """``note``, and a thread that schedules it 500 times and then writes down what it met."""
    scheduler.register_task(definition(note))

    def flood() -> None:
        accepted, errors = [], []
        for number in range(500):
            try:
                accepted.append(scheduler.schedule_task("note", number))
            except Exception as error:
                errors.append(str(error))
        journal.append(
            os.environ[JOURNAL_VARIABLE], event="flooded", accepted=accepted, errors=errors
        )

    threading.Thread(target=flood, daemon=True).start()


def definition(function: Callable[..., Any], **fields: Any) -> TaskDefinition:
    """A definition with the function's name for id and name."""
    name = function.__name__
    return TaskDefinition(**{"task_id": name, "task_name": name, "func_path": function, **fields})


def loaded(path: str) -> Callable[[AdvancedTaskScheduler], None]:
    """The function ``module:function`` that registers tasks."""
    found: Callable[[AdvancedTaskScheduler], None] = resolve_name(path)
    return found
