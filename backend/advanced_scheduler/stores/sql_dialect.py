"""What the SQL store asks of a kind of database: how to reach it, and where its SQL is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

Row = Mapping[str, Any]


class Dialect(Protocol):
    """One database of a kind: SQLite or PostgreSQL."""

    @property
    def shown(self) -> str:
        """Its address for messages, without password."""
        ...

    @property
    def engine(self) -> Engine:
        """Its connections, in autocommit mode: the texts below begin transactions."""
        ...

    @property
    def schema(self) -> str | None:
        """Where its tables are; None where there is only one place."""
        ...

    @property
    def places(self) -> Mapping[str, Any]:
        """The execution options that lead to its tables, also on a connection of others."""
        ...

    @property
    def begin_read(self) -> str | None:
        """What begins a transaction that only reads; None where each statement stands alone."""
        ...

    @property
    def begin_write(self) -> str:
        """What begins a transaction that writes."""
        ...

    def before_opening(self) -> None:
        """Raise ``ConfigurationError`` if there can be no such database."""
        ...

    def is_missing(self) -> bool:
        """Whether to connect would make a new database."""
        ...

    def opened(self) -> None:
        """The tables are there."""
        ...

    def closed(self) -> None:
        """The store is not in use any more."""
        ...

    def dispose(self) -> None:
        """Close all connections that nobody uses; safe to repeat."""
        ...

    def before_fork(self) -> None:
        """Let no connection be in a state that a child must not inherit."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        ...

    def connect(self) -> Connection:
        """A connection of the pool."""
        ...

    def connect_for_leases(self) -> Connection:
        """A connection for the few calls that keep the work of this node."""
        ...

    def check(self) -> None:
        """Raise ``StoreUnavailable`` if what is written now would be lost."""
        ...

    def writing(self) -> AbstractContextManager[object]:
        """Held while a transaction writes."""
        ...

    def take_time(self, db: Connection) -> None:
        """Let this transaction last as long as it takes: it changes the tables."""
        ...

    def may_retry(self, error: Exception, attempt: int, waited: float) -> bool:
        """Whether a transaction that failed is worth another try.

        ``attempt`` counts from 1; ``waited`` is in seconds, since the first one began.
        """
        ...

    def is_unavailable(self, error: Exception) -> bool:
        """Whether the database could not be reached, or will do what it was asked later."""
        ...

    def is_same(self, db: Connection) -> bool:
        """Whether a connection of somebody else leads to this database."""
        ...

    def commits_at_once(self, db: Connection) -> bool:
        """Whether a connection of somebody else that has been used is in autocommit mode."""
        ...

    def insert(self, db: Connection, table: sa.Table, rows: Sequence[Row]) -> list[Any]:
        """Add the rows that meet no other; answers their values of the first column."""
        ...

    def update(
        self, db: Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]
    ) -> None:
        """Write the columns ``names`` of the rows that are named by the first column."""
        ...
