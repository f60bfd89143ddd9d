"""Other nodes of a store on PostgreSQL, and the database behind their back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from typing import Any

import psycopg
import sqlalchemy as sa

from advanced_scheduler.stores.abilities import Signal, SignalStore
from advanced_scheduler.stores.sql import PostgresStore
from tests.support.stores import opened


def another(url: str, **options: Any) -> AbstractContextManager[PostgresStore]:
    """One more store at the same address, as another node has it."""
    return opened(PostgresStore(url, auto_migrate=True, **options))


@contextmanager
def raw(url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database itself, where the tables are; nothing is committed by itself."""
    server, _, schema = url.partition("?schema=")
    with psycopg.connect(server, options=f"-c search_path={schema}") as client:
        yield client


def drop(store: PostgresStore) -> None:
    """Delete its schema."""
    name = store._dialect.schema or ""
    store._write(lambda db: db.execute(sa.schema.DropSchema(name, cascade=True)))


def hears(store: SignalStore) -> tuple[SimpleQueue[Signal], Callable[[], None]]:
    """What a subscriber has heard, and how to end it; it listens when this returns."""
    heard: SimpleQueue[Signal] = SimpleQueue()
    end = store.subscribe(heard.put)
    assert {heard.get(timeout=10) for _ in Signal} == set(Signal)
    return heard, end
