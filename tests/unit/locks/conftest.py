"""Owns the fixtures of the lock tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import RedisServer
from tests.unit.locks.faults import Relay


@pytest.fixture
def relay(private_redis: RedisServer) -> Iterator[Relay]:
    """A line to a Redis of our own that can go bad."""
    line = Relay(private_redis.port)
    yield line
    line.close()
