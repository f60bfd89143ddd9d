"""Rows on their way to PostgreSQL: one JSON text for a batch, whatever its length."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.selectable import TableValuedAlias

from .sql_dialect import Row

Asked = tuple[sa.Executable, Mapping[str, Any]]
"""A statement that is built once, and its parameters."""

_NOTHING: Final[Mapping[str, Any]] = {}
_BATCH: Final = 5000  # rows in one statement, which must not last long


def text_of(rows: Sequence[Row]) -> str:
    """The rows as a JSON text; what is None is left out, and comes back as NULL."""
    return json.dumps([{k: v for k, v in row.items() if v is not None} for row in rows])


def texts_of(rows: Sequence[Row]) -> list[str]:
    """The same for rows that may be too many for one statement."""
    return [text_of(rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]


def given_rows(
    table: sa.Table,
    names: Sequence[str],
    *,
    parameter: str = "rows",
    more: Mapping[str, sa.types.TypeEngine[Any]] = _NOTHING,
) -> TableValuedAlias:
    """The rows of a parameter as a table of these columns, and of more of these types."""
    text = sa.cast(sa.bindparam(parameter, type_=sa.Text), sa.JSON)
    types = {**{name: table.c[name].type for name in names}, **more}
    columns = [sa.column(name, kind) for name, kind in types.items()]
    alias = f"given_{parameter}"
    return sa.func.json_to_recordset(text).table_valued(*columns).render_derived(alias, True)
