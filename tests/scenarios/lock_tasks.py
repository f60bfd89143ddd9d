"""Owns the bodies of the lock scenarios, which show that they are alive by a line every 0.05 s."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Final

from advanced_scheduler import AdvancedTaskScheduler, TaskContext
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock, Grant
from tests.support import journal

from .tasks import JOURNAL_VARIABLE, definition, journaled, note, wait_for

LOCK_TIMEOUT: Final = 2.0
LONELY: Final = 20  # tasks with a lock of their own
BEAT: Final = 0.05
PATH: Final = f"{__name__}:register"


def say(event: str, me: TaskContext, **more: object) -> None:
    """A line about what happens between start and end."""
    ids = {"task": me.task_id, "execution": me.execution_id, "attempt": me.attempt}
    journal.append(
        os.environ[JOURNAL_VARIABLE], event=event, **ids, lock_fence=me.lock_fence, **more
    )


def occupy(seconds: float) -> None:
    """Holds the lock in a thread, until the end or until it hears that the lock is lost."""
    with journaled() as me:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if me.lock_lost.wait(min(left, BEAT)):
                say("lost", me)
                return
            say("beat", me)


async def inhabit(seconds: float) -> None:
    """Holds the lock on the loop; loss of the lock cancels it."""
    with journaled() as me:
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                await asyncio.sleep(min(left, BEAT))
                say("beat", me)
        except asyncio.CancelledError:
            if me.lock_lost.is_set():
                say("lost", me)
            raise


def guarded(path: str) -> None:
    """Holds the lock, in a thread, until there is this file."""
    wait_for(path)


def touch() -> None:
    """Holds the lock as briefly as work can be."""
    with journaled():
        time.sleep(0.005)


def collect(redis_url: str, count: int) -> None:
    """Takes one and the same lock so many times, and writes each fence while it holds it."""
    with journaled() as me:
        locks = DistributedTaskLock(redis_url, command_deadline=0.5)
        for _ in range(count):
            grant = _granted(locks)
            say("grant", me, granted=grant.fence)
            with suppress(LockUnavailable):
                locks.release(grant.task_id, grant.lock_id)
            time.sleep(0.002)  # or one node would take them all
        locks.close()


def _granted(locks: DistributedTaskLock) -> Grant:
    while True:
        with suppress(LockUnavailable):
            if grant := locks.try_acquire("collected", LOCK_TIMEOUT):
                return grant
        time.sleep(0.002)


def register(scheduler: AdvancedTaskScheduler) -> None:
    """All tasks of this module; all but ``note`` and ``collect`` require their lock."""
    for function in (note, collect):
        scheduler.register_task(definition(function))
    for locked in (occupy, inhabit, guarded, touch):
        scheduler.register_task(definition(locked, require_lock=True, lock_timeout=LOCK_TIMEOUT))
    for number in range(LONELY):
        scheduler.register_task(
            definition(
                note, task_id=f"lonely-{number}", require_lock=True, lock_timeout=LOCK_TIMEOUT
            )
        )
