"""Locks on a Redis server: one Lua script a step, one deadline a command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib.resources import files
from typing import Any, Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, LockUnavailable
from .base import Extension, RedisClient

T = TypeVar("T")

_LUA: Final = {
    name: (files(__package__) / "lua" / f"{name}.lua").read_text("utf-8")
    for name in ("acquire", "extend", "release")
}


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
        self._deadline = deadline
        self._client = _bounded(client, deadline)

    def acquire(self, task_id: str, token: str, timeout: float) -> int | None:
        """See ``Backend.acquire``."""
        keys = self._lock(task_id), self._fence(task_id)
        return self._run("acquire", keys, token, _milliseconds(timeout)) or None

    def extend(self, wanted: Sequence[Extension]) -> list[bool | None]:
        """See ``Backend.extend``; one round trip for all."""

        def send() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipe:
                for task_id, token, timeout in wanted:
                    key, ttl = self._lock(task_id), _milliseconds(timeout)
                    pipe.eval(_LUA["extend"], 1, key, token, ttl)
                return pipe.execute(raise_on_error=False)

        return [None if isinstance(r, Exception) else r == 1 for r in self._within(send)]

    def release(self, task_id: str, token: str | None) -> bool:
        """See ``Backend.release``."""
        key = self._lock(task_id)
        if token is None:
            return self._within(lambda: self._client.delete(key)) == 1
        return self._run("release", (key,), token) == 1

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
        self._client.connection_pool.disconnect(inuse_connections=False)

    def _lock(self, task_id: str) -> str:
        return f"{self._prefix}lock:{{{task_id}}}"

    def _fence(self, task_id: str) -> str:
        return f"{self._prefix}fence:{{{task_id}}}"

    def _run(self, script: str, keys: Sequence[str], *args: str | int) -> int:
        # EVAL and not EVALSHA: no second round trip within the deadline when the server was
        # restarted and has forgotten the script.
        reply: Any = self._within(lambda: self._client.eval(_LUA[script], len(keys), *keys, *args))
        return int(reply)

    def _within(self, call: Callable[[], T]) -> T:
        """The answer of ``call``, or ``LockUnavailable`` when the deadline comes first.

        Socket timeouts alone would not do: they bound each read, not name look-up, connecting,
        authentication and a reply in drops together. So the call has a thread of its own, which
        is left behind at the deadline and ends at its socket's.
        """
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:
                answer.set_exception(error)

        try:
            threading.Thread(target=work, name="lock-command", daemon=True).start()
            return answer.result(self._deadline)
        except TimeoutError:
            raise LockUnavailable(
                f"the lock server gave no answer within {self._deadline} s"
            ) from None
        except (redis.RedisError, OSError, RuntimeError) as error:  # RuntimeError: no more threads
            raise LockUnavailable(f"no command to the lock server: {error}") from error


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
