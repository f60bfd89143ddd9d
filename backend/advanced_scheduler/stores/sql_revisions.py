"""The revisions of the SQL store's tables, for whoever looks after the database."""

from __future__ import annotations

from . import sql_migration as migration
from .base import Revisions
from .sql_database import SqlDatabase
from .sql_schema import HEAD


class SqlRevisions(SqlDatabase):
    """``MigratedStore`` on a SQL database."""

    def revisions(self) -> Revisions:
        """Where the tables are."""
        if self._is_missing():
            return Revisions(current=None, head=HEAD)
        return self._read(
            lambda db: migration.revisions(db, schema=self._schema, shown=self._shown)
        )

    def upgrade(self) -> Revisions:
        """Bring the tables to the head; answers where they were."""
        return self._write(lambda db: migration.upgrade(db, schema=self._schema, shown=self._shown))

    def upgrade_sql(self, start: str | None, end: str | None) -> str:
        """The statements that ``upgrade`` runs."""
        dialect = self._engine.dialect.name
        return migration.upgrade_sql(dialect, schema=self._schema, start=start, end=end or HEAD)
