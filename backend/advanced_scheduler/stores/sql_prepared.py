"""Statements of SQLAlchemy Core, compiled once and run on the cursor of SQLite's driver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler

from ..serialization import to_json

_DIALECT: Final = SQLiteDialect(paramstyle="qmark")
_LIST: Final = re.compile(r"\(__\[POSTCOMPILE_(\w+)\]\)")


class Prepared:
    """One statement; what SQLAlchemy does at every call, some 50 us, is done here once.

    A parameter that is a list is handed over as one JSON text, so that the text of the
    statement, which the driver keeps prepared, is the same for any number of values.
    """

    def __init__(self, statement: sa.ClauseElement, names: Sequence[str] | None = None) -> None:
        """``names`` are the columns that an INSERT gives values to."""
        compiled = cast(SQLCompiler, statement.compile(dialect=_DIALECT, column_keys=names))
        self._lists = frozenset(_LIST.findall(str(compiled)))
        self._text = _LIST.sub("(SELECT value FROM json_each(?))", str(compiled))
        self._order = tuple(compiled.positiontup or ())  # the driver binds these twice as fast
        self._constants = {k: bind.value for k, bind in compiled.binds.items() if not bind.required}

    def fetch(self, db: Connection, given: Mapping[str, Any]) -> list[Any]:
        """The rows that the statement answers, as tuples."""
        cursor = db.connection.cursor()
        cursor.execute(self._text, self._filled(given))
        return list(cursor.fetchall())

    def run(self, db: Connection, given: Mapping[str, Any]) -> bool:
        """Whether the statement changed anything."""
        cursor = db.connection.cursor()
        cursor.execute(self._text, self._filled(given))
        return bool(cursor.rowcount > 0)

    def _filled(self, given: Mapping[str, Any]) -> list[Any]:
        if self._constants or self._lists:
            lists = {name: to_json(list(given[name])) for name in self._lists}
            given = {**self._constants, **given, **lists}
        return [given[name] for name in self._order]


@cache
def prepared(statement: sa.ClauseElement) -> Prepared:
    """A statement that is built once, such as those of ``sql_statements``."""
    return Prepared(statement)
