"""Databases where tables of any release may go, and what is found there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from advanced_scheduler.stores import sql_migration as migration
from advanced_scheduler.stores.abilities import Revisions
from advanced_scheduler.stores.sql_schema import metadata, version

RELEASED: Final = Path(__file__).with_name("released")
"""Tables and rows as the code of each release wrote them."""


@dataclass(frozen=True)
class Site:
    """A database where tables may go; ``schema`` is None on SQLite."""

    engine: sa.Engine
    schema: str | None
    url: str

    def run(self, script: str) -> None:
        """Run statements as they are."""
        if self.schema is None:
            with closing(sqlite3.connect(str(self.engine.url.database))) as file:
                file.executescript(script)
        else:
            with psycopg.connect(self.url, autocommit=True) as client:
                client.execute(f"SET search_path TO {self.schema};{script}".encode())

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.engine.connect() as db:
            return [tuple(row) for row in db.exec_driver_sql(statement.format(self.schema))]

    def prepare(self, *, automatic: bool = True) -> None:
        """What ``open`` does."""
        with self.engine.begin() as db:
            migration.prepare(db, schema=self.schema, shown="here", automatic=automatic)

    def revisions(self) -> Revisions:
        """Where the tables are."""
        with self.engine.begin() as db:
            return migration.revisions(db, schema=self.schema, shown="here")

    def release(self, revision: str) -> None:
        """Make what users of this revision have."""
        written = RELEASED / f"{revision}_sqlite.sql"
        if self.schema is None and written.exists():
            self.run(written.read_text())
        else:
            self.migrate(None, revision)

    def migrate(self, start: str | None, end: str) -> None:
        """Run what ``db sql`` prints."""
        dialect = self.engine.dialect.name
        self.run(migration.upgrade_sql(dialect, schema=self.schema, start=start, end=end))

    def tables(self) -> dict[str, Any]:
        """All there is to say of the tables but the order of their columns."""
        if self.schema is None:
            names = [name for (name,) in self.ask("SELECT name FROM pragma_table_list")]
            ours = [name for name in names if not name.startswith("sqlite_")]
            columns = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{}')"
            kinds = "SELECT name, wr, strict FROM pragma_table_list"
            indexes = "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'view')"
            found = {name: sorted(self.ask(columns.replace("{}", name))) for name in ours}
            return {**found, "kinds": sorted(self.ask(kinds)), "indexes": sorted(self.ask(indexes))}
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable, column_default, "
            "character_maximum_length FROM information_schema.columns WHERE table_schema = '{0}'"
        )
        indexes = (
            "SELECT indexname, replace(indexdef, '{0}', '') FROM pg_indexes "
            "WHERE schemaname = '{0}'"
        )
        views = (
            "SELECT viewname, replace(definition, '{0}', '') FROM pg_views WHERE schemaname = '{0}'"
        )
        asked = {"columns": columns, "indexes": indexes, "views": views}
        return {name: sorted(self.ask(statement)) for name, statement in asked.items()}

    def differences(self) -> list[Any]:
        """What Alembic finds to do, to make the tables what ``sql_schema`` says."""
        with self.engine.connect() as db:
            if self.schema is not None:
                db.exec_driver_sql(f"SET search_path TO {self.schema}")
            options = {"version_table": version.name, "include_object": _comparable}
            return list(compare_metadata(MigrationContext.configure(db, opts=options), metadata))


def _comparable(_item: Any, name: str, kind: str, _reflected: bool, _other: Any) -> bool:
    # SQLAlchemy cannot read an index over an expression from SQLite; ``tables`` compares it.
    return not (kind == "index" and name == "executions_claim")


def new_engine(url: str) -> sa.Engine:
    """SQLite as the store uses it: transactions are ours, and a writer locks at once."""
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begin(db: sa.Connection) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def rows(revision: str) -> str:
    """Rows as nodes of this revision write them, or those of the one before beside them."""
    written = max(one for one in RELEASED.glob("*_rows.sql") if one.name[:4] <= revision)
    return written.read_text()
