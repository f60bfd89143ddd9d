"""The versions of schedules that the SQL store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .base import VERSIONS_KEPT
from .rows import SCHEDULE, Fetched
from .sql_database import chunks
from .sql_dialect import Dialect, Row
from .sql_schema import schedules, versions

_s, _v = schedules.c, versions.c
_OURS: Final = _v.schedule_id == sa.bindparam("id")
# Missing among the versions where a node of an older release has put it.
_CURRENT: Final = sa.select(*(_s[name] for name in SCHEDULE.names)).where(
    _s.schedule_id == sa.bindparam("id"),
    ~sa.exists().where(_v.schedule_id == _s.schedule_id, _v.version == _s.version),
)
_KEPT: Final = sa.select(*(_v[name] for name in SCHEDULE.names)).where(_OURS)
_ALL: Final = sa.union_all(_KEPT, _CURRENT).order_by("version")
_KEEP_CURRENT: Final = sa.insert(versions).from_select(SCHEDULE.names, _CURRENT)
_FORGET: Final = sa.delete(versions).where(_OURS, _v.version == sa.bindparam("number"))
# A node of an older release leaves them when it removes a schedule.
_FORGET_ALL: Final = sa.delete(versions).where(
    _v.schedule_id.in_(sa.bindparam("ids", expanding=True))
)
_LATEST_TO_GO: Final = (
    sa.select(_v.version).where(_OURS).order_by(_v.version.desc()).offset(VERSIONS_KEPT).limit(1)
)
_TRIM: Final = sa.delete(versions).where(_OURS, _v.version <= _LATEST_TO_GO.scalar_subquery())


def keep_first(dialect: Dialect, db: Connection, rows: Sequence[Row]) -> None:
    """Keep the first version of schedules that were added."""
    for ids in chunks(row["schedule_id"] for row in rows):
        db.execute(_FORGET_ALL, {"ids": ids})
    dialect.insert(db, versions, rows)


def keep_replaced(db: Connection, schedule_id: str) -> None:
    """Keep what is about to be replaced, if a node of an older release has put it."""
    db.execute(_KEEP_CURRENT, {"id": schedule_id})


def keep(dialect: Dialect, db: Connection, row: Row) -> None:
    """Keep a version that was put, and of the others the latest."""
    db.execute(_FORGET, {"id": row["schedule_id"], "number": row["version"]})
    dialect.insert(db, versions, [row])
    db.execute(_TRIM, {"id": row["schedule_id"]})


def read_versions(db: Connection, schedule_id: str) -> list[Fetched]:
    """All versions that are kept of a schedule, and the current one, oldest first."""
    return [(row, {}) for row in db.execute(_ALL, {"id": schedule_id})]
