"""advanced-scheduler, idle: from the call of schedule_task to the first line of the function."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from advanced_scheduler import TaskDefinition
from tests.benchmarks.programs.clockwork import GAP, TRIES, Counter, percentiles, say
from tests.benchmarks.programs.opening import opened

COUNTER = Counter()


async def stamped(sent: float) -> None:
    COUNTER.hit(sent)


async def main(url: str, tries: int = TRIES) -> None:
    scheduler = opened(url)
    scheduler.register_task(TaskDefinition("stamped", "Stamped", stamped))
    await scheduler.start()
    schedule: Callable[..., str] = scheduler.schedule_task
    COUNTER.reset(tries)
    for _ in range(tries):
        schedule("stamped", time.perf_counter())
        await asyncio.sleep(GAP)
    await COUNTER.done.wait()
    say(**percentiles(COUNTER.waits))
    await scheduler.stop()
    scheduler.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
