"""Owns the deletion of old rows, batch by batch, in a database of whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from ..errors import InvalidArguments, StoreError, StoreUnavailable
from .expiry import is_expired

MOST_ROWS: Final = 10_000
"""How many rows one batch may delete, which is how many it locks."""

_BUSY_SECONDS: Final = 30  # how long SQLite waits for whoever else writes
_ROW_IDS: Final = ("_rowid_", "rowid", "oid")  # SQLite's own, each hidden by a column of its name


def delete_rows(
    database: str | Engine,
    *,
    table_name: str,
    date_column: str,
    before: datetime,
    batch_size: int = 1000,
) -> int:
    """Delete the rows whose ``date_column`` is before ``before`` (aware); answers how many.

    ``database`` is the URL of an SQLite file or a PostgreSQL, or an engine of SQLAlchemy.
    ``table_name`` may be "schema.table". Both names must be those of a table and a column that
    the database itself lists, letter by letter. Dates without a zone are UTC, numbers are
    seconds since 1970 (0 is no date, and the primary key alone is none), texts are ISO 8601;
    NULL, and a text that is no date, stay.

    At most ``batch_size`` rows go in one transaction, in the order of the primary key, so that
    all batches together read the table once; a row that was changed meanwhile is looked at
    again. Raises ``InvalidArguments`` before anything is deleted, ``StoreUnavailable`` if the
    database cannot be reached or is locked, and ``StoreError`` if it refuses to delete a row;
    batches that are through stay deleted.
    """
    if before.tzinfo is None:
        raise InvalidArguments(f"before={before!r} has no time zone; give an aware datetime")
    if type(batch_size) is not int or not 1 <= batch_size <= MOST_ROWS:
        raise InvalidArguments(
            f"batch_size={batch_size!r} must be a whole number from 1 to {MOST_ROWS:,}"
        )
    deleted = 0
    try:
        with _engine(database) as (engine, schema):
            with engine.connect() as db:
                batches = _Batches(db, schema, table_name, date_column, before.astimezone(UTC))
            for count in batches.delete(engine, batch_size):
                deleted += count
    except sa.exc.SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        kind = StoreUnavailable if isinstance(error, sa.exc.OperationalError) else StoreError
        raise kind(f"table_name={table_name!r}: {cause} ({deleted} rows were deleted)") from error
    return deleted


class _Batches:
    """The expired rows of one table, cut into ranges of the key."""

    def __init__(
        self,
        db: Connection,
        schema: str | None,
        table_name: str,
        date_column: str,
        before: datetime,
    ) -> None:
        inspector = sa.inspect(db)
        schema, name = _found_table(inspector, schema, table_name)
        columns = inspector.get_columns(name, schema=schema)
        types = {column["name"]: column["type"] for column in columns}
        if date_column not in types:
            raise InvalidArguments(
                f"date_column={date_column!r} is no column of {table_name!r}; "
                f"it has {', '.join(map(repr, types))}"
            )
        primary = list(inspector.get_pk_constraint(name, schema=schema)["constrained_columns"])
        if primary == [date_column] and isinstance(types[date_column], sa.Integer):
            raise InvalidArguments(  # as seconds since 1970 they would all be past
                f"date_column={date_column!r} holds the numbers of the rows, and no dates"
            )
        keys = _key(db.dialect.name, name, primary, columns)
        # Columns without types: keys come back, and are compared, as the database has them.
        self._table = sa.table(name, *map(sa.column, {*keys, date_column}), schema=schema)
        self._keys = [self._table.c[key] for key in keys]
        self._shown: list[sa.ColumnElement[Any]] = [*self._keys]
        if db.dialect.name == "postgresql":  # reads back any text, and takes it for what it is
            self._shown = [sa.cast(key, sa.Text) for key in self._keys]
        self._expired = is_expired(
            db.dialect.name, self._table.c[date_column], types[date_column], before
        )

    def delete(self, engine: Engine, size: int) -> Iterator[int]:
        """Delete batch by batch; answers how many rows went in each."""
        keys = sa.tuple_(*self._keys)
        ends = sa.select(*self._shown).order_by(*self._keys).offset(size - 1).limit(1)
        rows: sa.ColumnElement[bool] = self._expired
        while True:
            with engine.connect() as db:
                # Its own transaction: SQLite refuses readers that want to write after others did.
                end = db.execute(ends.where(rows)).first()
            if end is not None:
                rows, later = sa.and_(rows, keys <= _given(end)), keys > _given(end)
            with engine.begin() as db:
                count = db.execute(sa.delete(self._table).where(rows)).rowcount
            yield count
            if end is None:
                return
            rows = sa.and_(self._expired, later)


def _given(values: sa.Row[Any]) -> sa.ColumnElement[Any]:
    return sa.tuple_(*(sa.bindparam(None, one, sa.types.NullType()) for one in values))


def _found_table(
    inspector: sa.Inspector, schema: str | None, table_name: str
) -> tuple[str | None, str]:
    names = inspector.get_table_names(schema=schema)
    if table_name in names:
        return schema, table_name
    where, _, name = str(table_name).partition(".")
    if (
        name
        and where in inspector.get_schema_names()
        and name in inspector.get_table_names(schema=where)
    ):
        return where, name
    raise InvalidArguments(
        f"table_name={table_name!r} is no table of this database; "
        f"it has {', '.join(map(repr, sorted(names))) or 'none'}"
    )


def _key(dialect: str, name: str, primary: list[str], columns: list[Any]) -> list[str]:
    """The primary key, unless SQLite lets it be NULL; else what the database calls a row by."""
    nullable = {column["name"] for column in columns if column["nullable"]}
    if primary and nullable.isdisjoint(primary):
        return primary
    if dialect == "postgresql":
        return ["ctid"]
    taken = {column["name"].lower() for column in columns}
    free = [row_id for row_id in _ROW_IDS if row_id not in taken]
    if not free:
        raise InvalidArguments(f"table_name={name!r} has no primary key; give it one")
    return free[:1]


@contextmanager
def _engine(database: str | Engine) -> Iterator[tuple[Engine, str | None]]:
    """The engine, and the schema that a URL of ours names; one made here is closed again."""
    if isinstance(database, Engine):
        _check_kind(database.dialect.name)
        yield database, None
        return
    try:
        url = sa.make_url(database)
    except sa.exc.ArgumentError:
        raise InvalidArguments(  # without what was given: it may hold a password
            "database is no URL; use sqlite:///file.db or postgresql://user:password@host/name, "
            "or give an engine of SQLAlchemy"
        ) from None
    schema = url.query.get("schema")
    url = url.difference_update_query(["schema", "synchronous"])
    arguments: dict[str, Any] = {}
    kind = url.get_backend_name()
    _check_kind(kind)
    if kind == "sqlite":
        if not url.database or not Path(url.database).is_file():
            raise InvalidArguments(f"database={str(url)!r}: there is no such file")
        arguments["timeout"] = _BUSY_SECONDS
    elif url.drivername == kind:
        url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.pool.NullPool)
    try:
        yield engine, str(schema) if schema else None
    finally:
        engine.dispose()


def _check_kind(kind: str) -> None:
    if kind not in ("sqlite", "postgresql"):
        raise InvalidArguments(f"database is of the kind {kind!r}; rows go from SQLite, PostgreSQL")
