"""Owns the bodies of the scenario of health, and nodes that can be asked over HTTP as well."""

from __future__ import annotations

import os
from typing import Final

from advanced_scheduler import AdvancedTaskScheduler, RetryConfig, RetryStrategy
from tests.scenarios.tasks import (
    JOURNAL_VARIABLE,
    definition,
    flaky,
    journaled,
    note,
    until_there,
    wait_for,
)
from tests.support import journal

TIMEOUT: Final = 0.3
"""Seconds that ``overstay`` may take."""

_QUICKLY: Final = RetryConfig(RetryStrategy.FIXED, 2, initial_delay=0.1, jitter=False)


def overstay(path: str) -> None:
    """Ends, in its thread, when there is this file; it has a timeout, which nobody can enforce."""
    until_there(path)


async def block(path: str) -> None:
    """The same on the loop, which it blocks, as no coroutine should."""
    with journaled():
        until_there(path)


def guarded() -> None:
    """Needs its lock."""
    with journaled():
        pass


def stranger() -> None:
    """Is known where it is scheduled, and to no node."""


def register(scheduler: AdvancedTaskScheduler) -> None:
    """All of them; ``flaky`` has two attempts."""
    register_known(scheduler)
    scheduler.register_task(definition(stranger))


def register_known(scheduler: AdvancedTaskScheduler) -> None:
    """What nodes know."""
    for function in (note, wait_for, block):
        scheduler.register_task(definition(function))
    scheduler.register_task(definition(overstay, timeout=TIMEOUT))
    scheduler.register_task(definition(guarded, require_lock=True))
    scheduler.register_task(definition(flaky, retry_config=_QUICKLY))


def serve(scheduler: AdvancedTaskScheduler) -> None:
    """Register what nodes know, answer over HTTP, and write a line ``served`` about where."""
    register_known(scheduler)
    server = scheduler.serve_metrics(port=0)
    journal.append(os.environ[JOURNAL_VARIABLE], event="served", url=server.url)
