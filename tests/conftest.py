"""Owns the fixtures that more than one suite needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from uuid import uuid4

import pytest
import redis
from hypothesis import settings

from advanced_scheduler.clock import ManualClock
from tests.support.servers import (
    POSTGRES_URL_VARIABLE,
    REDIS_URL_VARIABLE,
    PostgresServer,
    RedisServer,
    drop_schemas,
    fresh_schema,
    unavailable,
)
from tests.support.stores import BACKENDS, NewUrl

settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the first of January 2030, UTC, until the test moves it."""
    return ManualClock()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that the whole session shares; tests must not stop it."""
    if given := os.environ.get(REDIS_URL_VARIABLE):
        yield given
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        yield server.start().url
    finally:
        server.kill()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the shared Redis, whose database is empty."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis that belongs to one test, to be killed, paused and started again."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, persistent=True)
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL that the whole session shares; tests must not stop it."""
    if given := os.environ.get(POSTGRES_URL_VARIABLE):
        yield given
        drop_schemas(given)
        return
    server = PostgresServer()
    try:
        yield server.start().url
    finally:
        server.remove()


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """The address of a store in a schema of the shared PostgreSQL that does not exist yet."""
    with fresh_schema(postgres_url) as url:
        yield url


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


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, new_url: NewUrl) -> str:
    """The URL of an empty store: one that does not last, then one that does."""
    return new_url(request.param)


@pytest.fixture(params=BACKENDS)
def url_of_each(request: pytest.FixtureRequest, new_url: NewUrl) -> str:
    """The URL of an empty store of each kind."""
    return new_url(request.param)


@pytest.fixture
def private_postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL that belongs to one test, to be killed, paused and started again."""
    server = PostgresServer(persistent=True)
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker: ``PROMTOOL`` in the environment, or on PATH."""
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    return Path(found) if found else unavailable("no promtool on PATH and no PROMTOOL")
