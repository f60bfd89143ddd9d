"""advanced-scheduler: n no-op executions from the first schedule call to the last record."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import TYPE_CHECKING

from advanced_scheduler import AdvancedTaskScheduler, Event, EventType, Settings, TaskDefinition
from tests.benchmarks.programs.clockwork import GAP, TRIES, Counter, percentiles, say, size

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTER = Counter()


async def noop(sent: float = 0.0) -> None:
    COUNTER.hit(sent)


def opened(store: str) -> AdvancedTaskScheduler:
    settings = Settings(history_limit=10_000_000)
    scheduler = AdvancedTaskScheduler(store=store, settings=settings, max_concurrent_tasks=10)
    scheduler.register_task(TaskDefinition("noop", "No-op", noop))
    return scheduler


def when_recorded(scheduler: AdvancedTaskScheduler, wanted: int) -> asyncio.Event:
    """Set once so many executions have ended *in the store*, not only in the function."""
    done, home, left = asyncio.Event(), asyncio.get_running_loop(), [wanted]

    def hear(event: Event) -> None:
        if event.type is EventType.FINISHED:
            left[0] -= 1
            if left[0] == 0:
                home.call_soon_threadsafe(done.set)

    scheduler.events.subscribe(hear)
    return done


async def throughput(store: str, n: int, *, at_once: bool) -> None:
    scheduler = opened(store)
    await scheduler.start()
    done = when_recorded(scheduler, n)
    begun = time.perf_counter()
    if at_once:
        await asyncio.to_thread(scheduler.schedule_task_many, "noop", [(0,)] * n)
    else:
        for _ in range(n):
            scheduler.schedule_task("noop", 0)
    await done.wait()
    say(per_second=n / (time.perf_counter() - begun))
    await scheduler.stop()
    recorded = scheduler.store.counts()
    assert sum(recorded.values()) == n, recorded
    scheduler.close()


async def pick_up(store: str) -> None:
    scheduler = opened(store)
    await scheduler.start()
    schedule: Callable[..., str] = scheduler.schedule_task
    COUNTER.reset(TRIES)
    for _ in range(TRIES):
        schedule("noop", time.perf_counter())
        await asyncio.sleep(GAP)
    await COUNTER.done.wait()
    say(**percentiles(COUNTER.waits))
    await scheduler.stop()
    scheduler.close()


def memory(n: int) -> None:
    scheduler = opened("memory://")
    scheduler.schedule_task("noop", 0)
    gc.collect()
    before = resident()
    scheduler.schedule_task_many("noop", [(0,)] * n)
    gc.collect()
    say(bytes_each=(resident() - before) / n)
    scheduler.close()


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    what, url = sys.argv[2], sys.argv[3]
    if what == "throughput":
        asyncio.run(throughput(url, size(), at_once=False))
    elif what == "bulk":
        asyncio.run(throughput(url, size(), at_once=True))
    elif what == "pick_up":
        asyncio.run(pick_up(url))
    else:
        memory(size())
