"""taskiq's InMemoryBroker: n no-op tasks, from the first kiq to the last call."""

from __future__ import annotations

import asyncio
import time

from taskiq import InMemoryBroker

from tests.benchmarks.programs.clockwork import Counter, say, size

COUNTER = Counter()


async def noop(_: int) -> None:
    COUNTER.hit()


async def main(n: int) -> None:
    broker = InMemoryBroker(max_async_tasks=10)
    task = broker.task(noop)
    await broker.startup()
    COUNTER.reset(n)
    begun = time.perf_counter()
    for _ in range(n):
        await task.kiq(0)
    await COUNTER.done.wait()
    say(per_second=n / (time.perf_counter() - begun))
    await broker.shutdown()


asyncio.run(main(size()))
