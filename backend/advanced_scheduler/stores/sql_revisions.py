"""The revisions of the SQL store's tables, for whoever looks after the database."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from . import sql_migration as migration
from .abilities import Revisions
from .sql_database import SqlDatabase
from .sql_schema import HEAD


class SqlRevisions(SqlDatabase):
    """``MigratedStore`` on a SQL database."""

    def revisions(self) -> Revisions:
        """Where the tables are."""
        dialect = self._dialect
        if dialect.is_missing():
            return Revisions(current=None, head=HEAD)
        return self._read(
            lambda db: migration.revisions(db, schema=dialect.schema, shown=dialect.shown)
        )

    def upgrade(self) -> Revisions:
        """Bring the tables to the head; answers where they were."""
        dialect = self._dialect

        def work(db: Connection) -> Revisions:
            dialect.take_time(db)
            return migration.upgrade(db, schema=dialect.schema, shown=dialect.shown)

        return self._write(work)

    def upgrade_sql(self, start: str | None, end: str | None) -> str:
        """The statements that ``upgrade`` runs."""
        kind, schema = self._engine.dialect.name, self._dialect.schema
        return migration.upgrade_sql(kind, schema=schema, start=start, end=end or HEAD)
