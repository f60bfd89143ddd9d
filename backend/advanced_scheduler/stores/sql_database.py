"""The database of the SQL store: connections, transactions, and what their errors mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakSet, finalize

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, StoreError, StoreUnavailable
from ..faults import cleaned
from .sql_migration import prepare
from .sql_schema import meta

T = TypeVar("T")

BUSY_SECONDS: Final = 30
"""How long a call waits for the write lock of SQLite, which other processes may hold."""

CHUNK: Final = 450
"""How many values one statement may name: old builds of SQLite take 999, some values are pairs."""

FORK_SECONDS: Final = 5.0
"""How long a fork waits for transactions of other threads to end."""

_SQLITE_BUSY_CODES: Final = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_SYNCHRONOUS: Final = ("full", "normal")
_PAUSE_SECONDS: Final = 0.01
_PAUSE: Final = threading.Event()  # never set


class SqlDatabase:
    """One database, and the transactions that the parts of the store run in.

    Raises ``ConfigurationError`` for a URL that cannot work.
    """

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        self._url, synchronous = _parsed(url)
        self._auto_migrate = auto_migrate
        self._path = Path(self._url.database or "")
        self._engine: Engine = sa.create_engine(
            self._url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
        )
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self._clock: Clock = SystemClock()
        self._write_lock = threading.Lock()  # threads queue here; SQLite itself would poll
        self._file: tuple[int, int] | None = None  # which one it is, while it is open
        self._gate = threading.Lock()  # shut while this process forks
        self._shut = self._busy = self._carried = False
        self._inherited: list[object] = []
        _prepare_connections(self._engine, synchronous)
        _databases.add(self)
        finalize(self, self._engine.dispose)  # for whoever forgets to close

    def open(self) -> None:
        """Make the tables what this package needs, or see that they are.

        Raises ``ConfigurationError`` if the folder does not exist, ``StoreError`` if the
        tables are of another version of this package.
        """
        folder = self._path.parent
        if not folder.is_dir():
            raise ConfigurationError(
                f"store={self._shown}: the folder {folder} does not exist; create it first"
            )
        self._file = None
        self._write(self._make_tables)
        self._file = self._found()

    def close(self) -> None:
        """Release connections; safe to repeat."""
        self._file = None
        self._engine.dispose()

    def before_fork(self) -> None:
        """Close all connections, and let nobody open one before the fork.

        SQLite keeps count of the file locks of its process in memory. A child that inherits a
        connection inherits that count and none of the locks: it would never ask for them, and
        another process could delete the log under its hands.
        """
        if not isinstance(pool := self._engine.pool, sa.QueuePool) or self._engine.name != "sqlite":
            return
        end = self._clock.monotonic() + FORK_SECONDS
        self._shut = self._gate.acquire(timeout=FORK_SECONDS)
        while (busy := pool.checkedout() > 0) and self._clock.monotonic() < end:
            _PAUSE.wait(_PAUSE_SECONDS)
        self._busy = busy
        self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._shut:
            self._shut = False
            self._gate.release()

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        self._write_lock, self._gate = threading.Lock(), threading.Lock()
        self._shut, self._carried = False, self._carried or self._busy
        self._inherited.append(self._engine.pool)  # to free its connections would close them
        self._engine.dispose(close=False)

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` if the database does not answer."""
        self._read(lambda db: db.execute(sa.select(meta.c.value)).first())

    def time(self) -> datetime | None:
        """SQLite has no clock but that of the process."""
        return None

    @property
    def _shown(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @property
    def _schema(self) -> str | None:
        """Where the tables are in the database, if it has schemas."""
        return None

    def _is_missing(self) -> bool:
        """Whether to connect would make a new database."""
        return self._engine.name == "sqlite" and self._found() is None

    def _make_tables(self, db: Connection) -> None:
        automatic = self._auto_migrate or self._engine.name == "sqlite"
        prepare(db, schema=self._schema, shown=self._shown, automatic=automatic)

    def _read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` reads, all of it as of one instant."""
        return self._run("BEGIN", work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it may be run again if the database was busy."""
        # WAL refuses a reader that wants to write after somebody else has: lock before reading.
        with self._write_lock:
            return self._run("BEGIN IMMEDIATE", work)

    def _run(self, begin: str, work: Callable[[Connection], T]) -> T:
        if self._file is not None and self._found() != self._file:
            raise StoreUnavailable(
                f"store={self._shown}: the file was deleted or replaced, and whatever is written "
                "now would be lost; put it back, or start again"
            )
        started = self._clock.monotonic()
        while True:
            try:
                with self._connect() as db:
                    db.exec_driver_sql(begin)
                    result = work(db)
                    db.commit()
                    return result
            except (sa.exc.SQLAlchemyError, self._driver.Error) as error:
                waited = self._clock.monotonic() - started
                if not _is_busy(error) or waited > BUSY_SECONDS:
                    raise self._explained(error) from error

                _PAUSE.wait(_PAUSE_SECONDS)

    def _connect(self) -> Connection:
        if self._carried:
            raise StoreError(
                f"store={self._shown}: this process was forked while a transaction was under way "
                f"in its parent, for more than {FORK_SECONDS} s; open the store after the fork"
            )
        with self._gate:
            return self._engine.connect()

    def _found(self) -> tuple[int, int] | None:
        """Device and number of the file that bears the name now."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _explained(self, error: Exception) -> StoreError:
        cause = getattr(error, "orig", None) or error
        if isinstance(cause, self._driver.OperationalError | sa.exc.TimeoutError):
            return StoreUnavailable(f"store={self._shown} cannot be reached: {cause}")
        return StoreError(f"store={self._shown} failed: {cause}")


_databases: Final[WeakSet[SqlDatabase]] = WeakSet()


def _each(step: Callable[[SqlDatabase], None]) -> Callable[[], None]:
    def call() -> None:
        for database in list(_databases):
            step(database)

    return call


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(SqlDatabase.before_fork),
        after_in_parent=_each(SqlDatabase.after_fork_in_parent),
        after_in_child=_each(SqlDatabase.after_fork_in_child),
    )


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists that fit into one statement."""
    left = iter(values)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _parsed(url: str) -> tuple[URL, str]:
    """The URL without our own options, and how SQLite is to write to the disk."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigurationError(f"store={url!r} is not a URL: {error}") from error
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(f"store={url!r}: use sqlite:///file.db")
    if parsed.host or parsed.username or cleaned(url) != url:
        raise ConfigurationError(
            f"store={cleaned(url)!r} is no file here; use sqlite:///file.db, or "
            "sqlite:////folder/file.db"
        )
    if parsed.database is None or parsed.database in ("", ":memory:"):
        raise ConfigurationError(
            f"store={url!r} names no file; use sqlite:///file.db, or memory:// to keep nothing"
        )
    options = dict(parsed.query)
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise ConfigurationError(
            f"store={url!r}: the only option is synchronous=full (the default) or normal"
        )
    file = Path(parsed.database).absolute()  # a task may change the directory
    return parsed.set(database=str(file), query={}), str(synchronous)


def _prepare_connections(engine: Engine, synchronous: str) -> None:
    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        connection.text_factory = _text
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")


def _text(raw: bytes) -> str | bytes:
    """One damaged text must not make its whole result set unreadable."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _is_busy(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code & 0xFF in _SQLITE_BUSY_CODES
