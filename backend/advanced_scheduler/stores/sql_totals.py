"""How the executions of schedules ended: counted from their rows, and kept when those go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..lifecycle import FINAL
from ..models import OF_EXECUTION, TaskStatus, Total
from . import sql_statements as statements
from .rows import micros
from .sql_database import chunks
from .sql_dialect import Dialect
from .sql_schema import executions, records, schedules, totals

_e, _t = executions.c, totals.c
_SECOND: Final = 1_000_000  # in microseconds
_KNOWN: Final = (
    sa.select(schedules.c.schedule_id)
    .where(schedules.c.schedule_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(schedules.c.schedule_id)  # who locks in one order does not deadlock
    .with_for_update(read=True, key_share=True)  # none of them may be removed meanwhile
)
_ADD: Final = (
    sa.update(totals)
    .where(_t.schedule_id == sa.bindparam("of"), _t.status == sa.bindparam("ended"))
    .values(count=_t.count + sa.bindparam("more"), seconds=_t.seconds + sa.bindparam("longer"))
)
_DROP_RECORDS: Final = sa.delete(records).where(
    records.c.kind.in_(sorted(map(str, OF_EXECUTION))),
    records.c.record_id.in_(sa.bindparam("ids", expanding=True)),
)
_LIVE: Final = (
    sa.select(
        _e.status,
        sa.func.count().label("count"),
        (sa.func.coalesce(sa.func.sum(_e.completed_time - _e.started_time), 0) / float(_SECOND)),
    )
    .where(_e.schedule_id == sa.bindparam("id"), _e.status.in_(sorted(map(str, FINAL))))
    .group_by(_e.status)
)
_PRUNED: Final = sa.select(_t.status, _t.count, _t.seconds).where(
    _t.schedule_id == sa.bindparam("id")
)
_TOTALS: Final = sa.union_all(_LIVE, _PRUNED)  # one statement sees one instant


Last: TypeAlias = tuple[int, str]
"""When the newest row in excess ended, and its id."""


class Prunable(NamedTuple):
    """What may go: rows up to ``last``, and what is too old. It stays so, whatever is added."""

    last: Last | None
    old: bool


def prunable(
    db: Connection, *, keep: int, before: datetime, older_than: datetime, last: Last | None
) -> Prunable:
    """Look before a transaction locks.

    To find ``last`` takes as long as the history that is kept, so it is not sought again if given.
    """
    asked = {"older_than": micros(older_than), "before": micros(before)}
    beyond, *old = db.execute(statements.PRUNABLE, asked).one()
    if last is None and beyond:
        found = db.execute(statements.NEWEST_IN_EXCESS, {"keep": keep}).first()
        last = None if found is None else (found[0], found[1])
    return Prunable(last if beyond else None, any(old))


def prune(
    db: Connection, what: Prunable, *, before: datetime, older_than: datetime, limit: int
) -> list[Any]:
    """Delete ended rows; answers id, schedule, status, start and end of each."""
    asked = {"older_than": micros(older_than), "limit": limit}
    pruned = list(db.execute(statements.PRUNE_BY_AGE, asked)) if what.old else []
    if len(pruned) < limit and what.last is not None:
        asked = {"before": micros(before), "limit": limit - len(pruned)}
        last_row = dict(zip(("last_time", "last_id"), what.last, strict=True))
        pruned += db.execute(statements.PRUNE_BY_COUNT, {**asked, **last_row})
    return pruned


def drop_records(db: Connection, pruned: Sequence[Any]) -> None:
    """Delete what belongs to rows that were deleted."""
    for ids in chunks([row[0] for row in pruned]):
        db.execute(_DROP_RECORDS, {"ids": ids})


def add_to_totals(dialect: Dialect, db: Connection, pruned: Sequence[Any]) -> None:
    """Count rows that were deleted, if their schedules are still there."""
    counts: Counter[tuple[str, str]] = Counter()
    lengths: Counter[tuple[str, str]] = Counter()
    for _, schedule_id, status, started, completed in pruned:
        if schedule_id is not None and status in FINAL:
            counts[schedule_id, status] += 1
            lengths[schedule_id, status] += 0 if started is None else completed - started
    known: set[str] = set()
    for ids in chunks(sorted({schedule_id for schedule_id, _ in counts})):
        known.update(db.scalars(_KNOWN, {"ids": ids}))
    keys = sorted(key for key in counts if key[0] in known)
    if keys:
        none = {"count": 0, "seconds": 0.0}
        dialect.insert(db, totals, [{"schedule_id": s, "status": e, **none} for s, e in keys])
        given = ((s, e, counts[s, e], lengths[s, e] / _SECOND) for s, e in keys)
        names = ("of", "ended", "more", "longer")
        db.execute(_ADD, [dict(zip(names, one, strict=True)) for one in given])


def read_totals(db: Connection, schedule_id: str) -> dict[TaskStatus, Total]:
    """How the executions of a schedule ended, those that were pruned as well."""
    found: dict[TaskStatus, Total] = {}
    for name, count, seconds in db.execute(_TOTALS, {"id": schedule_id}):
        status = TaskStatus(name)
        known = found.get(status, Total())
        longer = known.seconds + float(seconds)
        found[status] = Total(count=known.count + count, seconds=longer)
    return found
