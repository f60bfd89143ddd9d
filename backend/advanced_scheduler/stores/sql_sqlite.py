"""SQLite: one file, one writer at a time, and errors that mean that somebody else writes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL, Connection, Engine

from ..clock import SystemClock
from ..errors import ConfigurationError, StoreError, StoreUnavailable
from ..faults import cleaned
from .sql_dialect import Row
from .sql_prepared import Prepared

BUSY_SECONDS: Final = 30
"""How long a call waits for the write lock of SQLite, which other processes may hold."""

FORK_SECONDS: Final = 5.0
"""How long a fork waits for transactions of other threads to end."""

_OLDEST: Final = (3, 35)  # the first with RETURNING
_BUSY_CODES: Final = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_SYNCHRONOUS: Final = ("full", "normal")
_INSERTS_KEPT: Final = 128  # as many statements as the driver keeps
_PAUSE_SECONDS: Final = 0.01
_PAUSE: Final = threading.Event()  # never set
_clock: Final = SystemClock()


class SqliteDialect:
    """``sqlite:///file.db``; raises ``ConfigurationError`` for a URL that names no file."""

    schema = None
    places: Final[Mapping[str, Any]] = {}
    begin_read = "BEGIN"
    # WAL refuses a reader that wants to write after somebody else has: lock before reading.
    begin_write = "BEGIN IMMEDIATE"

    def __init__(self, url: URL) -> None:
        file, synchronous = _parsed(url)
        self._path = Path(file.database or "")
        self.shown = file.render_as_string()
        self.engine: Engine = sa.create_engine(
            file,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            pool_use_lifo=True,  # whose pages and statements are still in memory
        )
        self._write_lock = threading.Lock()  # threads queue here; SQLite itself would poll
        self._file: tuple[int, int] | None = None  # which one it is, while it is open
        self._gate = threading.Lock()  # shut while this process forks
        self._shut = self._busy = self._carried = False
        self._inherited: list[object] = []
        _prepare_connections(self.engine, synchronous)

    def before_opening(self) -> None:
        """Raise ``ConfigurationError`` if the folder does not exist."""
        folder = self._path.parent
        if not folder.is_dir():
            raise ConfigurationError(
                f"store={self.shown}: the folder {folder} does not exist; create it first"
            )
        self._file = None

    def is_missing(self) -> bool:
        """Whether there is no such file."""
        return self._found() is None

    def opened(self) -> None:
        """Remember which file it is."""
        self._file = self._found()

    def closed(self) -> None:
        """Forget which file it was."""
        self._file = None

    def dispose(self) -> None:
        """Close the connections of the pool."""
        self.engine.dispose()

    def before_fork(self) -> None:
        """Close all connections, and let nobody open one before the fork.

        SQLite keeps count of the file locks of its process in memory. A child that inherits a
        connection inherits that count and none of the locks: it would never ask for them, and
        another process could delete the log under its hands.
        """
        pool = cast(sa.QueuePool, self.engine.pool)
        end = _clock.monotonic() + FORK_SECONDS
        self._shut = self._gate.acquire(timeout=FORK_SECONDS)
        while (busy := pool.checkedout() > 0) and _clock.monotonic() < end:
            _PAUSE.wait(_PAUSE_SECONDS)
        self._busy = busy
        self.engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._shut:
            self._shut = False
            self._gate.release()

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        self._write_lock, self._gate = threading.Lock(), threading.Lock()
        self._shut, self._carried = False, self._carried or self._busy
        self._inherited.append(self.engine.pool)  # to free its connections would close them
        self.engine.dispose(close=False)

    def connect(self) -> Connection:
        """A connection of the pool, once no fork is under way."""
        if self._carried:
            raise StoreError(
                f"store={self.shown}: this process was forked while a transaction was under way "
                f"in its parent, for more than {FORK_SECONDS} s; open the store after the fork"
            )
        with self._gate:
            return self.engine.connect()

    def connect_for_leases(self) -> Connection:
        """One of the pool: who writes does so one at a time anyway."""
        return self.connect()

    def check(self) -> None:
        """Raise ``StoreUnavailable`` if the file is not the one that was opened."""
        if self._file is not None and self._found() != self._file:
            raise StoreUnavailable(
                f"store={self.shown}: the file was deleted or replaced, and whatever is written "
                "now would be lost; put it back, or start again"
            )

    def writing(self) -> AbstractContextManager[object]:
        """The lock of this process."""
        return self._write_lock

    def take_time(self, db: Connection) -> None:
        """Nothing: no transaction is hurried."""

    def may_retry(self, error: Exception, attempt: int, waited: float) -> bool:
        """While another process writes, for ``BUSY_SECONDS``."""
        return waited <= BUSY_SECONDS and _is_busy(error)

    def is_unavailable(self, error: Exception) -> bool:
        """The disk is full, the file is locked, or cannot be opened."""
        return isinstance(error, sqlite3.OperationalError)

    def is_same(self, db: Connection) -> bool:
        """Whether the main file is this one."""
        if db.dialect.name != "sqlite":
            return False
        files = {name: file for _, name, file in db.exec_driver_sql("PRAGMA database_list")}
        main = Path(files.get("main") or "")
        return main.is_file() and self._path.exists() and main.samefile(self._path)

    def commits_at_once(self, db: Connection) -> bool:
        """Whether neither Python begins transactions nor somebody else has begun this one.

        From Python 3.12 on ``autocommit=True`` makes nothing of a rollback; without it, it is -1.
        """
        file: Any = db.connection.driver_connection
        if getattr(file, "autocommit", None) is True:
            return True
        return file.isolation_level is None and not file.in_transaction

    def insert(self, db: Connection, table: sa.Table, rows: Sequence[Row]) -> list[Any]:
        """Add the rows that meet no other; naming no column that is NULL takes half the time."""
        key = next(iter(table.c)).name
        added = []
        for row in rows:
            given = {name: value for name, value in row.items() if value is not None}
            if _insert(table, tuple(given)).run(db, given):
                added.append(row[key])
        return added

    def update(
        self, db: Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]
    ) -> None:
        """One statement that is run for each row: there is no round trip to save."""
        key = next(iter(table.c)).name
        update = _update(table, names)
        for row in rows:
            update.run(db, {f"new_{name}": row[name] for name in (key, *names)})

    def _found(self) -> tuple[int, int] | None:
        """Device and number of the file that bears the name now."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


@lru_cache(_INSERTS_KEPT)
def _insert(table: sa.Table, names: tuple[str, ...]) -> Prepared:
    return Prepared(insert(table).on_conflict_do_nothing(), names)


@cache
def _update(table: sa.Table, names: tuple[str, ...]) -> Prepared:
    key = next(iter(table.c))
    ours = key == sa.bindparam(f"new_{key.name}")
    changes: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    return Prepared(sa.update(table).where(ours).values(changes))


def _parsed(url: URL) -> tuple[URL, str]:
    """The URL without our own options, and how SQLite is to write to the disk."""
    name = url.database or ""
    shown = cleaned(f"sqlite://{url.host or ''}/{name}")
    if sqlite3.sqlite_version_info < _OLDEST:
        raise ConfigurationError(
            f"store={shown}: this Python has SQLite {sqlite3.sqlite_version}, and 3.35 is needed; "
            "use another build of Python"
        )
    if url.host or url.username or cleaned(name) != name:
        raise ConfigurationError(
            f"store={shown!r} is no file here; use sqlite:///file.db, or sqlite:////folder/file.db"
        )
    if name in ("", ":memory:"):
        raise ConfigurationError(
            f"store={shown!r} names no file; use sqlite:///file.db, or memory:// to keep nothing"
        )
    options = dict(url.query)
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise ConfigurationError(
            f"store={shown!r}: the only option is synchronous=full (the default) or normal"
        )
    file = Path(name).absolute()  # a task may change the directory
    return url.set(database=str(file), query={}), str(synchronous)


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
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY_CODES
