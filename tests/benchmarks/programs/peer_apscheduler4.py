"""APScheduler 4 in memory: n no-op jobs, as it is fastest: added first, then started."""

from __future__ import annotations

import asyncio
import time

from apscheduler import AsyncScheduler

from tests.benchmarks.programs.clockwork import Counter, order, rates, say

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(_: str, n: int, concurrency: int) -> None:
    async with AsyncScheduler(max_concurrent_jobs=concurrency) as scheduler:
        await scheduler.configure_task("noop", func=noop, max_running_jobs=concurrency)
        COUNTER.reset(n)
        begun = time.perf_counter()
        for number in range(n):
            await scheduler.add_job("noop", args=[number])
        full = time.perf_counter()
        await scheduler.start_in_background()
        await COUNTER.done.wait()
        say(**rates(n, begun, full, time.perf_counter()))


asyncio.run(main(*order()))
