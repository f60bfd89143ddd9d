"""advanced-scheduler: n executions of tasks that require a lock of their own, or require none.

``python ours_locks.py STORE REDIS N CONCURRENCY LOCKED``; all are enqueued first. The round trips
are counted by Redis, as reads from its clients: what is pipelined arrives in one. ``REDIS`` may be
``-``: then the locks are where the store has them, and nothing is counted.
"""

from __future__ import annotations

import asyncio
import sys
import time

import redis

from advanced_scheduler import TaskDefinition
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import Ends, check_completed, noop, opened

OWN = "-"
SPREAD = 4  # tasks for each slot, so that no lock is wanted twice at a time


async def main(store: str, server: str, n: int, concurrency: int, locked: bool) -> None:
    scheduler = opened(store, concurrency, redis=None if server == OWN else server)
    tasks = [f"locked{number}" for number in range(SPREAD * concurrency)]
    for task in tasks:
        scheduler.register_task(TaskDefinition(task, task, noop, require_lock=locked))
    for number in range(n):
        scheduler.schedule_task(tasks[number % len(tasks)], number)
    ends = Ends(scheduler)
    before, begun = reads(server), time.perf_counter()
    await scheduler.start()
    await ends.more(n)
    ended, after = time.perf_counter(), reads(server)
    say(per_second=n / (ended - begun), round_trips=(after - before) / n)
    await scheduler.stop()
    check_completed(scheduler, n)
    scheduler.close()


def reads(server: str) -> int:
    if server == OWN:
        return 0
    with redis.Redis.from_url(server) as client:
        return int(client.info("stats")["total_reads_processed"])


if __name__ == "__main__":
    place, address, *numbers = sys.argv[1:]
    count, slots, lock = map(int, numbers)
    asyncio.run(main(place, address, count, slots, bool(lock)))
