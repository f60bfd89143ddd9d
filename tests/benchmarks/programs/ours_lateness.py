"""advanced-scheduler in memory: how late n schedules are that run each second.

``python ours_lateness.py N SECONDS``; their instants are spread evenly over the second.
"""

from __future__ import annotations

import asyncio
import sys
import time

from advanced_scheduler import IntervalTrigger, TaskDefinition
from tests.benchmarks.programs.clockwork import percentiles, say
from tests.benchmarks.programs.opening import opened


async def main(n: int, seconds: int) -> None:
    late: list[float] = []
    base = float(int(time.time()) + 2)

    async def stamp(number: int) -> None:
        late.append((time.time() - base - number / n) % 1)

    scheduler = opened("memory://")
    scheduler.register_task(TaskDefinition("stamp", "Stamp", stamp))
    for number in range(n):
        trigger = IntervalTrigger(1, start_time=base + number / n)
        scheduler.create_schedule("stamp", trigger, args=(number,))
    await scheduler.start()
    await asyncio.sleep(base - time.time() + seconds)
    say(**percentiles(late))
    await scheduler.stop()
    scheduler.close()
    assert len(late) >= n * (seconds - 1), f"{len(late)} runs in {seconds} s"


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
