"""Locks on a Redis server: one Lua script a step, one deadline a command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, NoScriptError
from redis.retry import Retry

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, LockUnavailable
from .base import Answers, Holding, RedisClient, Wish
from .deadline import Deadline

T = TypeVar("T")

_LUA: Final = {
    name: (files(__package__) / "lua" / f"{name}.lua").read_text("utf-8")
    for name in ("acquire", "extend", "release")
}

_NOT_RUN: Final = (NoScriptError, NoPermissionError)
"""A digest may be unknown (scripts flushed in between, a proxy) or forbidden (``+eval`` alone)."""


class _Call(NamedTuple):
    script: str
    keys: Sequence[str]
    args: Sequence[str | int]


class RedisLocks:
    """Locks as keys ``<prefix>lock:{<task id>}`` that hold the token and expire by themselves.

    ``<prefix>fence:{<task id>}`` stays; the braces keep both in one slot of a cluster. Fences
    grow across a restart that lost all data as long as the server's clock does not go back.
    Give the server ``maxmemory-policy noeviction``: an evicted key is a lost lock.
    """

    kind: Final = "redis"

    def __init__(self, client: RedisClient | str, *, prefix: str, deadline: float) -> None:
        if "{" in prefix or "}" in prefix:
            raise ConfigurationError(
                f"prefix={prefix!r} has a brace, which decides the slot in a cluster; leave it out"
            )
        self.clock: Clock = SystemClock()
        self._prefix = prefix
        self._deadline = Deadline(deadline)
        self._client = _bounded(client, deadline)

    def exchange(self, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        """See ``Backend.exchange``; one round trip for all."""
        calls = [_Call("release", (self._lock(task_id),), (token,)) for task_id, token in given]
        for task_id, token, timeout in wanted:
            keys = self._lock(task_id), self._fence(task_id)
            calls.append(_Call("acquire", keys, (token, _milliseconds(timeout))))
        replies = self._run(calls)
        return Answers(
            [_refused(one) or one == 1 for one in replies[: len(given)]],
            [_refused(one) or one or None for one in replies[len(given) :]],
        )

    def extend(self, wanted: Sequence[Wish]) -> list[bool | None]:
        """See ``Backend.extend``; one round trip for all."""
        calls = [
            _Call("extend", (self._lock(task_id),), (token, _milliseconds(timeout)))
            for task_id, token, timeout in wanted
        ]
        return [None if isinstance(one, Exception) else one == 1 for one in self._run(calls)]

    def free(self, task_id: str) -> bool:
        """See ``Backend.free``."""
        return self._within(lambda: self._client.delete(self._lock(task_id))) == 1

    def ttl(self, task_id: str) -> float | None:
        """See ``Backend.ttl``."""
        milliseconds = self._within(lambda: self._client.pttl(self._lock(task_id)))
        return None if milliseconds < 0 else max(milliseconds, 1) / 1000

    def fence(self, task_id: str) -> int:
        """See ``Backend.fence``."""
        return int(self._within(lambda: self._client.get(self._fence(task_id))) or 0)

    def ping(self) -> None:
        """See ``Backend.ping``."""
        self._within(self._client.ping)

    def close(self) -> None:
        """See ``Backend.close``; the caller's own client stays as it is."""
        self._deadline.close()
        self._client.connection_pool.disconnect(inuse_connections=False)

    def _lock(self, task_id: str) -> str:
        return f"{self._prefix}lock:{{{task_id}}}"

    def _fence(self, task_id: str) -> str:
        return f"{self._prefix}fence:{{{task_id}}}"

    def _run(self, calls: Sequence[_Call]) -> list[Any]:
        """The reply to each, which may be an exception."""
        return self._within(lambda: self._sent(calls))

    def _sent(self, calls: Sequence[_Call], *, by_text: bool = False) -> list[Any]:
        """The first call of a script brings its text, so that the server knows it by the next.

        That takes 40 us for a lock and its release, where texts alone took 62.
        """
        known: set[str] = set()
        with self._client.pipeline(transaction=False) as pipe:
            for script, keys, args in calls:
                text = _LUA[script]
                if script in known and not by_text:
                    pipe.evalsha(_digest(text), len(keys), *keys, *args)
                else:
                    pipe.eval(text, len(keys), *keys, *args)
                    known.add(script)
            replies = pipe.execute(raise_on_error=False)
        if not by_text:
            again = [number for number, one in enumerate(replies) if isinstance(one, _NOT_RUN)]
            answers = self._sent([calls[number] for number in again], by_text=True)
            for number, answer in zip(again, answers, strict=True):
                replies[number] = answer
        return replies

    def _within(self, call: Callable[[], T]) -> T:
        try:
            return self._deadline.run(call)
        except TimeoutError:
            raise LockUnavailable(
                f"the lock server gave no answer within {self._deadline.seconds} s"
            ) from None
        except (redis.RedisError, OSError, RuntimeError) as error:  # RuntimeError: no more threads
            raise _unavailable(error) from error


def _refused(reply: object) -> LockUnavailable | None:
    return _unavailable(reply) if isinstance(reply, Exception) else None


def _unavailable(error: Exception) -> LockUnavailable:
    return LockUnavailable(f"no command to the lock server: {error}")


@cache
def _digest(text: str) -> str:
    """By which the server knows a script."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _bounded(client: RedisClient | str, deadline: float) -> redis.Redis:
    """A client for the same server that gives up at the deadline and never tries again.

    A retry of the client's own would multiply the deadline, and repeat a write behind our back.
    """
    if isinstance(client, str):
        client = _from_url(client)
    if not isinstance(client, redis.Redis):
        raise ConfigurationError(
            f"redis_client is a {type(client).__qualname__}; give a redis.Redis or a URL"
        )
    pool = client.connection_pool
    options: dict[str, Any] = {
        name: value
        for name, value in pool.connection_kwargs.items()
        # Parts of the caller's pool, and the timeouts that they would restore.
        if not name.startswith(("maint_notifications_", "orig_", "himport_"))
    }
    options |= {
        "socket_timeout": deadline,
        "socket_connect_timeout": deadline,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "retry_on_error": [],
        "health_check_interval": 0,
    }
    if maintenance := pool.connection_kwargs.get("maint_notifications_config"):
        # A notice of maintenance would stretch the timeouts (redis-py 7 and later).
        options["maint_notifications_config"] = type(maintenance)(enabled=False)
    return redis.Redis(
        connection_pool=redis.ConnectionPool(
            connection_class=pool.connection_class, max_connections=1000, **options
        )
    )


def _from_url(url: str) -> redis.Redis:
    try:
        return redis.Redis.from_url(url)
    except ValueError:  # its text may quote a part of the password
        raise ConfigurationError(
            "redis_client is not the URL of a Redis server; "
            "try redis://localhost:6379/0, rediss://... or unix://..."
        ) from None
