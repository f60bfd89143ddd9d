"""What lies under the keys of a store on Redis, behind its back."""

from __future__ import annotations

from typing import TypeAlias

import redis

from advanced_scheduler.stores.redis import RedisStore

Raw: TypeAlias = "redis.Redis"


def key(store: RedisStore, name: str) -> str:
    """The key of that name in the store."""
    return f"{store._root}{name}"


def contents(raw: Raw, name: str) -> object:
    """All that a key holds."""
    return raw.hgetall(name) if raw.type(name) == b"hash" else raw.get(name)


def names(store: RedisStore, raw: Raw) -> set[str]:
    """The names of all keys in the store."""
    found = raw.keys(key(store, "*"))
    return {one.decode().removeprefix(store._root) for one in found if isinstance(one, bytes)}
