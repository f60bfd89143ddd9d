"""The locks of the SQL store, with fences that never go back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .rows import instant, micros
from .sql_database import Again, SqlDatabase, chunks
from .sql_schema import locks

_l = locks.c
_BY_KEY: Final = sa.select(_l.token, _l.until, _l.fence).where(_l.key == sa.bindparam("wanted"))
_LOCKED_BY_KEYS: Final = (
    sa.select(_l.key, _l.token, _l.until, _l.fence)
    .where(_l.key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(_l.key)  # who locks in one order does not deadlock
    .with_for_update()
)
_CHANGED: Final = ("token", "until", "fence")


class SqlLocks(SqlDatabase):
    """``LockStore`` on a SQL database; the row of a key stays for ever, to remember its fence."""

    def exchange_locks(
        self,
        given: Sequence[tuple[str, str]],
        wanted: Sequence[tuple[str, str, datetime]],
        now: datetime,
    ) -> tuple[list[bool], list[int | None]]:
        """``release_lock`` of the given, then ``acquire_lock`` of the wanted, all or nothing."""

        def work(db: Connection) -> tuple[list[bool], list[int | None]]:
            keys = [key for key, _ in given] + [key for key, *_ in wanted]
            found = _Found(db, set(keys), now)
            freed = [found.release(*one) for one in given]
            fences = [found.acquire(*one) for one in wanted]
            self._save_locks(db, found)
            return freed, fences

        return self._write(work)

    def acquire_lock(self, key: str, token: str, now: datetime, until: datetime) -> int | None:
        """The fence, or None if another token holds the key; asking again changes nothing."""
        return self.exchange_locks([], [(key, token, until)], now)[1][0]

    def extend_lock(self, key: str, token: str, now: datetime, until: datetime) -> bool:
        """Replace the end of a lock that is still ours."""

        def work(db: Connection) -> bool:
            found = _Found(db, [key], now)
            extended = found.extend(key, token, until)
            self._save_locks(db, found)
            return extended

        return self._write(work)

    def release_lock(self, key: str, token: str | None, now: datetime) -> bool:
        """Free a lock that is still ours (``token=None``: whoever holds it)."""

        def work(db: Connection) -> bool:
            found = _Found(db, [key], now)
            freed = found.release(key, token)
            self._save_locks(db, found)
            return freed

        return self._write(work)

    def lock_until(self, key: str, now: datetime) -> datetime | None:
        """When the lock will run out, or None if it is free."""
        row = self._read(lambda db: db.execute(_BY_KEY, {"wanted": key}).first())
        return instant(row.until) if row is not None and _is_held(row, micros(now)) else None

    def lock_fence(self, key: str) -> int:
        """The fence of the last grant; 0 if there was none."""
        row = self._read(lambda db: db.execute(_BY_KEY, {"wanted": key}).first())
        return 0 if row is None else int(row.fence)

    def _save_locks(self, db: Connection, found: _Found) -> None:
        new, old = found.changes()
        if len(self._dialect.insert(db, locks, new)) < len(new):
            raise Again  # somebody else took one of them at the same moment
        self._dialect.update(db, locks, _CHANGED, old)


class _Lock(NamedTuple):
    token: str | None
    until: int | None
    fence: int


class _Found:
    """The locks of some keys: as a transaction found them, and as it leaves them."""

    def __init__(self, db: Connection, keys: Iterable[str], now: datetime) -> None:
        self._now = micros(now)
        self._before: dict[str, _Lock] = {}
        for some in chunks(sorted(keys)):
            for key, *rest in db.execute(_LOCKED_BY_KEYS, {"keys": some}):
                self._before[key] = _Lock(*rest)
        self._after: dict[str, _Lock] = {}

    def acquire(self, key: str, token: str, until: datetime) -> int | None:
        """The fence, or None if another token holds the key."""
        lock = self._lock(key)
        if _is_held(lock, self._now):
            return lock.fence if lock.token == token else None
        self._after[key] = _Lock(token, micros(until), lock.fence + 1)
        return lock.fence + 1

    def extend(self, key: str, token: str, until: datetime) -> bool:
        """Replace the end of a lock that the token holds."""
        lock = self._lock(key)
        if not _is_held(lock, self._now) or lock.token != token:
            return False
        self._after[key] = lock._replace(until=micros(until))
        return True

    def release(self, key: str, token: str | None) -> bool:
        """Free a lock that the token holds (None: whoever holds it)."""
        lock = self._lock(key)
        if not _is_held(lock, self._now) or token not in (None, lock.token):
            return False
        self._after[key] = _Lock(None, None, lock.fence)
        return True

    def changes(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows that are new, and those that have changed."""
        rows = [{"key": key, **lock._asdict()} for key, lock in sorted(self._after.items())]
        new = [row for row in rows if row["key"] not in self._before]
        return new, [row for row in rows if row["key"] in self._before]

    def _lock(self, key: str) -> _Lock:
        return self._after.get(key) or self._before.get(key) or _Lock(None, None, 0)


def _is_held(lock: Any, now: int) -> bool:
    return lock.until is not None and lock.until > now
