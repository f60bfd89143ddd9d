"""Speed on servers: 10,000 executions enqueued first, then one worker drains them, ten at once."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import psycopg
import redis

from tests.benchmarks.measuring import PEERS, RUNS, compare, measure, median, ours

N: Final = 10_000
CONCURRENCY: Final = 10
SINGLES: Final = 2_000  # of N, enqueued one by one
SLOW_RUNS: Final = 3  # Procrastinate takes half a minute for one


def new_database(server: str, name: str) -> str:
    """The URL of an empty database."""
    with psycopg.connect(server, autocommit=True) as client:
        client.execute(f"CREATE DATABASE {name}".encode())
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def test_postgresql_beside_procrastinate(durable_postgres_url: str) -> None:
    """fsync on, all settings the server's own; both keep the state of every execution."""
    mine, theirs = [], []
    for run in range(SLOW_RUNS):
        database = new_database(durable_postgres_url, f"ours_{run}")
        mine.append(ours("ours_drain.py", database, N, CONCURRENCY, SINGLES))
        database = new_database(durable_postgres_url, f"peer_{run}")
        theirs.append(measure(PEERS, "peer_procrastinate.py", database, N, CONCURRENCY, SINGLES))
    compare("PostgreSQL, one worker drains 10,000, Procrastinate", mine, theirs, 5)
    compare("PostgreSQL, enqueue one by one, Procrastinate", mine, theirs, figure="enqueue")
    compare("PostgreSQL, enqueue in bulk, Procrastinate", mine, theirs, figure="bulk")


def test_redis_beside_saq_and_dramatiq(redis_client: redis.Redis, redis_url: str) -> None:
    """Redis writes nothing to disk here; Dramatiq, alone of the three, keeps no states."""
    mine, saq, dramatiq = [], [], []
    for _ in range(RUNS):
        mine.append(ours("ours_drain.py", redis_url, N, CONCURRENCY, SINGLES))
        redis_client.flushdb()
        saq.append(measure(PEERS, "peer_saq.py", redis_url, N, CONCURRENCY, N))
        redis_client.flushdb()
        dramatiq.append(measure(PEERS, "peer_dramatiq.py", redis_url, N, CONCURRENCY, N))
        redis_client.flushdb()
    for peer, theirs, goal in (("SAQ", saq, 3), ("Dramatiq", dramatiq, 1)):
        compare(f"Redis, one worker drains 10,000, {peer}", mine, theirs, goal)
        compare(f"Redis, enqueue one by one, {peer}", mine, theirs, figure="enqueue")
    print(f"\nRedis, enqueue in bulk: {median(mine, 'bulk'):,.0f}/s (no peer has it)")
