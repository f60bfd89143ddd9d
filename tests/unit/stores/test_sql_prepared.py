"""Statements that are compiled once say the same as SQLAlchemy does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from advanced_scheduler.stores.sql_prepared import Prepared

NUMBERS = sa.Table("numbers", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True))
n = NUMBERS.c.n


@pytest.fixture
def db() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        NUMBERS.create(connection)
        connection.execute(sa.insert(NUMBERS), [{"n": number} for number in range(10)])
        yield connection
    engine.dispose()


@pytest.mark.parametrize("wanted", [[], [3], [1, 2, 3], range(2_000)])
def test_a_list_may_have_any_length(db: sa.Connection, wanted: list[int]) -> None:
    listed = sa.select(n).where(n.in_(sa.bindparam("wanted", expanding=True)))
    found = Prepared(listed).fetch(db, {"wanted": wanted})
    assert found == [(number,) for number in wanted if number < 10]


def test_constants_are_kept(db: sa.Connection) -> None:
    page = sa.select(n).where(n > 2, n < sa.bindparam("end")).order_by(n).limit(2)
    assert Prepared(page).fetch(db, {"end": 4}) == [(3,)]
    assert Prepared(page).fetch(db, {"end": 9}) == [(3,), (4,)]


def test_it_says_which_rows_were_changed(db: sa.Connection) -> None:
    delete = Prepared(sa.delete(NUMBERS).where(n == sa.bindparam("one")))
    assert [delete.run(db, {"one": one}) for one in (1, 1, 2)] == [True, False, True]
