"""The stores that the contract is checked on, each open and empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from string import Formatter
from typing import Final, TypeAlias
from uuid import uuid4

import pytest
import redis

from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.redis import RedisStore
from advanced_scheduler.stores.sql import PostgresStore, SqliteStore
from tests.support.servers import RedisServer

BACKENDS: Final = {
    "memory": "memory://",
    "sqlite": "sqlite:///{folder}/store.db?synchronous=normal",
    "postgresql": "{postgres_url}?schema={name}",
    "redis": "{redis_url}?prefix={name}",
}
"""URL of each backend; ``{folder}`` and ``{name}`` are new ones each time, the rest fixtures."""

NewUrl: TypeAlias = Callable[[str], str]


@pytest.fixture(scope="session")
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewUrl:
    """Makes the URL of an empty store of a backend."""

    def make(backend: str) -> str:
        url = BACKENDS[backend]
        named = {field for _, field, _, _ in Formatter().parse(url) if field}
        values = {one: request.getfixturevalue(one) for one in named - {"folder", "name"}}
        if "folder" in named:
            values["folder"] = tmp_path_factory.mktemp(backend)
        return url.format(name=f"test_{uuid4().hex}", **values)

    return make


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, new_url: NewUrl) -> Iterator[Store]:
    """An open, empty store of each kind."""
    opened = open_store(new_url(request.param), auto_migrate=True)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    """An open, empty SQLite store in ``tmp_path / "store.db"``."""
    opened = SqliteStore(f"sqlite:///{tmp_path}/store.db?synchronous=normal")
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def postgres(postgres_schema: str) -> Iterator[PostgresStore]:
    """An open, empty PostgreSQL store at ``postgres_schema``."""
    opened = PostgresStore(postgres_schema, auto_migrate=True)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def redis_store_url(new_url: NewUrl) -> str:
    """The URL of an empty store on the Redis that the session shares."""
    return new_url("redis")


@pytest.fixture
def redis_store(redis_store_url: str) -> Iterator[RedisStore]:
    """An open, empty store on the Redis that the session shares."""
    opened = RedisStore(redis_store_url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def redis_raw(redis_url: str) -> Iterator[redis.Redis]:
    """The Redis that the session shares, itself."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def private_store(private_redis: RedisServer) -> Iterator[RedisStore]:
    """An open store on a Redis that the test may stop."""
    opened = RedisStore(private_redis.url)
    opened.open()
    yield opened
    opened.close()
