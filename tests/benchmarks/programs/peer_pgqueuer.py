"""PgQueuer on asyncpg and uvloop: enqueue first, then time one worker until the last call.

``python peer_pgqueuer.py URL N BATCH SINGLES``. It deletes the row of a job that ran and keeps rows
of a log. Of its jobs twice as many run at a time as it claims in a batch: fewer it refuses.
"""

from __future__ import annotations

import logging
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from tests.benchmarks.programs.clockwork import Counter, order, rates, say

BULK = 1_000
COUNTER = Counter()


async def main(url: str, n: int, batch: int) -> None:
    singles = int(sys.argv[4])
    driver = AsyncpgDriver(await asyncpg.connect(url))
    queries = Queries(driver)
    await queries.install()
    begun = time.perf_counter()
    for _ in range(singles):
        await queries.enqueue("noop", b"0", 0)
    between = time.perf_counter()
    for first in range(singles, n, BULK):
        some = min(BULK, n - first)
        await queries.enqueue(["noop"] * some, [b"0"] * some, [0] * some)
    full = time.perf_counter()
    COUNTER.reset(n)
    queue = PgQueuer(driver)
    ended: list[float] = []

    @queue.entrypoint("noop")  # type: ignore[untyped-decorator]
    async def noop(_: Job) -> None:
        COUNTER.hit()
        if COUNTER.done.is_set():
            ended.append(time.perf_counter())

    started = time.perf_counter()
    await queue.qm.run(
        batch_size=batch, mode=QueueExecutionMode.drain, max_concurrent_tasks=2 * batch
    )
    assert not await queries.queue_size()
    figures = rates(n, begun, full, full + ended[0] - started)
    figures["enqueue"] = singles / (between - begun)
    figures["bulk"] = (n - singles) / (full - between)
    say(**figures)


logging.disable()
uvloop.run(main(*order()))
