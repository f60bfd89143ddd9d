"""Owns the question whether a row is too old, whichever way its column says when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from ..errors import InvalidArguments

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_DATE: Final = (
    r"^(?!0000)("
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
    r"|\d{4}-(0[13-9]|1[0-2])-(29|30)"
    r"|\d{4}-(0[13578]|1[02])-31"
    r"|(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
    r")"
)
_TIME: Final = r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.]\d+)?)?"
_LOCAL: Final = f"{_DATE}({_TIME})?$"
_ZONED: Final = rf"{_DATE}{_TIME} ?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)$"


def is_expired(
    dialect: str, column: sa.ColumnElement[Any], kind: Any, before: datetime
) -> sa.ColumnElement[bool]:
    """Whether ``column``, of the type ``kind``, is before ``before`` (UTC).

    Raises ``InvalidArguments`` for a type that holds no dates.
    """
    if isinstance(kind, sa.Boolean | sa.LargeBinary | sa.JSON | sa.Time | sa.Interval | sa.Uuid):
        raise _no_date(column, kind)
    if dialect == "sqlite":
        return _in_sqlite(column, before)
    typed = sa.type_coerce(column, kind)
    if isinstance(kind, sa.DateTime):
        return typed < (before if kind.timezone else before.replace(tzinfo=None))
    if isinstance(kind, sa.Date):
        return typed < before.date()
    if isinstance(kind, sa.Integer | sa.Numeric | sa.Float):
        return sa.and_(typed > 0, typed < sa.literal(before.timestamp(), sa.Double))
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum):
        return _text_in_postgresql(column, before)
    raise _no_date(column, kind)


def _in_sqlite(column: sa.ColumnElement[Any], before: datetime) -> sa.ColumnElement[bool]:
    """By what each row holds: the type of a column binds nobody, and any number is below any text.

    SQLite reads a text that has the time alone, or "now", as a date of today, and goes on into
    the next month where one is too short.
    """
    held = sa.func.typeof(column)
    number = sa.and_(held.in_(["integer", "real"]), column > 0, column < before.timestamp())
    moment = sa.func.julianday(before.isoformat(" ", "milliseconds"))
    day = sa.func.substr(column, 1, 10)
    is_date = sa.and_(column.op("GLOB")(f"{_DAY}*"), sa.func.date(day, "+0 days") == day)
    return sa.or_(number, sa.and_(held == "text", is_date, sa.func.julianday(column) < moment))


def _text_in_postgresql(column: sa.ColumnElement[Any], before: datetime) -> sa.ColumnElement[bool]:
    """CASE, as PostgreSQL may else cast first, and fail at a text that is no date.

    One such text would keep all rows, so what is cast has to be in the calendar as well.
    """
    text = sa.cast(column, sa.Text)
    in_utc = sa.func.timezone("UTC", sa.cast(text, sa.DateTime))
    moment = sa.case(
        (text.regexp_match(_LOCAL), in_utc),
        (text.regexp_match(_ZONED), sa.cast(text, sa.DateTime(timezone=True))),
    )
    return moment < sa.literal(before, sa.DateTime(timezone=True))


def _no_date(column: sa.ColumnElement[Any], kind: Any) -> InvalidArguments:
    return InvalidArguments(
        f"date_column={column.key!r} is of the type {kind}, which holds no dates; use a date, "
        "a timestamp, seconds since 1970, or ISO 8601 text"
    )
