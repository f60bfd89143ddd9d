"""Old rows go, in batches; names and dates are what the database says they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from advanced_scheduler.cleanup import MOST_ROWS, delete_rows
from advanced_scheduler.errors import InvalidArguments, StoreError, StoreUnavailable

NOW: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind, with nothing in it."""
    if request.param == "sqlite":
        path = tmp_path / "app.db"
        sqlite3.connect(path).close()
        path.touch()
        yield f"sqlite:///{path}"
        return
    given: str = request.getfixturevalue("postgres_schema")
    schema = given.rpartition("=")[2]
    with engine_of(given) as engine, engine.begin() as db:
        db.execute(sa.schema.CreateSchema(schema))
    yield given


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the SQLite file ``app.db`` in the folder of the test."""
    with sqlite3.connect(tmp_path / "app.db") as db:
        yield db
    db.close()


class engine_of:  # noqa: N801  # reads as a function
    """An engine on ``url`` for a while, that finds the tables of its schema first."""

    def __init__(self, url: str) -> None:
        plain, _, schema = url.partition("?schema=")
        path = {"options": f"-c search_path={schema}"} if schema else {}
        plain = plain.replace("postgresql:", "postgresql+psycopg:")
        self.engine = sa.create_engine(plain, connect_args=path)

    def __enter__(self) -> Engine:
        return self.engine

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()


def fill(url: str, name: str, columns: list[sa.Column[Any]], rows: list[dict[str, Any]]) -> None:
    """Make a table with these rows."""
    table = sa.Table(name, sa.MetaData(), *columns)
    with engine_of(url) as engine, engine.begin() as db:
        table.create(db)
        if rows:
            db.execute(table.insert(), rows)


def column(url: str, name: str, of: str) -> list[Any]:
    """All values of one column, in order."""
    table = sa.table(name, sa.column(of))
    with engine_of(url) as engine, engine.connect() as db:
        return list(db.execute(sa.select(table.c[of]).order_by(table.c[of])).scalars())


def sessions(url: str, count: int = 10) -> None:
    """A table of sessions, one of which ran out each hour before NOW, and one each hour after."""
    fill(
        url,
        "user_sessions",
        [
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("expires_at", sa.DateTime(timezone=True)),
        ],
        [{"id": n, "expires_at": NOW + (n - count) * HOUR} for n in range(2 * count)],
    )


def delete(url: str | Engine, **changes: Any) -> int:
    """``delete_rows`` of the table of sessions, but for ``changes``."""
    asked = {"table_name": "user_sessions", "date_column": "expires_at", "before": NOW, **changes}
    return delete_rows(url, **asked)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 100])
def test_rows_before_the_instant_go_whatever_the_batches(url: str, batch_size: int) -> None:
    sessions(url)
    assert delete(url, batch_size=batch_size) == 10
    assert column(url, "user_sessions", "id") == list(range(10, 20))
    assert delete(url, batch_size=batch_size) == 0


def test_each_batch_is_a_transaction_of_its_own(url: str) -> None:
    sessions(url)
    deleted, begun = [], []
    with engine_of(url) as engine:
        sa.event.listen(engine, "begin", lambda _: begun.append(True))

        @sa.event.listens_for(engine, "after_cursor_execute")
        def count(_db: Any, cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("DELETE"):
                deleted.append(cursor.rowcount)

        assert delete(engine, batch_size=4) == 10
    assert deleted == [4, 4, 2]
    assert len(begun) >= len(deleted)


def test_batches_that_are_through_stay_when_a_later_one_is_refused(url: str) -> None:
    sessions(url)
    with engine_of(url) as engine:
        refuse_to_delete(engine, 7)
        with pytest.raises(StoreError, match=r"7 is kept.*\(6 rows were deleted\)"):
            delete(url, batch_size=2)
    assert column(url, "user_sessions", "id") == list(range(6, 20))


def refuse_to_delete(engine: Engine, row: int) -> None:
    """Let the database itself raise an error for this row."""
    with engine.begin() as db:
        if engine.name == "sqlite":
            db.exec_driver_sql(
                "CREATE TRIGGER keep BEFORE DELETE ON user_sessions "
                f"WHEN OLD.id = {row} BEGIN SELECT RAISE(ABORT, '{row} is kept'); END"
            )
            return
        db.exec_driver_sql(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF OLD.id = {row} THEN RAISE EXCEPTION '{row} is kept'; END IF; "
            "RETURN OLD; END $$"
        )
        db.exec_driver_sql(
            "CREATE TRIGGER keep BEFORE DELETE ON user_sessions "
            "FOR EACH ROW EXECUTE FUNCTION keep()"
        )


def test_a_row_that_lives_longer_meanwhile_stays(url: str) -> None:
    sessions(url)
    seen: list[str] = []
    table = sa.table("user_sessions", sa.column("id"), sa.column("expires_at"))
    later = sa.literal(NOW + HOUR, sa.DateTime(timezone=True))
    extend = sa.update(table).where(table.c.id == 3).values(expires_at=later)
    with engine_of(url) as engine, engine_of(url) as other:

        @sa.event.listens_for(engine, "after_cursor_execute")
        def see(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        @sa.event.listens_for(engine, "begin")
        def act(_: Any) -> None:
            if seen and "ORDER BY user_sessions.id" in seen[-1]:  # found, and about to be deleted
                with other.begin() as db:
                    db.execute(extend)

        assert delete(engine) == 9
    assert column(url, "user_sessions", "id") == [3, *range(10, 20)]


@pytest.mark.parametrize("key", [["a", "b"], []])
def test_rows_have_any_key_or_none(url: str, key: list[str]) -> None:
    fill(
        url,
        "t",
        [
            sa.Column("b", sa.String, primary_key="b" in key),
            sa.Column("a", sa.String, primary_key="a" in key),
            sa.Column("at", sa.DateTime),
        ],
        [
            {"a": f"a{n % 3}", "b": f"b{n}", "at": NOW.replace(tzinfo=None) + (n - 7) * HOUR}
            for n in range(14)
        ],
    )
    assert delete(url, table_name="t", date_column="at", batch_size=2) == 7
    assert column(url, "t", "b") == sorted(f"b{n}" for n in range(7, 14))


NAIVE: Final = NOW.replace(tzinfo=None)
CALENDAR: Final = [
    ("2020-02-29", "2020-02-31"),
    ("2000-02-29 10:00", "1900-02-29 10:00"),
    ("2020-04-30", "2020-04-31"),
    ("2020-12-31T23:59:59.9Z", "2020-13-01T00:00Z"),
    ("2020-01-31T23:59+14:00", "2020-01-00T23:59+14:00"),
    ("2020-01-31T00:00-00:30", "2020-01-31T00:00+99:00"),
    ("2020-01-31 23:59:59", "2020-01-31 25:00:00"),
]
"""Texts of days that there were, and such that look like it."""


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (sa.DateTime(), NAIVE - HOUR, NAIVE),
        (sa.DateTime(timezone=True), NOW - HOUR, NOW),
        (sa.Date(), (NOW - timedelta(days=1)).date(), (NOW + timedelta(days=1)).date()),
        (sa.Integer(), int(NOW.timestamp()) - 1, int(NOW.timestamp())),
        (sa.Float(53), NOW.timestamp() - 0.25, NOW.timestamp()),
        (sa.Integer(), 1, 0),
        (sa.String(50), "2029-12-31", "2030-01-02"),
        (sa.Text(), "2030-01-01T11:59:59.5Z", "2030-01-01T12:00:00.000Z"),
        (sa.Text(), "2030-01-01T12:30:00+01:00", "2030-01-01T11:30:00-01:00"),
        (sa.Text(), "2030-01-01 11:59", "2030-01-01 12:00"),
        (sa.Text(), "2029-12-31 23:59:59", "now"),
        (sa.Text(), "2029-12-31 23:59:59", "00:30"),
        (sa.Text(), "2029-12-31 23:59:59", "2000-01-01 or so"),
        (sa.Text(), "2029-12-31 23:59:59", "1"),
        *((sa.Text(), fine, wrong) for fine, wrong in CALENDAR),
    ],
)
def test_a_column_says_when_in_any_usual_way(
    url: str, kind: sa.types.TypeEngine[Any], old: object, new: object
) -> None:
    fill(
        url,
        "t",
        [sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", kind)],
        [{"id": 1, "at": old}, {"id": 2, "at": new}, {"id": 3, "at": None}],
    )
    assert delete(url, table_name="t", date_column="at") == 1
    assert column(url, "t", "id") == [2, 3]


@pytest.mark.parametrize("kind", [sa.Boolean(), sa.LargeBinary(), sa.JSON(), sa.Time()])
def test_a_column_that_holds_no_dates_is_refused(url: str, kind: sa.types.TypeEngine[Any]) -> None:
    fill(url, "t", [sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", kind)], [])
    with pytest.raises(InvalidArguments, match=r"'at' is of the type .* which holds no dates"):
        delete(url, table_name="t", date_column="at")


HOSTILE: Final = 'user"; DROP TABLE x; --'


def test_names_are_compared_with_the_catalogue_and_never_pasted(url: str) -> None:
    fill(
        url,
        HOSTILE,
        [sa.Column("id", sa.Integer, primary_key=True), sa.Column(HOSTILE, sa.DateTime)],
        [{"id": 1, HOSTILE: NAIVE - HOUR}, {"id": 2, HOSTILE: NAIVE}],
    )
    assert delete(url, table_name=HOSTILE, date_column=HOSTILE) == 1
    assert column(url, HOSTILE, "id") == [2]


@pytest.mark.parametrize(
    "name",
    ["sessions", "user_sessions; DROP TABLE user_sessions", "a.b", ".", "", "USER_SESSIONS", 7],
)
def test_an_unknown_table_is_named_with_those_that_exist(url: str, name: object) -> None:
    sessions(url)
    with pytest.raises(InvalidArguments, match="it has 'user_sessions'") as refused:
        delete(url, table_name=name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ["expires", "expires_at OR 1=1", "1", "", None])
def test_an_unknown_column_is_named_with_those_that_exist(url: str, name: object) -> None:
    sessions(url)
    with pytest.raises(InvalidArguments, match="it has 'id', 'expires_at'") as refused:
        delete(url, date_column=name)
    assert repr(name) in str(refused.value)
    assert len(column(url, "user_sessions", "id")) == 20


def test_the_numbers_of_the_rows_are_no_dates(url: str) -> None:
    sessions(url)
    with pytest.raises(InvalidArguments, match="date_column='id' holds the numbers of the rows"):
        delete(url, date_column="id")
    assert len(column(url, "user_sessions", "id")) == 20


def test_a_table_may_be_named_with_its_schema(postgres_schema: str) -> None:
    plain, _, schema = postgres_schema.partition("?schema=")
    with engine_of(postgres_schema) as engine, engine.begin() as db:
        db.execute(sa.schema.CreateSchema(schema))
    sessions(postgres_schema)
    with pytest.raises(InvalidArguments, match="'user_sessions' is no table"):
        delete(plain)
    assert delete(plain, table_name=f"{schema}.user_sessions") == 10


def test_keys_of_postgresql_keep_their_type_and_order(postgres_schema: str) -> None:
    with engine_of(postgres_schema) as engine, engine.begin() as db:
        db.execute(sa.schema.CreateSchema(postgres_schema.partition("?schema=")[2]))
    for name, kind, made in [
        ("by_uuid", "uuid", "gen_random_uuid()"),
        ("by_inet", "inet", "('10.0.0.' || n)::inet"),
        ("by_time", "timestamptz", "now() + n * interval '1 hour'"),
        ("by_numbers", "int[]", "ARRAY[n, 100000 * n]"),
        ("by_object", "jsonb", "jsonb_build_object('n', n)"),
        ("by_float", "float8", "n / 3.0"),
        ("by_letters", "char(5)", "'a' || n"),
        ("by_bytes", "bytea", "decode(lpad(n::text, 4, '0'), 'hex')"),
    ]:
        with engine_of(postgres_schema) as engine, engine.begin() as db:
            db.exec_driver_sql(f"CREATE TABLE {name} (id {kind} PRIMARY KEY, at timestamptz)")
            db.exec_driver_sql(
                f"INSERT INTO {name} SELECT {made}, timestamptz '2030-01-01 12:00Z' "
                "+ (n - 20) * interval '1 hour' FROM generate_series(0, 39) n"
            )
        assert delete(postgres_schema, table_name=name, date_column="at", batch_size=7) == 20


def test_a_table_of_sqlite_without_row_ids_has_a_key(
    lite: sqlite3.Connection, tmp_path: Path
) -> None:
    lite.execute("CREATE TABLE t (k TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID")
    lite.executemany("INSERT INTO t VALUES (?, '2000-01-01')", [(f"k{n}",) for n in range(9)])
    lite.commit()
    url = f"sqlite:///{tmp_path}/app.db"
    assert delete(url, table_name="t", date_column="at", batch_size=2) == 9


def test_keys_of_sqlite_that_are_null_or_of_mixed_types_hide_no_row(
    lite: sqlite3.Connection, tmp_path: Path
) -> None:
    lite.execute("CREATE TABLE t (k TEXT PRIMARY KEY, rowid TEXT, at TEXT)")
    lite.executemany(
        "INSERT INTO t VALUES (?, 'x', '2000-01-01')", [(None,), (None,), ("a",), (b"\x00",)]
    )
    lite.commit()
    url = f"sqlite:///{tmp_path}/app.db"
    assert delete(url, table_name="t", date_column="at", batch_size=1) == 4


def test_a_column_of_sqlite_may_hold_numbers_among_texts(
    lite: sqlite3.Connection, tmp_path: Path
) -> None:
    lite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME)")
    values = [int(NOW.timestamp()) + 5, int(NOW.timestamp()) - 5, "2030-01-01T11:00:00", "later"]
    lite.executemany("INSERT INTO t (at) VALUES (?)", [(one,) for one in values])
    lite.commit()
    assert delete(f"sqlite:///{tmp_path}/app.db", table_name="t", date_column="at") == 2
    assert lite.execute("SELECT id FROM t").fetchall() == [(1,), (4,)]


@pytest.mark.parametrize("size", [0, -1, MOST_ROWS + 1, True, 1.5, "10", None])
def test_a_batch_has_from_one_to_ten_thousand_rows(size: object) -> None:
    with pytest.raises(InvalidArguments, match="batch_size="):
        delete("sqlite:///never.db", batch_size=size)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="no time zone"):
        delete("sqlite:///never.db", before=NAIVE)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidArguments, match="no such file"):
        delete(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["", "secret@nowhere", "mysql://me:secret@host/db"])
def test_a_database_of_another_kind_is_refused_and_no_password_shown(given: str) -> None:
    with pytest.raises(InvalidArguments, match="database is") as refused:
        delete(given)
    assert "secret" not in str(refused.value)


def test_a_database_that_is_locked_may_be_asked_again(
    lite: sqlite3.Connection, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    sessions(url)
    lite.execute("BEGIN EXCLUSIVE")
    engine = sa.create_engine(url, connect_args={"timeout": 0})
    with pytest.raises(StoreUnavailable, match="locked"):
        delete(engine)
    engine.dispose()
    lite.rollback()
    assert delete(url) == 10
