"""APScheduler 3.11 in memory: n cron jobs that come due in the same second."""

from __future__ import annotations

import asyncio
import math
import time

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tests.benchmarks.programs.clockwork import say, size


async def main(n: int) -> None:
    began: list[float] = []
    done = asyncio.Event()

    async def stamp(_: int) -> None:
        began.append(time.time())
        if len(began) == n:
            done.set()

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.start(paused=True)
    due = math.ceil(time.time() + 2 + n / 2_000)
    at = time.gmtime(due)
    for number in range(n):
        scheduler.add_job(
            stamp,
            "cron",
            args=[number],
            second=at.tm_sec,
            minute=at.tm_min,
            hour=at.tm_hour,
            misfire_grace_time=None,
        )
    scheduler.resume()
    assert time.time() < due, "the jobs were not added in time"
    await done.wait()
    say(first_s=min(began) - due, last_s=max(began) - due)
    scheduler.shutdown()


if __name__ == "__main__":
    asyncio.run(main(size()))
