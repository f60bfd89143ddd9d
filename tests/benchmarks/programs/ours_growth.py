"""advanced-scheduler: the rate on a store that keeps n executions, and on an empty one.

``python ours_growth.py EMPTY GROWN N PROBE``: the URLs of two empty stores, of which the second
gets n executions. Then both are measured in turn, five times PROBE executions each, from one
schedule_task_many to the last record; so what else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from advanced_scheduler import AdvancedTaskScheduler
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import Ends, check_completed, opened

PROBES = 5
WAVE = 10_000


async def rate(scheduler: AdvancedTaskScheduler, ends: Ends, n: int) -> float:
    begun = time.perf_counter()
    await asyncio.to_thread(scheduler.schedule_task_many, "noop", [(0,)] * n)
    await ends.more(n)
    return n / (time.perf_counter() - begun)


async def main(empty: str, grown: str, n: int, probe: int) -> None:
    schedulers = [opened(empty), opened(grown)]
    ends = [Ends(scheduler) for scheduler in schedulers]
    for scheduler in schedulers:
        await scheduler.start()
    for first in range(0, n, WAVE):
        await rate(schedulers[1], ends[1], min(WAVE, n - first))
    rounds = [
        [await rate(*one, probe) for one in zip(schedulers, ends, strict=True)]
        for _ in range(1 + PROBES)
    ]
    fresh, full = zip(*rounds[1:], strict=True)  # the first is for connections and caches
    say(empty=statistics.median(fresh), per_second=statistics.median(full))
    for scheduler, kept in zip(schedulers, (0, n), strict=True):
        await scheduler.stop()
        check_completed(scheduler, kept + (1 + PROBES) * probe)
        scheduler.close()


if __name__ == "__main__":
    first, second, history, some = sys.argv[1:]
    asyncio.run(main(first, second, int(history), int(some)))
