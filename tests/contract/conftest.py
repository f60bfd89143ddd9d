"""The stores that the contract is checked on, each open and empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.redis import RedisStore
from advanced_scheduler.stores.sql import PostgresStore, SqliteStore
from tests.support.servers import RedisServer
from tests.support.stores import NewUrl, opened


@pytest.fixture
def store(url_of_each: str) -> Iterator[Store]:
    """An open, empty store of each kind."""
    with opened(open_store(url_of_each, auto_migrate=True)) as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    """An open, empty SQLite store in ``tmp_path / "store.db"``."""
    with opened(SqliteStore(f"sqlite:///{tmp_path}/store.db?synchronous=normal")) as found:
        yield found


@pytest.fixture
def postgres(postgres_schema: str) -> Iterator[PostgresStore]:
    """An open, empty PostgreSQL store at ``postgres_schema``."""
    with opened(PostgresStore(postgres_schema, auto_migrate=True)) as found:
        yield found


@pytest.fixture
def redis_store_url(new_url: NewUrl) -> str:
    """The URL of an empty store on the Redis that the session shares."""
    return new_url("redis")


@pytest.fixture
def redis_store(redis_store_url: str) -> Iterator[RedisStore]:
    """An open, empty store on the Redis that the session shares."""
    with opened(RedisStore(redis_store_url)) as found:
        yield found


@pytest.fixture
def redis_raw(redis_url: str) -> Iterator[redis.Redis]:
    """The Redis that the session shares, itself."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def private_store(private_redis: RedisServer) -> Iterator[RedisStore]:
    """An open store on a Redis that the test may stop."""
    with opened(RedisStore(private_redis.url)) as found:
        yield found
