"""PostgreSQL through psycopg: rows as one JSON text for a batch, and no wait without an end."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql.selectable import TableValuedAlias

from ..clock import SystemClock
from ..errors import ConfigurationError
from .sql_dialect import Row

try:
    import psycopg
    from psycopg import conninfo
except ImportError as missing:
    raise ConfigurationError(
        "a store on PostgreSQL needs psycopg; pip install 'advanced-scheduler[postgres]'"
    ) from missing

T = TypeVar("T")

SCHEMA: Final = "advanced_scheduler"
"""Where the tables are, unless the URL says ``?schema=``."""

ANSWER_SECONDS: Final = 15.0
"""How long a call waits for a server that says nothing; the server gives up before that."""

_SCHEMA_BYTES: Final = 60  # a name has at most 63, and the channel of the signals is longer
_BATCH: Final = 5000  # rows in one statement
_ATTEMPTS: Final = 8

_SERVER_SETTINGS: Final = (
    "-c statement_timeout=12s -c lock_timeout=8s -c idle_in_transaction_session_timeout=12s "
    # Every statement has its index. A plan is kept, and one for an empty table that reads all of
    # it would be kept as well when thousands of rows have come.
    "-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off"
)
_CONNECT: Final = {
    "application_name": "advanced-scheduler",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

# serialization_failure, deadlock_detected, and what two who add the same row at once run into
_RACES: Final = frozenset({"40001", "40P01", "23505"})
# read_only_sql_transaction: a standby, or a primary that is being replaced
_UNAVAILABLE: Final = frozenset({"25006", "25P03", "25P04"})

_clock: Final = SystemClock()


class PatientConnection(psycopg.Connection[Any]):
    """Waits for an answer as long as ``patience`` says, in seconds; None is for ever.

    libpq alone would wait for ever for a server that is stopped, but whose kernel still answers.
    """

    patience: float | None = ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Run the generator of an operation."""
        return super().wait(self._limited(gen), *args, **options)

    def _limited(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        if self.patience is None:
            return (yield from gen)
        end = _clock.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and _clock.monotonic() > end:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {self.patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer


class PostgresDialect:
    """``postgresql://user:password@host/database``; raises ``ConfigurationError``.

    The option ``schema`` says where the tables are; all others are those of libpq.
    """

    begin_read = None
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

    def __init__(self, url: URL) -> None:
        options = dict(url.query)
        self.schema = _checked(options.pop("schema", SCHEMA))
        self.places = {"schema_translate_map": {None: self.schema}}
        server = f"{_SERVER_SETTINGS} {options.pop('options', '')}".strip()
        self.shown = url.set(query={"schema": self.schema}).render_as_string()
        self._arguments: dict[str, Any] = {**_CONNECT, **options, "options": server}
        _check_options(self._arguments, self.shown)
        self.engine = self._new_engine(url, kept=5, more=15)
        self._lease_engine = self._new_engine(url, kept=1, more=1)
        self._inherited: list[object] = []
        self._known: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()

    def _new_engine(self, url: URL, *, kept: int, more: int) -> Engine:
        engine: Engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg", query={}),
            connect_args=self._arguments,
            isolation_level="AUTOCOMMIT",
            pool_size=kept,
            max_overflow=more,
            pool_timeout=ANSWER_SECONDS,
            pool_use_lifo=True,
            execution_options=self.places,
            # Left to the server, which sends types along; ours are plain.
            use_native_hstore=False,
        )

        @sa.event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _record: Any, args: Any, arguments: Any) -> PatientConnection:
            return PatientConnection.connect(*args, **arguments)

        @sa.event.listens_for(engine, "checkin")
        def hurry_again(connection: PatientConnection | None, _record: Any) -> None:
            if connection is not None:
                connection.patience = PatientConnection.patience

        return engine

    def connect(self) -> Connection:
        """A connection of the pool."""
        return self.engine.connect()

    def connect_for_leases(self) -> Connection:
        """A connection that calls of an application cannot all hold while they wait for locks."""
        return self._lease_engine.connect()

    def connect_apart(self) -> PatientConnection:
        """A connection of psycopg that is not one of the pool, in autocommit mode."""
        server = dict(self.engine.dialect.create_connect_args(self.engine.url)[1])
        return PatientConnection.connect(**server, **self._arguments, autocommit=True)

    def before_opening(self) -> None:
        """Nothing: the first connection tells."""

    def is_missing(self) -> bool:
        """Never: to connect makes no database."""
        return False

    def opened(self) -> None:
        """Nothing: a server does not get lost."""

    def closed(self) -> None:
        """Nothing is kept but connections."""

    def dispose(self) -> None:
        """Close the connections of both pools."""
        self.engine.dispose()
        self._lease_engine.dispose()

    def before_fork(self) -> None:
        """Nothing: a child may inherit what it does not touch."""

    def after_fork_in_parent(self) -> None:
        """Nothing was stopped."""

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        for engine in (self.engine, self._lease_engine):
            self._inherited.append(engine.pool)  # to free its connections would close them
            engine.dispose(close=False)

    def check(self) -> None:
        """Nothing: a server says so itself."""

    def writing(self) -> AbstractContextManager[object]:
        """Nothing: rows are locked, not the database."""
        return nullcontext()

    def take_time(self, db: Connection) -> None:
        """Wait for whoever changes the tables now, and then for the changes."""
        db.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        cast(PatientConnection, db.connection.dbapi_connection).patience = None

    def may_retry(self, error: Exception, attempt: int, waited: float) -> bool:
        """After a race with another transaction: the next try sees what the other has done."""
        return attempt < _ATTEMPTS and getattr(error, "sqlstate", None) in _RACES

    def is_unavailable(self, error: Exception) -> bool:
        """The server is away, starting, stopping, full, or locked for too long."""
        return (
            isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            or getattr(error, "sqlstate", None) in _UNAVAILABLE
        )

    def is_same(self, db: Connection) -> bool:
        """Whether it is a database of this name on a server that was started at this moment."""
        if db.dialect.name != "postgresql":
            return False
        if db.engine not in self._known:
            which = sa.text("SELECT current_database(), pg_postmaster_start_time()")
            with self.engine.connect() as ours:
                self._known[db.engine] = ours.execute(which).one() == db.execute(which).one()
        return self._known[db.engine]

    def insert(self, db: Connection, table: sa.Table, rows: Sequence[Row]) -> list[Any]:
        """Add the rows that meet no other, whoever adds at the same time."""
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        statement = _insert(table, names)
        added: list[Any] = []
        for batch in _batches(rows):
            added += db.scalars(statement, {"rows": batch}, execution_options=self.places)
        return added

    def update(
        self, db: Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]
    ) -> None:
        """One statement for all rows."""
        for batch in _batches(rows):
            db.execute(_update(table, names), {"rows": batch})


def _batches(rows: Sequence[Row]) -> list[str]:
    """The rows as JSON texts; what is None is left out, and comes back as NULL."""
    parts = (rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH))
    return [
        json.dumps([{k: v for k, v in row.items() if v is not None} for row in part])
        for part in parts
    ]


def _given(table: sa.Table, names: tuple[str, ...]) -> TableValuedAlias:
    """The parameter ``rows`` as a table of these columns."""
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
    columns = [sa.column(name, table.c[name].type) for name in names]
    return sa.func.json_to_recordset(rows).table_valued(*columns).render_derived("given", True)


@cache
def _insert(table: sa.Table, names: tuple[str, ...]) -> sa.Executable:
    given = _given(table, names)
    select = sa.select(*(given.c[name] for name in names))
    key = next(iter(table.c))
    return insert(table).from_select(names, select).on_conflict_do_nothing().returning(key)


@cache
def _update(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    key = next(iter(table.c))
    given = _given(table, (key.name, *names))
    return (
        sa.update(table)
        .where(key == given.c[key.name])
        .values({name: given.c[name] for name in names})
    )


def _checked(schema: object) -> str:
    if not isinstance(schema, str) or not 0 < len(schema.encode()) <= _SCHEMA_BYTES:
        raise ConfigurationError(
            f"schema={schema!r} must be one name of 1 to {_SCHEMA_BYTES} bytes"
        )
    if schema.startswith("pg_"):
        raise ConfigurationError(f"schema={schema!r}: names with pg_ belong to PostgreSQL")
    return schema


def _check_options(arguments: Row, shown: str) -> None:
    try:
        conninfo.make_conninfo(**arguments)
    except (psycopg.Error, TypeError) as error:
        raise ConfigurationError(
            f"store={shown}: {error}; give schema=, or options that libpq knows"
        ) from None
