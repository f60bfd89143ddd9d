"""The door to Alembic: at which revision the tables of a database are, and how they get on."""

from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..errors import ConfigurationError, StoreError
from ..forks import free_in_child
from .abilities import Revisions
from .migrations.views_0003 import create_views
from .sql_schema import HEAD, META, meta, metadata, version

FIRST: Final = "0001"
"""The tables of the first release, which did not write down its revision."""

REVISIONS: Final = tuple(f"{number:04}" for number in range(1, int(HEAD) + 1))

_SCRIPTS: Final = Path(__file__).with_name("migrations")
# The ``op`` of its revisions belongs to the whole process.
_ALEMBIC: Final = free_in_child(threading.Lock())


def prepare(db: Connection, *, schema: str | None, shown: str, automatic: bool) -> None:
    """See that the tables are what this package needs; ``automatic`` says whether to make them so.

    ``db`` is in a transaction of the caller's (on SQLite, one that may write), which a failure
    takes back. ``shown`` is the address of the store for messages. Raises ``StoreError`` for
    tables that are too new, and for tables that are too old and must not be touched.
    """
    found = revisions(db, schema=schema, shown=shown)
    if found.at_head:
        return
    if automatic:
        upgrade(db, schema=schema, shown=shown)
        return
    state = f"is at revision {found.current}" if found.current else "has no tables of ours yet"
    raise StoreError(
        f"store={shown} {state}, and this version of advanced-scheduler needs {found.head}; run "
        f"`advanced-scheduler db upgrade --store {shown}`, or open the store with "
        "auto_migrate=True"
    )


def revisions(db: Connection, *, schema: str | None, shown: str) -> Revisions:
    """Where the tables are and where they should be.

    Raises ``StoreError`` for tables of a newer release that this one cannot go on with, and
    for tables that no release has made.
    """
    inspector = sa.inspect(db)
    current = readable_from = None
    if inspector.has_table(version.name, schema=schema):
        current = db.scalar(sa.select(version.c.version_num))
    if current is None and inspector.has_table(meta.name, schema=schema):
        current = FIRST
        if (made := _meta(db, "schema")) != "1":
            raise StoreError(
                f"store={shown} has tables of schema {made!r}, which no release has made; use "
                "another database"
            )
    if current is not None:
        readable_from = _meta(db, "readable_from") or current
        if current not in REVISIONS and readable_from > HEAD:
            raise StoreError(
                f"store={shown} is at revision {current}, and this version of advanced-scheduler "
                f"knows no revision after {HEAD}: upgrade the package, or use another database"
            )
    return Revisions(current=current, head=HEAD, readable_from=readable_from)


def upgrade(db: Connection, *, schema: str | None, shown: str) -> Revisions:
    """Bring the tables to the head, if no other process was faster; answers where they were.

    ``db`` is as for ``prepare``; others who upgrade the same tables wait for its commit.
    """
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number(schema))))
    found = revisions(db, schema=schema, shown=shown)
    if found.current is None:
        _create(db, schema)
    elif not found.at_head:
        _migrate(db, schema)
    return found


def upgrade_sql(dialect: str, *, schema: str | None, start: str | None, end: str) -> str:
    """The statements that lead from the revision ``start`` (None: an empty database) to ``end``.

    Raises ``ConfigurationError`` for a revision that does not exist or comes before ``start``.
    """
    for revision in filter(None, (start, end)):
        if revision not in REVISIONS:
            raise ConfigurationError(
                f"{revision!r} is no revision; use one of {', '.join(REVISIONS)}"
            )
    if start is not None and start > end:
        raise ConfigurationError(f"revision {end} comes before {start}; there is no way back")
    output = io.StringIO()
    _alembic(
        f"{start or 'base'}:{end}",
        schema,
        create_schema=schema if start is None else None,
        dialect_name=dialect,
        output_buffer=output,
        literal_binds=True,
    )
    return output.getvalue()


def _create(db: Connection, schema: str | None) -> None:
    """All tables at once, as the revisions would make them one after the other."""
    if schema is not None and not sa.inspect(db).has_schema(schema):
        db.execute(sa.schema.CreateSchema(schema))
    metadata.create_all(db)
    for view in create_views(db.dialect, schema):
        db.exec_driver_sql(view)
    db.execute(sa.insert(meta), META)
    db.execute(sa.insert(version), {"version_num": HEAD})


def _migrate(db: Connection, schema: str | None) -> None:
    if not sa.inspect(db).has_table(version.name, schema=schema):
        version.create(db)
        db.execute(sa.insert(version), {"version_num": FIRST})
    _alembic(HEAD, schema, connection=db)


def _alembic(
    revision: str, schema: str | None, *, create_schema: str | None = None, **how: Any
) -> None:
    """Run the revisions without an ini file; a range of them prints what it would do."""
    from alembic.command import upgrade
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["create_schema"] = create_schema
    config.attributes["options"] = {
        "version_table": version.name,
        "version_table_schema": schema,
        "transactional_ddl": True,
        **how,
    }
    with _ALEMBIC:
        upgrade(config, revision, sql=":" in revision)


def _meta(db: Connection, key: str) -> str | None:
    return db.scalar(sa.select(meta.c.value).where(meta.c.key == key))


def _lock_number(schema: str | None) -> int:
    digest = hashlib.sha256(f"{version.name} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
