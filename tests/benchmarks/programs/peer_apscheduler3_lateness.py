"""APScheduler 3.11 in memory: how late n jobs are that run each second, evenly spread."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tests.benchmarks.programs.clockwork import percentiles, say


async def main(n: int, seconds: int) -> None:
    late: list[float] = []
    base = float(int(time.time()) + 2)

    async def stamp(number: int) -> None:
        late.append((time.time() - base - number / n) % 1)

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.start(paused=True)
    for number in range(n):
        first = datetime.fromtimestamp(base + number / n, UTC)
        scheduler.add_job(
            stamp,
            "interval",
            args=[number],
            seconds=1,
            start_date=first,
            misfire_grace_time=None,
        )
    scheduler.resume()
    await asyncio.sleep(base - time.time() + seconds)
    say(**percentiles(late))
    scheduler.shutdown(wait=False)
    assert len(late) >= n * (seconds - 1), f"{len(late)} runs in {seconds} s"


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
