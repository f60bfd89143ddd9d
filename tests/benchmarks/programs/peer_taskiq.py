"""taskiq's InMemoryBroker: n no-op tasks, from the first kiq to the last call.

It has no queue to fill first: a task that was sent is a coroutine that waits for its turn.
"""

from __future__ import annotations

import asyncio
import time

from taskiq import InMemoryBroker

from tests.benchmarks.programs.clockwork import Counter, order, say

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(_: str, n: int, concurrency: int) -> None:
    broker = InMemoryBroker(max_async_tasks=concurrency)
    task = broker.task(noop)
    await broker.startup()
    COUNTER.reset(n)
    begun = time.perf_counter()
    for number in range(n):
        await task.kiq(number)
    await COUNTER.done.wait()
    say(total=n / (time.perf_counter() - begun))
    await broker.shutdown()


asyncio.run(main(*order()))
