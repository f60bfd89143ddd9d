"""Where executions, schedules, ticks and locks live; ``open_store`` picks one by URL."""

from __future__ import annotations

from ..config import masked
from ..errors import ConfigurationError
from .base import Store
from .memory import MemoryStore

__all__ = ["open_store"]


def open_store(url: str, *, auto_migrate: bool = False) -> Store:
    """The store that ``url`` names; the caller opens it.

    - ``memory://`` keeps everything in this process.
    - ``sqlite:///file.db`` in a file, with ``?synchronous=normal`` to survive a crash of the
      process but not the loss of power.
    - ``postgresql://user:password@host/database`` in a schema there, ``?schema=advanced_scheduler``
      unless it says another; other options are those of libpq.
    - ``redis://host:6379/0`` (``rediss://``, ``redis+cluster://``) on a Redis server, with
      ``?prefix=name`` to keep several stores apart.

    With ``auto_migrate`` its ``open`` may also change tables that others look after; those of
    SQLite it always brings up to date. Raises ``ConfigurationError`` for any other URL.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "memory" and not rest:
        return MemoryStore()
    if separator and scheme == "sqlite":
        from .sql import SqliteStore  # SQLAlchemy takes longer to import than all the rest

        return SqliteStore(url, auto_migrate=auto_migrate)
    if separator and scheme in {"postgresql", "postgresql+psycopg", "postgres"}:
        from .sql import PostgresStore

        return PostgresStore(f"postgresql://{rest}", auto_migrate=auto_migrate)
    if separator and scheme.partition("+")[0] in {"redis", "rediss"}:
        from .redis import RedisStore

        return RedisStore(url)
    shown = f"{scheme}://..." if separator else masked(url)  # the rest may hold a password
    raise ConfigurationError(
        f"store={shown!r} names no store that exists; use memory://, sqlite:///file.db, "
        "postgresql://user:password@host/database or redis://host:6379/0"
    )
