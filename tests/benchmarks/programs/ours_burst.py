"""advanced-scheduler: n cron schedules that come due in the same second.

``python ours_burst.py URL N CONCURRENCY``. ``last_s`` is when the last function began and
``recorded_s`` when the last end was stored, both from the second that all of them name.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import Final

from advanced_scheduler import CronTrigger, TaskDefinition
from tests.benchmarks.programs.clockwork import order, say
from tests.benchmarks.programs.opening import Ends, check_completed, opened

SAMPLE: Final = 500  # schedules that tell how long it takes to make n
NEVER: Final = "0 0 0 29 2 *"
BEGAN: Final[list[float]] = []


async def stamp(_: int) -> None:
    BEGAN.append(time.time())


async def main(url: str, n: int, concurrency: int) -> None:
    scheduler = opened(url, concurrency)
    scheduler.register_task(TaskDefinition("stamp", "Stamp", stamp))

    def schedule(text: str, numbers: range) -> float:
        begun = time.perf_counter()
        scheduler.create_schedules(
            {"task": "stamp", "trigger": CronTrigger(text), "args": (number,)} for number in numbers
        )
        return (time.perf_counter() - begun) / len(numbers)

    each = schedule(NEVER, range(SAMPLE))
    due = math.ceil(time.time() + 2 + 2 * n * each)
    at = datetime.fromtimestamp(due, UTC)
    schedule(f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *", range(n))
    ends = Ends(scheduler)
    await scheduler.start()
    assert time.time() < due - 0.5, "the schedules were not made in time"
    await ends.more(n)
    recorded = time.time()
    await scheduler.stop()
    check_completed(scheduler, n)
    scheduler.close()
    say(first_s=min(BEGAN) - due, last_s=max(BEGAN) - due, recorded_s=recorded - due)


if __name__ == "__main__":
    asyncio.run(main(*order()))
