"""advanced-scheduler: the memory of a process that runs n executions, in ten equal parts.

With the settings as they come: what has ended goes, once it has been readable for five seconds. So
the memory is read when no more are there than the settings keep: what the process has, and how
many blocks of it are in use (Python gives memory back in whole arenas of a mebibyte alone).
"""

from __future__ import annotations

import asyncio
import sys

from advanced_scheduler import AdvancedTaskScheduler, Settings
from tests.benchmarks.programs.clockwork import say, size
from tests.benchmarks.programs.opening import Ends, opened
from tests.benchmarks.programs.resident import resident
from tests.support.waiting import eventually_async

WAVE = 1_000  # no more than this wait at a time


async def until_trimmed(scheduler: AdvancedTaskScheduler) -> None:
    kept = scheduler.settings.history_limit
    await eventually_async(lambda: sum(scheduler.store.counts().values()) <= kept, timeout=600)


async def main(n: int) -> None:
    scheduler = opened("memory://", settings=Settings())
    ends = Ends(scheduler)
    await scheduler.start()
    after, used = [], []
    for _ in range(10):
        for first in range(0, n // 10, WAVE):
            wave = min(WAVE, n // 10 - first)
            scheduler.schedule_task_many("noop", [(0,)] * wave)
            await ends.more(wave)
        await until_trimmed(scheduler)
        after.append(resident())
        used.append(sys.getallocatedblocks())
    growth, blocks = (figures[-1] / figures[0] for figures in (after, used))
    say(mebibytes=after[-1] / 2**20, growth=growth, blocks=blocks)
    await scheduler.stop()
    scheduler.close()


if __name__ == "__main__":
    asyncio.run(main(size()))
