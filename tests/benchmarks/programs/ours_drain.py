"""advanced-scheduler: enqueue first, then time one worker until the last record.

``python ours_drain.py URL N CONCURRENCY [SINGLES [BATCH]]`` on an empty store. SINGLES (default:
0) of the N are enqueued one by one, the rest BATCH (default: all) in a call. On a durable store the
worker is not the scheduler that enqueued.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.benchmarks.programs.clockwork import rates, say
from tests.benchmarks.programs.opening import Ends, check_completed, opened


async def main(url: str, n: int, concurrency: int, singles: int, batch: int) -> None:
    scheduler = opened(url, concurrency)
    begun = time.perf_counter()
    for number in range(singles):
        scheduler.schedule_task("noop", number)
    between = time.perf_counter()
    for first in range(singles, n, batch):
        last = min(first + batch, n)
        scheduler.schedule_task_many("noop", [(number,) for number in range(first, last)])
    full = time.perf_counter()
    if url != "memory://":
        scheduler.close()
        scheduler = opened(url, concurrency)
    ends = Ends(scheduler)
    started = time.perf_counter()
    await scheduler.start()
    await ends.more(n)
    ended = time.perf_counter()
    await scheduler.stop()
    check_completed(scheduler, n)
    scheduler.close()
    figures = rates(n, begun, full, full + ended - started)
    if singles:
        figures["enqueue"] = singles / (between - begun)
    if singles < n:
        figures["bulk"] = (n - singles) / (full - between)
    say(**figures)


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    count, slots, *rest = map(int, numbers)
    one_by_one, *size = rest or [0]
    asyncio.run(main(place, count, slots, one_by_one, size[0] if size else count))
