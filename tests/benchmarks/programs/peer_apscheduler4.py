"""APScheduler 4's memory data store: n no-op jobs, from the first add_job to the last call."""

from __future__ import annotations

import asyncio
import time

from apscheduler import AsyncScheduler

from tests.benchmarks.programs.clockwork import Counter, say, size

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(n: int) -> None:
    async with AsyncScheduler(max_concurrent_jobs=10) as scheduler:
        await scheduler.configure_task("noop", func=noop, max_running_jobs=10)
        COUNTER.reset(n)
        await scheduler.start_in_background()
        begun = time.perf_counter()
        for _ in range(n):
            await scheduler.add_job("noop", args=[0])
        await COUNTER.done.wait()
        say(per_second=n / (time.perf_counter() - begun))


asyncio.run(main(size()))
