"""What some stores can do besides: signals, transactions with the caller, revisions.

And locks, see ``lock_store``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from ..models import TaskExecution


class Signal(StrEnum):
    """What one node tells the others: news without content, which may get lost."""

    WORK = "work"  # executions may be due
    SCHEDULES = "schedules"  # a schedule was added, changed or resumed
    REVOKED = "revoked"  # an execution that was running has been cancelled
    ORDERS = "orders"  # a node was asked to drain, or something was paused or resumed


@runtime_checkable
class SignalStore(Protocol):
    """Signals between nodes, on stores that can wake one; polling works without."""

    def publish(self, signal: Signal) -> None:
        """Tell all subscribers of this store; ``add``, ``apply`` and ``fire`` tell of work."""
        ...

    def subscribe(self, heard: Callable[[Signal], None]) -> Callable[[], None]:
        """Call ``heard`` for each signal, on a thread of the store; answers how to end it.

        Never raises for a server that is away: it connects again by itself, and then calls
        ``heard`` for every signal, since some may have been missed.
        """
        ...


@runtime_checkable
class TransactionalStore(Protocol):
    """Stores in a database that the caller may share a transaction with."""

    def add_within(self, connection: Any, executions: Sequence[TaskExecution]) -> list[str]:
        """``add``, as part of the transaction of a SQLAlchemy connection or session.

        Answers the id of each, or of the one that holds its unique key. Neither commits nor
        rolls back. Raises ``ConfigurationError`` for a connection to another database.
        """
        ...

    def get_within(self, connection: Any, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids as that transaction sees them, in any order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """At which revision the tables of a store are, and at which this package wants them.

    ``current`` is None where there are no tables yet. It may be later than ``head``: then a
    newer release has been there, and left the tables readable for this one. ``readable_from``
    is the earliest revision whose release can work with the tables as they are.
    """

    current: str | None
    head: str
    readable_from: str | None = None

    @property
    def at_head(self) -> bool:
        """Whether there is nothing to do."""
        return self.current is not None and self.current >= self.head


@runtime_checkable
class MigratedStore(Protocol):
    """Stores whose tables have revisions; none of these calls needs, or does, an ``open``."""

    def revisions(self) -> Revisions:
        """Where the tables are; changes nothing. Raises ``StoreError`` if they are too new."""
        ...

    def upgrade(self) -> Revisions:
        """Bring the tables to the head; answers where they were."""
        ...

    def upgrade_sql(self, start: str | None, end: str | None) -> str:
        """The statements that ``upgrade`` runs, for a database that others look after.

        ``start=None`` is an empty database, ``end=None`` the head. Asks no server. Raises
        ``ConfigurationError`` for a revision that does not exist or comes before ``start``.
        """
        ...
