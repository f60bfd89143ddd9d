"""Owns the server that the benchmarks share, and marks every test here as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import PostgresServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.benchmark)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def durable_postgres_url() -> Iterator[str]:
    """A PostgreSQL as it comes: a commit is on disk before it is answered."""
    server = PostgresServer(persistent=True)
    try:
        yield server.start().url
    finally:
        server.remove()
