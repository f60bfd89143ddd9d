"""SQLAlchemy Core on SQLite: what one execution's life costs a program that does nothing else.

``python sqlite_core.py URL N BATCH``: insert, claim, finish; a commit for each BATCH of each, on
disk before it is answered (WAL, synchronous FULL).
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from tests.benchmarks.programs.clockwork import order, say

WAITING = 0
JOBS = sa.Table(
    "jobs",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("result", sa.Text),
)
LINE = sa.Index(
    "line", JOBS.c.priority, JOBS.c.id, sqlite_where=JOBS.c.status == sa.literal_column("0")
)


def engine_of(url: str) -> sa.Engine:
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    JOBS.metadata.create_all(engine)
    return engine


def insert(connection: sa.Connection, n: int, batch: int) -> None:
    for _ in range(0, n, batch):
        row = {"status": WAITING, "priority": 2, "task": "noop", "arguments": "[0]"}
        rows = [{**row, "created": time.time()} for _ in range(batch)]
        connection.execute(sa.insert(JOBS), rows)
        connection.commit()


def work(connection: sa.Connection, batch: int) -> int:
    """Claim and finish until nothing waits; how many there were."""
    first = (
        sa.select(JOBS.c.id)
        .where(JOBS.c.status == sa.literal_column("0"))
        .order_by(JOBS.c.priority, JOBS.c.id)
        .limit(batch)
    )
    claim = (
        sa.update(JOBS)
        .where(JOBS.c.id.in_(first))
        .values(status=1, started=sa.bindparam("now"))
        .returning(JOBS.c.id, JOBS.c.task, JOBS.c.arguments)
    )
    finish = (
        sa.update(JOBS)
        .where(JOBS.c.id == sa.bindparam("key"))
        .values(status=2, ended=sa.bindparam("now"), result=sa.bindparam("value"))
    )
    count = 0
    while rows := connection.execute(claim, {"now": time.time()}).all():
        connection.commit()
        ended = time.time()
        done = [{"key": row.id, "now": ended, "value": "null"} for row in rows]
        connection.execute(finish, done)
        connection.commit()
        count += len(rows)
    return count


def main(url: str, n: int, batch: int) -> None:
    engine = engine_of(url)
    with engine.connect() as connection:
        begun = time.perf_counter()
        insert(connection, n, batch)
        count = work(connection, batch)
        say(total=count / (time.perf_counter() - begun))
    engine.dispose()


if __name__ == "__main__":
    main(*order())
