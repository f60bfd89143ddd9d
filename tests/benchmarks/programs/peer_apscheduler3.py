"""APScheduler 3.11 on its asyncio executor: n no-op jobs, added first.

``python peer_apscheduler3.py URL N 0``; ``memory://`` is its store in memory, which keeps nothing
of a job that ran. Another URL is for its SQLAlchemyJobStore. There is no limit of concurrency.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tests.benchmarks.programs.clockwork import Counter, order, rates, say

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(url: str, n: int, _: int) -> None:
    store: Any = MemoryJobStore() if url == "memory://" else SQLAlchemyJobStore(url=url)
    scheduler = AsyncIOScheduler(jobstores={"default": store})
    scheduler.start(paused=True)
    COUNTER.reset(n)
    begun = time.perf_counter()
    for number in range(n):
        scheduler.add_job(noop, args=[number], misfire_grace_time=None)
    full = time.perf_counter()
    scheduler.resume()
    await COUNTER.done.wait()
    say(**rates(n, begun, full, time.perf_counter()))
    scheduler.shutdown()


if __name__ == "__main__":
    asyncio.run(main(*order()))
