"""Runs one node until SIGTERM (``stop(wait=True)``) or SIGINT (``stop(wait=False)``)."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.config import Settings
from tests.scenarios import breaks
from tests.scenarios.tasks import JOURNAL_VARIABLE, loaded
from tests.support import journal

WATCH_SECONDS: Final = 0.1

PRELOADED: Final = (
    __name__,
    "advanced_scheduler.locks.redis",
    "advanced_scheduler.stores.redis",
    "advanced_scheduler.stores.sql_postgresql",
    "advanced_scheduler.stores.sql_signals",
    "advanced_scheduler.stores.sql_sqlite",
    "tests.scenarios.lock_tasks",
)
"""What nodes import, now or later."""


def run(options: Mapping[str, Any], journal_path: str, log: str) -> None:
    """Be the node that ``Cluster.node`` describes, in a process of its own, until its end."""
    _die_with_the_parent()
    os.environ[JOURNAL_VARIABLE] = journal_path
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    if options["broken"]:
        breaks.apply(options["broken"])
    asyncio.run(main(options))


def _die_with_the_parent() -> None:
    """Which ends when the tests do, however they end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


async def main(options: Mapping[str, Any]) -> None:
    """Start, wait for a signal, stop."""
    scheduler = AdvancedTaskScheduler(
        options["redis"],
        options["limit"],
        store=options["store"],
        settings=Settings(**options["settings"]),
        name=options["name"],
    )
    loaded(options["tasks"])(scheduler)
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    for number, drain in ((signal.SIGTERM, True), (signal.SIGINT, False)):
        asyncio.get_running_loop().add_signal_handler(number, _tell, told, drain)
    await scheduler.start()
    if options["watched"]:
        threading.Thread(target=_watch, args=(scheduler,), daemon=True).start()
    write("ready", options)
    drain = await told
    write("stopping", options)
    await scheduler.stop(wait=drain)
    scheduler.close()
    write("stopped", options)


def write(event: str, options: Mapping[str, Any]) -> None:
    """A line about this node."""
    journal.append(os.environ[JOURNAL_VARIABLE], event=event, name=options["name"])


def _tell(told: asyncio.Future[bool], drain: bool) -> None:
    if not told.done():
        told.set_result(drain)


def _watch(scheduler: AdvancedTaskScheduler) -> None:
    """From a thread of its own, so that a blocked loop is seen as well."""
    while True:
        health = scheduler.get_health_status()
        journal.append(
            os.environ[JOURNAL_VARIABLE],
            event="health",
            name=scheduler.name,
            status=health["status"],
            reasons=list(health.get("reasons", ())),
        )
        time.sleep(WATCH_SECONDS)
