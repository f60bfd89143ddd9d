"""Executions of the SQL store within the transaction of a caller."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from ..errors import StoreError
from ..models import TaskExecution
from . import sql_statements as statements
from .sql_executions import SqlExecutions

_ATTEMPTS: Final = 3


class SqlJoined(SqlExecutions):
    """``TransactionalStore`` on a SQL database."""

    def add_within(self, connection: Any, executions: Sequence[TaskExecution]) -> list[str]:
        """``add``, as part of the transaction of a SQLAlchemy connection or session.

        Answers the id of each, or of the one that holds its unique key. Raises
        ``ConfigurationError`` for anything else, and for a connection to another database.
        """

        def work(db: Connection) -> list[str]:
            added = self._add(db, executions)
            return [
                row.execution_id if new else self._add_or_find(db, row)
                for row, new in zip(executions, added, strict=True)
            ]

        return self._join(connection, work)

    def get_within(self, connection: Any, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids as that transaction sees them."""
        return self._join(connection, lambda db: self._rows_each(db, statements.BY_IDS, "ids", ids))

    def _add_or_find(self, db: Connection, row: TaskExecution) -> str:
        for _ in range(_ATTEMPTS):
            holder = db.execute(
                statements.TAKEN_BY, {"key": row.unique_key}, execution_options=self._dialect.places
            ).first()
            if holder is not None:
                return str(holder.execution_id)
            if self._add(db, [row]) == [True]:  # it ended in between
                return row.execution_id
        raise StoreError(
            f"unique={row.unique_key!r} was taken and freed {_ATTEMPTS} times while execution "
            f"{row.execution_id} was to be added; try again"
        )
