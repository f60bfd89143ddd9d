"""The records of the SQL store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..models import Record, RecordKind
from .rows import RECORD, Reader, micros
from .sql_database import SqlDatabase, chunks
from .sql_schema import records

_r = records.c
_ROWS: Final = sa.select(*(_r[name] for name in RECORD.names)).order_by(_r.record_id.desc())
_OURS: Final = (_r.kind == sa.bindparam("of"), _r.record_id == sa.bindparam("id"))
_REPLACE: Final = (
    sa.update(records)
    .where(*_OURS)
    .values(written_time=sa.bindparam("at"), data=sa.bindparam("content"))
)
_REPLACE_EXPECTED: Final = _REPLACE.where(_r.written_time == sa.bindparam("expected"))
_DROP: Final = sa.delete(records).where(
    _r.kind == sa.bindparam("of"), _r.record_id.in_(sa.bindparam("ids", expanding=True))
)
_DROP_EXPECTED: Final = _DROP.where(_r.written_time == sa.bindparam("expected"))
_OLD: Final = (
    sa.select(_r.record_id)
    .where(_r.kind == sa.bindparam("of"), _r.written_time < sa.bindparam("before"))
    .order_by(_r.written_time)
    .limit(sa.bindparam("limit"))
)


class SqlRecords(SqlDatabase):
    """``RecordStore`` on a SQL database."""

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        super().__init__(url, auto_migrate=auto_migrate)
        self._records = Reader("record", RECORD, self._clock)

    def save_record(
        self, record: Record, *, new: bool = False, expected: datetime | None = None
    ) -> bool:
        """Insert or replace; False if it must be new or as ``expected``, and is not."""
        row = RECORD.dump(record)
        change = {
            "of": row["kind"],
            "id": row["record_id"],
            "at": row["written_time"],
            "content": row["data"],
        }

        def work(db: Connection) -> bool:
            if expected is not None:
                seen = {**change, "expected": micros(expected)}
                return bool(db.execute(_REPLACE_EXPECTED, seen).rowcount)
            if not new and db.execute(_REPLACE, change).rowcount:
                return True
            added = bool(self._dialect.insert(db, records, [row]))
            if new or added:
                return added
            return bool(db.execute(_REPLACE, change).rowcount)  # somebody was faster

        return self._write(work)

    def records(
        self,
        kind: RecordKind,
        *,
        ids: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> list[Record]:
        """Records of a kind, by id downwards."""
        statement = _ROWS.where(_r.kind == str(kind)).limit(limit)
        if cursor is not None:
            statement = statement.where(_r.record_id < cursor)
        if ids is not None:
            statement = statement.where(_r.record_id.in_(sorted(ids)))
        found = self._read(lambda db: db.execute(statement).all())
        return self._records.decode([(row, {}) for row in found])

    def drop_records(
        self, kind: RecordKind, ids: Collection[str], *, expected: datetime | None = None
    ) -> int:
        """Delete them."""
        asked: dict[str, Any] = {"of": str(kind)}
        statement = _DROP
        if expected is not None:
            statement, asked["expected"] = _DROP_EXPECTED, micros(expected)

        def work(db: Connection) -> int:
            return sum(
                db.execute(statement, {**asked, "ids": some}).rowcount
                for some in chunks(sorted(set(ids)))
            )

        return self._write(work)

    def drop_records_before(self, kind: RecordKind, before: datetime, limit: int) -> int:
        """Delete what is older, the oldest first."""
        asked = {"of": str(kind), "before": micros(before), "limit": limit}

        def work(db: Connection) -> int:
            old = db.scalars(_OLD, asked).all()
            return sum(
                db.execute(_DROP, {"of": str(kind), "ids": some}).rowcount for some in chunks(old)
            )

        return self._write(work)
