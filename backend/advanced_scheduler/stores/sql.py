"""Durable stores in the databases that SQLAlchemy Core speaks to: SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.engine import Connection

from ..models import Parked
from .abilities import Signal
from .rows import instant
from .sql_alone import SqlAlone
from .sql_exchange import SqlAmongOthers
from .sql_joined import SqlJoined
from .sql_locks import SqlLocks
from .sql_records import SqlRecords
from .sql_revisions import SqlRevisions
from .sql_schedules import SqlSchedules


class SqlStore(SqlJoined, SqlSchedules, SqlLocks, SqlRecords, SqlRevisions):
    """``Store``, ``LockStore``, ``TransactionalStore`` and ``MigratedStore``.

    Several processes may share it. Raises ``ConfigurationError`` for a URL that cannot work.
    """

    durable = True
    blocking = True

    def unreadable(self) -> list[Parked]:
        """What was met lately and could not be read."""
        return [*self._executions.unreadable(), *self._schedules.unreadable()]


class SqliteStore(SqlAlone, SqlStore):
    """The same on SQLite, where one transaction writes at a time."""


class PostgresStore(SqlAmongOthers, SqlStore):
    """The same on PostgreSQL, where nodes hear of each other's work: ``SignalStore``, too."""

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        from .sql_postgresql import PostgresDialect
        from .sql_signals import Listener

        super().__init__(url, auto_migrate=auto_migrate)
        assert isinstance(self._dialect, PostgresDialect)
        self._listener = Listener(self._dialect)

    def close(self) -> None:
        """Release connections, that of the signals as well; safe to repeat."""
        self._listener.close()
        super().close()

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        self._listener.begin_anew()
        super().after_fork_in_child()

    def time(self) -> datetime | None:
        """What the clock of the server says at this moment, whenever the transaction began."""
        micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        return instant(self._keep_leases(None, lambda db: db.exec_driver_sql(micros).scalar()))

    def publish(self, signal: Signal) -> None:
        """Tell all subscribers of this store, on all nodes."""
        self._run(None, lambda db: self._tell(db, signal))

    def subscribe(self, heard: Callable[[Signal], None]) -> Callable[[], None]:
        """Call ``heard`` for each signal, on a thread of the store; answers how to end it."""
        return self._listener.subscribe(heard)

    def _tell(self, db: Connection, signal: Signal) -> None:
        self._listener.tell(db, signal)
