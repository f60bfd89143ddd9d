"""advanced-scheduler: how long the store takes to record ten ends and claim ten executions.

``python ours_claims.py EMPTY FULL N [TRIES]``: the URLs of two empty stores. In the second n wait:
half of them due, half in an hour, of all priorities. Both are asked in turn, so that what else the
machine does meets both. It is the call that a node makes for each batch.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from advanced_scheduler import AdvancedTaskScheduler, ScheduleOptions, TaskExecution, TaskPriority
from advanced_scheduler.lifecycle import complete
from advanced_scheduler.stores.base import Claim
from tests.benchmarks.programs.clockwork import TRIES, percentiles, say
from tests.benchmarks.programs.opening import opened

BATCH: Final = 10
LEASE: Final = timedelta(hours=1)


class Worker:
    """Claims ten of a store, and records the end of those that it claimed before."""

    def __init__(self, url: str) -> None:
        self.scheduler = opened(url)
        self.took: list[float] = []  # seconds of each exchange
        self._running: list[TaskExecution] = []

    def exchange(self) -> None:
        """One batch, which finds at least ten that are due."""
        self.scheduler.schedule_task_many("noop", [(0,)] * BATCH)
        now = datetime.now(UTC)
        finished = [complete(row, result=None, metrics={}, now=now) for row in self._running]
        claim = Claim(node="bench", limit=BATCH, now=now, lease_until=now + LEASE)
        begun = time.perf_counter()
        exchange = self.scheduler.store.exchange(finished, claim)
        self.took.append(time.perf_counter() - begun)
        self._running = list(exchange.claimed)
        assert len(self._running) == BATCH


def fill(scheduler: AdvancedTaskScheduler, n: int) -> None:
    for priority in TaskPriority:
        for delay in (0.0, 3600.0):
            options = ScheduleOptions(priority=priority, delay=delay)
            scheduler.schedule_task_many("noop", [(0,)] * (n // 10), options=options)


def main(empty: str, full: str, n: int, tries: int = TRIES) -> None:
    workers = Worker(empty), Worker(full)
    fill(workers[1].scheduler, n)
    for _ in range(tries // 4 + tries):
        for worker in workers:
            worker.exchange()
    # Without the first quarter, which is for connections and caches.
    fresh, filled = (percentiles(worker.took[-tries:])["p95_ms"] for worker in workers)
    say(empty_ms=fresh, p95_ms=filled)
    for worker in workers:
        worker.scheduler.close()


if __name__ == "__main__":
    first, second, *numbers = sys.argv[1:]
    main(first, second, *map(int, numbers))
