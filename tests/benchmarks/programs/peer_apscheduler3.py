"""APScheduler 3.11 with its SQLAlchemyJobStore on SQLite: n no-op jobs, first add to last call."""

from __future__ import annotations

import asyncio
import sys
import time

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tests.benchmarks.programs.clockwork import Counter, say, size

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(n: int) -> None:
    scheduler = AsyncIOScheduler(jobstores={"default": SQLAlchemyJobStore(url=sys.argv[3])})
    scheduler.start(paused=True)
    COUNTER.reset(n)
    begun = time.perf_counter()
    for _ in range(n):
        scheduler.add_job(noop, args=[0], misfire_grace_time=None)
    scheduler.resume()
    await COUNTER.done.wait()
    say(per_second=n / (time.perf_counter() - begun))
    scheduler.shutdown()


if __name__ == "__main__":
    asyncio.run(main(size()))
