"""SAQ on Redis: enqueue first, then time one worker until the last job is recorded.

It keeps a row for each job, with its state and result, for ten minutes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from saq import Queue, Worker

from tests.benchmarks.programs.clockwork import Counter, order, rates, say

COUNTER = Counter()


async def noop(_: Any, *, value: int) -> None:
    pass


async def recorded(_: Any) -> None:
    COUNTER.hit()


async def main(url: str, n: int, concurrency: int) -> None:
    queue = Queue.from_url(url)
    await queue.connect()
    begun = time.perf_counter()
    for number in range(n):
        await queue.enqueue("noop", value=number)
    full = time.perf_counter()
    COUNTER.reset(n)
    worker = Worker(queue, [noop], concurrency=concurrency, after_process=recorded)
    running = asyncio.create_task(worker.start())
    await COUNTER.done.wait()
    ended = time.perf_counter()
    await worker.stop()
    await running
    left = await queue.count("incomplete")
    assert left == 0, left
    await queue.disconnect()
    say(**rates(n, begun, full, ended))


asyncio.run(main(*order()))
