"""APScheduler 3.11 in memory: how fast n cron jobs are added, before the start and for it."""

from __future__ import annotations

import asyncio
import time

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from tests.benchmarks.programs.clockwork import say, size


async def noop(_: int) -> None:
    pass


async def main(n: int) -> None:
    scheduler = AsyncIOScheduler(timezone="UTC")
    month = (time.gmtime().tm_mon + 5) % 12 + 1
    begun = time.perf_counter()
    for number in range(n):
        trigger = CronTrigger(
            minute=number % 60,
            hour=number // 60 % 24,
            day=number // 1440 % 28 + 1,
            month=month,
            timezone="UTC",
        )
        scheduler.add_job(noop, trigger, args=[number])
    scheduler.start()
    say(per_second=n / (time.perf_counter() - begun))
    scheduler.shutdown(wait=False)


if __name__ == "__main__":
    asyncio.run(main(size()))
