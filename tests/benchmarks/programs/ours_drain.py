"""advanced-scheduler: enqueue first, then time one worker until the last record.

``python tests/benchmarks/programs/ours_drain.py URL N CONCURRENCY [SINGLES]`` on an empty store
other than ``memory://``. SINGLES (default: 0) of the N are enqueued one by one, the rest in one
call. Nothing but the package is imported, so that it can be run by hand under a profiler.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from advanced_scheduler import AdvancedTaskScheduler, Event, EventType, Settings, TaskDefinition

SETTINGS = Settings(history_limit=10_000_000, auto_migrate=True)


async def noop(_: int) -> None:
    pass


def opened(store: str, concurrency: int) -> AdvancedTaskScheduler:
    scheduler = AdvancedTaskScheduler(None, concurrency, store=store, settings=SETTINGS)
    scheduler.register_task(TaskDefinition("noop", "No-op", noop))
    return scheduler


def enqueue(store: str, n: int, singles: int) -> dict[str, float]:
    """Calls a second, one execution each and many at once."""
    scheduler = opened(store, 1)
    begun = time.perf_counter()
    for number in range(singles):
        scheduler.schedule_task("noop", number)
    between = time.perf_counter()
    scheduler.schedule_task_many("noop", [(number,) for number in range(singles, n)])
    ended = time.perf_counter()
    scheduler.close()
    rates = {"enqueue": singles / (between - begun), "bulk": (n - singles) / (ended - between)}
    return {name: rate for name, rate in rates.items() if rate}


async def drain(store: str, n: int, concurrency: int) -> dict[str, float]:
    """Executions a second, from the start of the worker until the last one is *recorded*."""
    scheduler = opened(store, concurrency)
    done, home, left = asyncio.Event(), asyncio.get_running_loop(), n

    def hear(event: Event) -> None:
        nonlocal left
        if event.type is EventType.FINISHED:
            left -= 1
            if left == 0:
                home.call_soon_threadsafe(done.set)

    scheduler.events.subscribe(hear)
    begun = time.perf_counter()
    await scheduler.start()
    await done.wait()
    elapsed = time.perf_counter() - begun
    await scheduler.stop()
    recorded = {str(status): count for (status, _), count in scheduler.store.counts().items()}
    scheduler.close()
    assert recorded == {"completed": n}, recorded
    return {"per_second": n / elapsed}


def main(store: str, n: str, concurrency: str, singles: str = "0") -> None:
    rates = enqueue(store, int(n), int(singles))
    rates |= asyncio.run(drain(store, int(n), int(concurrency)))
    print(json.dumps(rates))


if __name__ == "__main__":
    main(*sys.argv[1:])
