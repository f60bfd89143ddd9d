"""advanced-scheduler: n no-op executions from the first schedule_task to the last record.

``python ours_live.py URL N CONCURRENCY``: the worker runs from the beginning.
"""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.programs.clockwork import order, say
from tests.benchmarks.programs.opening import Ends, check_completed, opened


async def main(url: str, n: int, concurrency: int) -> None:
    scheduler = opened(url, concurrency)
    ends = Ends(scheduler)
    await scheduler.start()
    begun = time.perf_counter()
    for number in range(n):
        scheduler.schedule_task("noop", number)
    await ends.more(n)
    say(total=n / (time.perf_counter() - begun))
    await scheduler.stop()
    check_completed(scheduler, n)
    scheduler.close()


if __name__ == "__main__":
    asyncio.run(main(*order()))
