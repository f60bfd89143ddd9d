"""How the parts of a scheduler are chosen and put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.parts import Parts, _redis_url, assemble
from advanced_scheduler.errors import ConfigurationError
from advanced_scheduler.stores.memory import MemoryStore
from tests.unit.engine.kit import quick


def made(clock: ManualClock, *, redis: Any = None, store: Any = None, **settings: Any) -> Parts:
    return assemble(redis, store=store, settings=quick(**settings), clock=clock)


def test_the_store_is_the_one_given_else_that_of_the_settings(
    clock: ManualClock, tmp_path: Path
) -> None:
    given = MemoryStore()
    assert made(clock, store=given).store is given
    on_disk = made(clock, store=f"sqlite:///{tmp_path}/a.db")
    assert (on_disk.store.durable, on_disk.locks.kind) == (True, "store")
    on_disk.close()
    assert not made(clock).store.durable


def test_locks_live_in_redis_if_there_is_one_else_in_the_store_else_here(
    clock: ManualClock, tmp_path: Path
) -> None:
    here = made(clock)
    assert (here.locks.kind, here.fallback_locks) == ("process", None)
    url = "redis://127.0.0.1:1/0"
    for parts in (made(clock, redis=url), made(clock, redis_url=url)):
        assert parts.locks.kind == "redis"
        assert parts.fallback_locks is not None
        assert parts.fallback_locks.kind == "process"
        parts.close()
    both = made(clock, redis=url, store=f"sqlite:///{tmp_path}/a.db")
    assert both.fallback_locks is not None
    assert both.fallback_locks.kind == "store"
    both.close()


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        (None, "p", None),
        ("redis://h:1/0", None, "redis://h:1/0"),
        ("redis://h:1/0", "p@s/s", "redis://:p%40s%2Fs@h:1/0"),
        ("rediss://u:own@h:1/0", "p", "rediss://u:own@h:1/0"),
    ],
)
def test_the_password_of_redis_may_be_given_apart(
    url: str | None, password: str | None, expected: str | None
) -> None:
    secret = None if password is None else SecretStr(password)
    assert _redis_url(quick(redis_url=url, redis_password=secret)) == expected


def test_a_store_that_nobody_knows_is_refused(clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError, match="mongodb"):
        made(clock, store="mongodb://somewhere")
