"""ardiq on Redis, on its core in Rust: enqueue first, then time one worker until the last call.

It keeps the state and the result of each task.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time

from ardiq import Ardiq

from tests.benchmarks.programs.clockwork import Counter, order, rates, say

COUNTER = Counter()


async def main(url: str, n: int, concurrency: int) -> None:
    app = Ardiq(redis_url=url, concurrency=concurrency)
    ended: list[float] = []

    @app.task()  # type: ignore[untyped-decorator]
    async def noop(_: int) -> None:
        COUNTER.hit()
        if COUNTER.done.is_set():
            ended.append(time.perf_counter())

    COUNTER.reset(n)
    begun = time.perf_counter()
    for number in range(n):
        await noop.enqueue(number)
    full = time.perf_counter()
    app.burst = True
    await app.run()
    say(**rates(n, begun, full, ended[0]))


logging.disable()
asyncio.run(main(*order()))
sys.stdout.flush()
os._exit(0)  # after all is said: one in fifteen ends with SIGSEGV when Python shuts down
