"""The database of the SQL store: connections, transactions, and what their errors mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar
from weakref import WeakSet, finalize

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, StoreError, StoreUnavailable
from .abilities import Signal
from .sql_dialect import Dialect
from .sql_migration import prepare
from .sql_schema import meta

T = TypeVar("T")

CHUNK: Final = 450
"""How many values one statement may name: old builds of SQLite take 999, some values are pairs."""

_PAUSE_SECONDS: Final = 0.01
_AT_ONCE: Final = 1.0  # seconds: whoever has waited longer is not asked to wait again
_PAUSE: Final = threading.Event()  # never set


class Again(Exception):
    """A transaction found out that it must begin again, and knows now what it did not."""


class SqlDatabase:
    """One database, and the transactions that the parts of the store run in.

    Raises ``ConfigurationError`` for a URL that cannot work.
    """

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        self._dialect = _dialect(url)
        self._auto_migrate = auto_migrate
        self._engine = self._dialect.engine
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self._clock: Clock = SystemClock()
        _databases.add(self)
        finalize(self, self._dialect.dispose)  # for whoever forgets to close

    def open(self) -> None:
        """Make the tables what this package needs, or see that they are.

        Raises ``ConfigurationError`` if there can be no such database, ``StoreError`` if the
        tables are of another version of this package.
        """
        self._dialect.before_opening()
        self._write(self._make_tables)
        self._dialect.opened()

    def close(self) -> None:
        """Release connections; safe to repeat."""
        self._dialect.closed()
        self._dialect.dispose()

    def before_fork(self) -> None:
        """Let no connection be in a state that a child must not inherit."""
        self._dialect.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._dialect.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        self._dialect.after_fork_in_child()

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` if the database does not answer."""
        self._read(lambda db: db.execute(sa.select(meta.c.value)).first())

    def time(self) -> datetime | None:
        """SQLite has no clock but that of the process."""
        return None

    def _make_tables(self, db: Connection) -> None:
        dialect = self._dialect
        dialect.take_time(db)
        automatic = self._auto_migrate or self._engine.name == "sqlite"
        prepare(db, schema=dialect.schema, shown=dialect.shown, automatic=automatic)

    def _read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` reads; a statement sees all of the database as of one instant."""
        return self._run(self._dialect.begin_read, work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it is run again if somebody else was in its way."""
        with self._dialect.writing():
            return self._run(self._dialect.begin_write, work)

    def _keep_leases(self, begin: str | None, work: Callable[[Connection], T]) -> T:
        """``work`` on a connection that no other kind of call can take away."""
        return self._run(begin, work, self._dialect.connect_for_leases)

    def _run(
        self,
        begin: str | None,
        work: Callable[[Connection], T],
        connect: Callable[[], Connection] | None = None,
    ) -> T:
        self._dialect.check()
        started = self._clock.monotonic()
        attempt = 0
        while True:
            attempt += 1
            begun = False
            try:
                with (connect or self._dialect.connect)() as db:
                    if begin is not None:
                        db.exec_driver_sql(begin)
                        begun = True
                    result = work(db)
                    db.commit()
                    return result
            except Again:
                continue
            except (sa.exc.SQLAlchemyError, self._driver.Error) as error:
                cause = getattr(error, "orig", None) or error
                waited = self._clock.monotonic() - started
                # One of the pool may have died, unnoticed, since it was used last.
                dead = getattr(error, "connection_invalidated", False) and waited < _AT_ONCE
                stale = dead and not begun and attempt == 1
                if not stale and not self._dialect.may_retry(cause, attempt, waited):
                    raise self._explained(cause) from error
                _PAUSE.wait(_PAUSE_SECONDS)

    def _explained(self, cause: Exception) -> StoreError:
        shown, why = self._dialect.shown, " ".join(str(cause).split())  # psycopg's have lines
        if isinstance(cause, sa.exc.TimeoutError) or self._dialect.is_unavailable(cause):
            return StoreUnavailable(f"store={shown} cannot be reached: {why}")
        return StoreError(f"store={shown} failed: {why}")

    def _tell(self, db: Connection, signal: Signal) -> None:
        """Tell the other nodes when the transaction is through, where the database can."""

    def _join(self, given: Any, work: Callable[[Connection], T]) -> T:
        """What ``work`` answers, as a part of somebody else's transaction in this database."""
        try:
            db = _connection(given)
            if self._dialect.is_same(db):
                if self._dialect.commits_at_once(db):
                    raise ConfigurationError(
                        f"connection={given!r} is in autocommit mode: there is no transaction of "
                        "yours to join; give one in another isolation level, or none"
                    )
                return work(db)
        except (sa.exc.DBAPIError, self._driver.Error) as error:
            raise self._explained(getattr(error, "orig", None) or error) from error
        except sa.exc.InvalidRequestError as error:  # closed, or to be rolled back first
            raise ConfigurationError(f"connection={given!r} cannot be used: {error}") from error
        raise ConfigurationError(
            f"connection={db.engine.url.render_as_string()} is to another database than "
            f"store={self._dialect.shown}; an execution can join a transaction of its own alone"
        )


_databases: Final[WeakSet[SqlDatabase]] = WeakSet()


def _each(step: Callable[[SqlDatabase], None]) -> Callable[[], None]:
    def call() -> None:
        for database in list(_databases):
            step(database)

    return call


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(lambda one: one.before_fork()),
        after_in_parent=_each(lambda one: one.after_fork_in_parent()),
        after_in_child=_each(lambda one: one.after_fork_in_child()),
    )


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists that fit into one statement."""
    left = iter(values)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _connection(given: Any) -> Connection:
    """The connection that somebody gave, or that of a session."""
    if hasattr(given, "run_sync"):
        raise ConfigurationError(
            f"connection={given!r} is asynchronous; call schedule_task inside of "
            "`await connection.run_sync(...)`, with the connection or session that it hands out"
        )
    db = given.connection() if hasattr(given, "get_bind") else given
    if not isinstance(db, Connection):
        raise ConfigurationError(
            f"connection={given!r} is neither a Connection nor a Session of SQLAlchemy"
        )
    return db


def _dialect(url: str) -> Dialect:
    scheme = url.partition("://")[0]
    try:
        parsed = sa.make_url(url)
        if "@" in (parsed.host or ""):
            raise ValueError("the password has a character that is not written as %40")
    except (sa.exc.ArgumentError, ValueError):
        # The rest may hold a password, and an error of SQLAlchemy quotes what it could not read.
        raise ConfigurationError(
            f"store={scheme}://... is no URL; use sqlite:///file.db, or "
            "postgresql://user:password@host:5432/database with special characters as %xx"
        ) from None
    if scheme == "sqlite":
        from .sql_sqlite import SqliteDialect

        return SqliteDialect(parsed)
    from .sql_postgresql import PostgresDialect

    return PostgresDialect(parsed)
