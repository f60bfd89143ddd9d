"""Runs one node until SIGTERM (``stop(wait=True)``) or SIGINT (``stop(wait=False)``).

``python -m tests.scenarios.node OPTIONS``, where OPTIONS is the JSON that ``Cluster.node`` makes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.config import Settings
from tests.scenarios import breaks
from tests.scenarios.tasks import JOURNAL_VARIABLE, loaded
from tests.support import journal

WATCH_SECONDS = 0.1


async def main(options: dict[str, Any]) -> None:
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


def write(event: str, options: dict[str, Any]) -> None:
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


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    if given["broken"]:
        breaks.apply(given["broken"])
    asyncio.run(main(given))
