"""A durable store in Redis, for many nodes; the README says what the server must keep on disk."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from ..errors import ConfigurationError
from ..models import Parked
from .redis_client import DEFAULT_PREFIX
from .redis_executions import RedisExecutions
from .redis_records import RedisRecords
from .redis_schedules import RedisSchedules
from .redis_signals import RedisSignals

__all__: Final = ["RedisStorage", "RedisStore"]


class RedisStore(RedisExecutions, RedisSchedules, RedisRecords, RedisSignals):
    """``Store`` and ``SignalStore`` on ``redis://host:6379/0``; many nodes may share it.

    ``rediss://`` is TLS, ``redis+cluster://`` a cluster; ``?prefix=name`` keeps several stores
    in one database apart. Raises ``ConfigurationError`` for a URL that cannot work.
    """

    durable = True
    blocking = True

    @property
    def lock_url(self) -> str | None:
        """Where locks live beside the store; None on a cluster, which locks do not know."""
        return None if self._address.cluster else self._address.url

    def unreadable(self) -> list[Parked]:
        """What was met lately and could not be read."""
        return [*self._executions.unreadable(), *self._schedules.unreadable()]


class RedisStorage(RedisStore):
    """The same under the name and with the keyword of requirement document 002."""

    def __init__(
        self, redis_url: str = "redis://localhost:6379/0", *, prefix: str = DEFAULT_PREFIX
    ) -> None:
        if not isinstance(prefix, str):
            raise ConfigurationError(f"prefix={prefix!r} must be a text")
        if prefix != DEFAULT_PREFIX and isinstance(redis_url, str):
            redis_url += f"{'&' if '?' in redis_url else '?'}prefix={quote(prefix, safe='')}"
        super().__init__(redis_url)
