"""advanced-scheduler: how fast n schedules are made, and what they cost while none is due.

``python ours_schedules.py URL N SECONDS [SETTLE]``: a tenth of them one by one (``single``), the
others at once (``bulk``); then so many seconds of a scheduler that only waits, after it has looked
at everything once.
"""

from __future__ import annotations

import asyncio
import sys
import time

from advanced_scheduler import CronTrigger
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import opened


async def main(url: str, n: int, seconds: float, settle: float = 3) -> None:
    scheduler = opened(url)
    month = (time.gmtime().tm_mon + 5) % 12 + 1  # half a year from now
    texts = [
        f"{number % 60} {number // 60 % 24} {number // 1440 % 28 + 1} {month} *"
        for number in range(n)
    ]
    tenth = max(n // 10, 1)
    begun = time.perf_counter()
    for number, text in enumerate(texts[:tenth]):
        scheduler.schedule_cron_task("noop", text, args=(number,))
    halfway = time.perf_counter()
    scheduler.create_schedules(
        {"task": "noop", "trigger": CronTrigger(text), "args": (number,)}
        for number, text in enumerate(texts[tenth:], tenth)
    )
    made = time.perf_counter()
    await scheduler.start()
    await asyncio.sleep(settle)
    before, since = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    busy = (time.process_time() - before) / (time.perf_counter() - since)
    say(
        per_second=n / (made - begun),
        single=tenth / (halfway - begun),
        bulk=(n - tenth) / (made - halfway),
        idle_percent=100 * busy,
    )
    await scheduler.stop()
    scheduler.close()


if __name__ == "__main__":
    place, count, *waits = sys.argv[1:]
    asyncio.run(main(place, int(count), *map(float, waits)))
