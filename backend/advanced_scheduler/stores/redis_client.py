"""The Redis server of the Redis store: connections, scripts, and what its errors mean."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, StoreError, StoreUnavailable
from ..forks import free_in_child, renew_in_child
from ..lifecycle import CLAIMABLE, FINAL, MEETS
from ..models import DEFAULT_QUEUE, TaskStatus, task_key

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.cluster import RedisCluster
    from redis.retry import Retry
except ImportError as error:
    raise ConfigurationError(
        f"a store in Redis needs the package redis ({error}); "
        "run: pip install 'advanced-scheduler[redis]'"
    ) from error

logger = logging.getLogger(__name__)

T = TypeVar("T")
Client: TypeAlias = "redis.Redis | RedisCluster"

FORMAT: Final = 1
"""Of what is stored; a store that a later version has written to is refused."""

OLDEST: Final = (6, 2)
"""The first version of Redis that knows all that the scripts use."""

EVERYTHING: Final = 2**31
"""A limit that is none."""

DEFAULT_PREFIX: Final = "advanced_scheduler"

_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 15  # of a script: more than the longest batch takes, less than a lease

_UNAVAILABLE: Final = (
    redis.ConnectionError,  # also while loading, or with a password that is not right (any more)
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.ClusterError,
    redis.exceptions.MasterDownError,
    redis.exceptions.NoScriptError,  # it was flushed again since it was loaded: nothing was done
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.RedisClusterException,
    redis.exceptions.TryAgainError,
    OSError,
)
_REFUSAL: Final = re.compile(
    r"(?:^|-)(?:BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b"
)
"""What such an error begins with; before Redis 7 it stands in the middle if a script met it."""

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("insert",),
    "delete": ("duration", "forget"),
    "drop_records": ("record",),
    "fire": ("insert",),
    "prune": ("duration", "forget"),
    "add_schedules": ("schedule",),
    "put": ("schedule",),
    "remove": ("schedule",),
    "save_record": ("record",),
    "totals": ("duration",),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store lives: ``url`` as redis-py reads it, ``shown`` without a password."""

    url: str
    shown: str
    prefix: str
    cluster: bool


def parsed(url: str) -> Address:
    """The address in a URL such as ``redis://host:6379/0?prefix=name``.

    ``redis``, ``rediss``, ``redis+cluster`` or ``rediss+cluster``; ``?cluster=true`` means the
    same as the latter two. Other options go to redis-py. Raises ``ConfigurationError``.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"store={url!r} is no URL; {_HELP}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"store: {_HELP}") from None
    scheme, _, flavour = parts.scheme.partition("+")
    if not host or re.fullmatch(r"/?\d*", parts.path) is None:
        # Where a password has a slash that is not written as %2F, host and path are parts of it.
        raise ConfigurationError(f"store={parts.scheme}://...: {_HELP}")
    shown = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
    if scheme not in {"redis", "rediss"} or flavour not in {"", "cluster"}:
        raise ConfigurationError(f"store={shown!r}: {_HELP}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = options.pop("prefix", DEFAULT_PREFIX)
    cluster = options.pop("cluster", "false").lower()
    if not prefix or "{" in prefix or "}" in prefix:
        raise ConfigurationError(
            f"store={shown!r}: prefix={prefix!r} must be a name without braces"
        )
    if cluster not in {"true", "false"}:
        raise ConfigurationError(f"store={shown!r}: cluster={cluster!r} must be true or false")
    plain = urlunsplit((scheme, parts.netloc, parts.path, urlencode(options), ""))
    return Address(plain, shown, prefix, bool(flavour) or cluster == "true")


_HELP: Final = (
    "use redis://host:6379/0, rediss://... or redis+cluster://..., with ?prefix=name, and special "
    "characters as %xx"
)


class RedisClient:
    """One server or cluster, and the calls that the parts of the store make of it.

    Nothing is ever tried again here: a claim that was answered into a cut connection must not
    be followed by a second one. Raises ``ConfigurationError`` for a URL that cannot work.
    """

    def __init__(self, url: str) -> None:
        self._address: Final = parsed(url)
        self._root: Final = f"{{{self._address.prefix}}}:"
        self._clock: Clock = SystemClock()
        self._lock = free_in_child(threading.Lock())
        self._client: Client | None = None
        self._of_parent: Client | None = None
        self._scripts: dict[str, Callable[..., Any]] = {}
        renew_in_child(self, RedisClient._leave_to_parent)
        if not self._address.cluster:
            self._connected()  # so that options that redis-py does not know are refused now

    def open(self) -> None:
        """Check that the server can hold a store.

        Raises ``StoreUnavailable`` if it cannot be written to, ``StoreError`` if it is too old,
        or if a newer version of this package has written to it.
        """
        server = self._run(lambda client: client.info("server"))
        version = tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])
        if version < OLDEST:
            raise StoreError(
                f"store={self._shown} is Redis {server['redis_version']}; use 6.2 or later"
            )
        key = f"{self._root}format"
        self._run(lambda client: client.set(key, FORMAT, nx=True))
        found = self._run(lambda client: client.get(key))
        if not found.isdigit() or int(found) > FORMAT:
            raise StoreError(
                f"store={self._shown} has format {found.decode(errors='replace')}; this version of "
                f"advanced-scheduler reads {FORMAT}: upgrade it, or use another prefix"
            )
        memory = self._run(lambda client: client.info("memory"))
        policy = str(memory.get("maxmemory_policy", ""))
        if policy.startswith("allkeys") and memory.get("maxmemory"):
            logger.warning(
                "store=%s may delete executions: maxmemory-policy is %s; set noeviction",
                self._shown,
                policy,
            )

    def close(self) -> None:
        """Release connections; safe to repeat."""
        with self._lock:
            client, self._client = self._client, None
            self._scripts = {}
        if client is not None:
            client.close()

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` if the server does not answer."""
        self._run(lambda client: client.ping())

    def time(self) -> datetime | None:
        """What the clock of the server says."""
        seconds, micros = self._run(lambda client: client.time())
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)

    @property
    def _shown(self) -> str:
        return self._address.shown

    def _call(self, script: str, args: Sequence[str | int | float | bytes] = ()) -> Any:
        """The reply of a script of the folder ``lua``; ``StoreError`` for a text with NUL."""
        texts = [one if type(one) is bytes else str(one).encode() for one in args]
        whole = b"\0".join([*texts, b""])
        if whole.count(b"\0") != len(texts):
            raise StoreError(f"store={self._shown} takes no text with a NUL character")

        def work(client: Client) -> Any:
            run = self._scripts.get(script)
            if run is None:
                run = self._scripts[script] = client.register_script(source(script))
            return run(keys=[self._root], args=[whole])

        return self._run(work)

    def _pages(
        self, script: str, head: list[Any], limit: int, tail: list[Any], cursor: str | bytes = ""
    ) -> list[bytes]:
        """What a script finds in steps that are short for all others on the server."""
        found: list[bytes] = []
        while len(found) < limit:
            args = [*head, limit - len(found), cursor, *tail]
            cursor, rows = self._call(script, args)
            found += rows
            if not cursor:
                break
        return found

    def _run(self, work: Callable[[Client], Any]) -> Any:
        try:
            return work(self._connected())
        except _UNAVAILABLE as error:
            raise self._unavailable(error) from error
        except redis.ResponseError as error:
            if _REFUSAL.search(str(error)):
                raise self._unavailable(error) from error
            raise StoreError(f"store={self._shown} failed: {error}") from error
        except redis.RedisError as error:
            raise StoreError(f"store={self._shown} failed: {error}") from error

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"store={self._shown} cannot be reached: {error}")

    def _connected(self) -> Client:
        client = self._client
        if client is None:
            with self._lock:  # not for each call: a process may be forked in the middle of any
                client = self._client = self._client or self._new_client()
        return client

    def _leave_to_parent(self) -> None:
        # Another thread may have held a lock of it, which its end would wait for.
        self._of_parent, self._client = self._client, None
        self._scripts.clear()

    def _new_client(self) -> Client:
        options: dict[str, Any] = {
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_timeout": _ANSWER_SECONDS,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        try:
            if self._address.cluster:
                return RedisCluster.from_url(self._address.url, **options)
            client = redis.Redis.from_url(self._address.url, **options)
            client.connection_pool.make_connection()
        except (
            ValueError,
            TypeError,
            redis.RedisError,
        ) as error:  # their text may quote a part of the password
            raise ConfigurationError(
                f"store={self._shown!r} has an option that redis-py does not take: "
                f"{type(error).__name__}"
            ) from None
        return client


def source(script: str) -> str:
    """The Lua text of a script with all that it shares with others."""
    meets = ", ".join(f"{one.value} = {_lua_set(needs)}" for one, needs in MEETS.items())
    head = [
        f"local FINAL, CLAIMABLE = {_lua_set(FINAL)}, {_lua_set(CLAIMABLE)}",
        f"local MEETS = {{ {meets} }}",
    ]
    words = {"RUNNING": TaskStatus.RUNNING.value, "TASK": task_key(""), "DEFAULT": DEFAULT_QUEUE}
    head += [f"local {name} = '{word}'" for name, word in words.items()]
    folder = files(__package__) / "lua"
    names = ("common", *_PARTS.get(script, ()), script)
    return "\n".join([*head, *((folder / f"{name}.lua").read_text("utf-8") for name in names)])


def _lua_set(names: Iterable[str]) -> str:
    return f"{{ {', '.join(f'{one} = true' for one in sorted(map(str, names)))} }}"
