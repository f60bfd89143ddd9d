"""PostgreSQL through psycopg: rows as one JSON text for a batch, and no wait without an end."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from operator import itemgetter
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL, Connection, Engine

from ..clock import SystemClock
from ..errors import ConfigurationError
from .sql_dialect import Row
from .sql_json import Asked, given_rows, texts_of

try:
    import psycopg
    from psycopg import conninfo
    from psycopg.sql import SQL, Identifier
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
_ATTEMPTS: Final = 8
_FRESH_SECONDS: Final = 1.0  # a connection that was used so lately is not asked if it is alive
_AT_ONCE_SECONDS: Final = 1.0  # whoever has waited longer is not asked to wait for another

_SERVER_SETTINGS: Final = (
    "-c statement_timeout=12s -c lock_timeout=8s -c idle_in_transaction_session_timeout=12s "
    # Every statement has its index. A plan is kept, and one for an empty table that reads all of
    # it would be kept as well when thousands of rows have come. So would one that reads all of an
    # index for a join.
    "-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off "
    # For the statements that no BEGIN says this of.
    r"-c default_transaction_isolation=read\ committed -c default_transaction_read_only=off"
)
# To plan a claim takes as long as to run it (0.5 ms), and a plan for a known LIMIT looks cheaper.
_SAME_PLANS: Final = "-c plan_cache_mode=force_generic_plan"
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
    used = 0.0  # when, on the monotonic clock, it was given back

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
        self.engine = self._new_engine(url, kept=4, more=11)
        self._lease_engine = self._new_engine(url, kept=1, more=1)
        self._work_engine = self._new_engine(url, kept=1, more=4, options=_SAME_PLANS)
        self._engines = (self.engine, self._lease_engine, self._work_engine)
        self._inherited: list[object] = []
        self._known: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()
        self._texts: dict[sa.Executable, tuple[str, Row]] = {}

    def _new_engine(self, url: URL, *, kept: int, more: int, options: str = "") -> Engine:
        server = f"{options} {self._arguments['options']}"
        engine: Engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg", query={}),
            connect_args={**self._arguments, "options": server},
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
            connection = PatientConnection.connect(*args, **arguments)
            connection.used = _clock.monotonic()
            return connection

        @sa.event.listens_for(engine, "checkout")
        def ask(connection: PatientConnection, _record: Any, _fairy: Any) -> None:
            began = _clock.monotonic()
            if began - connection.used > _FRESH_SECONDS:
                try:
                    connection.execute("SELECT 1")
                except psycopg.Error as error:
                    if _clock.monotonic() - began > _AT_ONCE_SECONDS:
                        raise
                    raise sa.exc.DisconnectionError("closed since its last use") from error

        @sa.event.listens_for(engine, "checkin")
        def rest(connection: PatientConnection | None, _record: Any) -> None:
            if connection is not None:
                connection.patience = PatientConnection.patience
                connection.used = _clock.monotonic()

        return engine

    def connect(self) -> Connection:
        """A connection of the pool."""
        return self.engine.connect()

    def connect_for_leases(self) -> Connection:
        """A connection that calls of an application cannot all hold while they wait for locks."""
        return self._lease_engine.connect()

    def connect_for_work(self) -> Connection:
        """A connection for what each execution needs: its statements are planned once."""
        return self._work_engine.connect()

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
        """Close the connections of all pools."""
        for engine in self._engines:
            engine.dispose()

    def before_fork(self) -> None:
        """Nothing: a child may inherit what it does not touch."""

    def after_fork_in_parent(self) -> None:
        """Nothing was stopped."""

    def after_fork_in_child(self) -> None:
        """Use nothing of the parent process."""
        for engine in self._engines:
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

    def commits_at_once(self, db: Connection) -> bool:
        """Whether the driver says so, as each of them does."""
        return bool(getattr(db.connection.dbapi_connection, "autocommit", False))

    def send(self, db: Connection, asked: Sequence[Asked]) -> list[list[Any]]:
        """Run statements in one round trip, as one transaction; answers the rows of each.

        ``db`` is in no transaction. They go to the driver as texts: to have SQLAlchemy run them
        costs more than to run them.
        """
        connection = cast(PatientConnection, db.connection.dbapi_connection)
        try:
            with connection.pipeline() if len(asked) > 1 else nullcontext():
                cursors = [
                    connection.execute(text, {**constants, **given})
                    for statement, given in asked
                    for text, constants in (self._text(statement),)
                ]
            return [one.fetchall() if _has_rows(one) else [] for one in cursors]
        except psycopg.Error:
            if connection.closed:
                db.invalidate()
            raise

    def copy(
        self, db: Connection, tables: Mapping[sa.Table, Sequence[Row]], then: Sequence[Asked]
    ) -> bool:
        """Add all rows, each with the same columns, and run the statements, in one transaction.

        False, and nothing is added, where a row meets another. Three times as fast as an INSERT:
        the server takes rows in while the next ones are written, and parses no JSON.
        """
        connection = cast(PatientConnection, db.connection.dbapi_connection)
        try:
            with connection.transaction():
                for table, rows in tables.items():
                    self._copy(connection, table, rows)
                for statement, given in then:
                    text, constants = self._text(statement)
                    connection.execute(text, {**constants, **given})
        except (psycopg.errors.UniqueViolation, UnicodeError):
            return False  # an INSERT says which row it was, and what is wrong with a text
        except psycopg.Error:
            if connection.closed:
                db.invalidate()
            raise
        return True

    def _copy(self, connection: PatientConnection, table: sa.Table, rows: Sequence[Row]) -> None:
        names = list(
            dict.fromkeys(name for row in rows for name, it in row.items() if it is not None)
        )
        into = SQL("COPY {} ({}) FROM STDIN").format(
            Identifier(self.schema, table.name), SQL(", ").join(map(Identifier, names))
        )
        values = itemgetter(*names)
        with connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(values(row))

    def _text(self, statement: sa.Executable) -> tuple[str, Row]:
        """A statement as the driver takes it, and its constants: compiled once."""
        if statement not in self._texts:
            compiled = cast(sa.sql.ClauseElement, statement).compile(
                dialect=self.engine.dialect,
                schema_translate_map=self.places["schema_translate_map"],
                render_schema_translate=True,
            )
            self._texts[statement] = str(compiled), compiled.params
        return self._texts[statement]

    def insert(self, db: Connection, table: sa.Table, rows: Sequence[Row]) -> list[Any]:
        """Add the rows that meet no other, whoever adds at the same time."""
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        statement = _insert(table, names)
        added: list[Any] = []
        for text in texts_of(rows):
            added += db.scalars(statement, {"rows": text}, execution_options=self.places)
        return added

    def update(
        self, db: Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]
    ) -> None:
        """One statement for all rows."""
        for text in texts_of(rows):
            db.execute(_update(table, names), {"rows": text})


@cache
def _insert(table: sa.Table, names: tuple[str, ...]) -> sa.Executable:
    given = given_rows(table, names)
    select = sa.select(*(given.c[name] for name in names))
    key = next(iter(table.c))
    return insert(table).from_select(names, select).on_conflict_do_nothing().returning(key)


@cache
def _update(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    key = next(iter(table.c))
    given = given_rows(table, (key.name, *names))
    return (
        sa.update(table)
        .where(key == given.c[key.name])
        .values({name: given.c[name] for name in names})
    )


def _has_rows(cursor: psycopg.Cursor[Any]) -> bool:
    """Not by its description, for which an object is made of each column (0.05 ms a claim)."""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


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
