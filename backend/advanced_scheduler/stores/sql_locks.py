"""The locks of the SQL store, with fences that never go back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .rows import instant, micros
from .sql_database import Again, SqlDatabase
from .sql_schema import locks

_l = locks.c
_BY_KEY: Final = sa.select(_l.token, _l.until, _l.fence).where(_l.key == sa.bindparam("wanted"))
_LOCKED_BY_KEY: Final = _BY_KEY.with_for_update()
_UPDATE: Final = (
    sa.update(locks)
    .where(_l.key == sa.bindparam("wanted"))
    .values(token=sa.bindparam("by"), until=sa.bindparam("end"), fence=sa.bindparam("number"))
)


class SqlLocks(SqlDatabase):
    """``LockStore`` on a SQL database; the row of a key stays for ever, to remember its fence."""

    def acquire_lock(self, key: str, token: str, now: datetime, until: datetime) -> int | None:
        """The fence, or None if another token holds the key; asking again changes nothing."""

        def work(db: Connection) -> int | None:
            row = db.execute(_LOCKED_BY_KEY, {"wanted": key}).first()
            if row is None:
                new = {"key": key, "token": token, "until": micros(until), "fence": 1}
                if not self._dialect.insert(db, locks, [new]):
                    raise Again  # somebody else took it at the same moment
                return 1
            if _is_held(row, now):
                return row.fence if row.token == token else None
            _save(db, key, token, until, row.fence + 1)
            return int(row.fence + 1)

        return self._write(work)

    def extend_lock(self, key: str, token: str, now: datetime, until: datetime) -> bool:
        """Replace the end of a lock that is still ours."""

        def work(db: Connection) -> bool:
            row = db.execute(_LOCKED_BY_KEY, {"wanted": key}).first()
            if row is None or not _is_held(row, now) or row.token != token:
                return False
            _save(db, key, token, until, row.fence)
            return True

        return self._write(work)

    def release_lock(self, key: str, token: str | None, now: datetime) -> bool:
        """Free a lock that is still ours (``token=None``: whoever holds it)."""

        def work(db: Connection) -> bool:
            row = db.execute(_LOCKED_BY_KEY, {"wanted": key}).first()
            if row is None or not _is_held(row, now) or token not in (None, row.token):
                return False
            _save(db, key, None, None, row.fence)
            return True

        return self._write(work)

    def lock_until(self, key: str, now: datetime) -> datetime | None:
        """When the lock will run out, or None if it is free."""
        row = self._read(lambda db: db.execute(_BY_KEY, {"wanted": key}).first())
        return instant(row.until) if row is not None and _is_held(row, now) else None

    def lock_fence(self, key: str) -> int:
        """The fence of the last grant; 0 if there was none."""
        row = self._read(lambda db: db.execute(_BY_KEY, {"wanted": key}).first())
        return 0 if row is None else int(row.fence)


def _is_held(row: Any, now: datetime) -> bool:
    return row.until is not None and row.until > micros(now)


def _save(db: Connection, key: str, token: str | None, until: datetime | None, fence: int) -> None:
    end = None if until is None else micros(until)
    db.execute(_UPDATE, {"wanted": key, "by": token, "end": end, "number": fence})
