"""Procrastinate: enqueue first, then time one worker until it has caught up.

``python peer_procrastinate.py URL N CONCURRENCY SINGLES``. It keeps a row for each job, with its
state, and a row for each change of the state.
"""

from __future__ import annotations

import asyncio
import sys
import time

import psycopg
from procrastinate import App, PsycopgConnector

from tests.benchmarks.programs.clockwork import order, rates, say

BULK = 500  # one call of 10,000 has too many parameters for one statement


async def noop(value: int) -> None:
    pass


async def main(url: str, n: int, concurrency: int) -> None:
    singles = int(sys.argv[4])
    app = App(connector=PsycopgConnector(conninfo=url))
    task = app.task(noop, name="noop")
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        begun = time.perf_counter()
        for number in range(singles):
            await task.defer_async(value=number)
        between = time.perf_counter()
        for first in range(singles, n, BULK):
            some = range(first, min(first + BULK, n))
            await task.batch_defer_async(*({"value": number} for number in some))
        full = time.perf_counter()
        await app.run_worker_async(concurrency=concurrency, wait=False)
        ended = time.perf_counter()
    with psycopg.connect(url) as connection:
        states = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"
        recorded = connection.execute(states).fetchall()
    assert recorded == [("succeeded", n)], recorded
    figures = rates(n, begun, full, ended)
    figures["enqueue"] = singles / (between - begun)
    figures["bulk"] = (n - singles) / (full - between)
    say(**figures)


asyncio.run(main(*order()))
