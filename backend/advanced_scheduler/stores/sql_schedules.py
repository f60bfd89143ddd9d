"""The schedules of the SQL store and the ledger of their ticks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..models import Schedule, TaskExecution, Tick
from .base import Firing, Signal
from .rows import SCHEDULE, TICK, Fetched, Reader, micros, nearest, write
from .sql_database import Again, SqlDatabase, chunks
from .sql_dialect import Dialect
from .sql_executions import Vacancy, due_soon, insert
from .sql_schema import schedules, ticks

_s, _t = schedules.c, ticks.c
_ROWS: Final = sa.select(*(_s[name] for name in SCHEDULE.names))
_ON_TIME: Final = sa.and_(_s.paused == sa.literal_column("0"), _s.next_fire_time.is_not(None))
_STATES: Final = (
    sa.select(_s.schedule_id, _s.next_fire_time, _s.version, _s.paused, _s.last_fire_time)
    .where(_s.schedule_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_s.schedule_id)  # who locks in one order does not deadlock
    .with_for_update()
)
_TICKS: Final = sa.select(*(_t[name] for name in TICK.names))
_RECORDED: Final = sa.select(_t.schedule_id, _t.instant).where(
    sa.tuple_(_t.schedule_id, _t.instant).in_(sa.bindparam("keys", expanding=True))
)


class SqlSchedules(SqlDatabase):
    """``ScheduleStore`` on a SQL database."""

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        super().__init__(url, auto_migrate=auto_migrate)
        self._schedules = Reader("schedule", SCHEDULE, self._clock)
        self._ticks = Reader("tick of schedule", TICK, self._clock)

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected."""
        columns = SCHEDULE.dump(schedule)
        ours = _s.schedule_id == schedule.schedule_id

        def work(db: Connection) -> bool:
            state = sa.select(_s.version, _s.next_fire_time).where(ours).with_for_update()
            found = db.execute(state).first()
            if (None if found is None else tuple(found)) != _state(expected):
                return False
            if expected is None:
                return bool(self._dialect.insert(db, schedules, [columns]))
            db.execute(sa.update(schedules).where(ours), columns)
            return True

        return self._write(work)

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        ordered = _ROWS.order_by(_s.schedule_id)
        if ids is None:
            return self._read(lambda db: self._load(db, ordered))
        parts = [ordered.where(_s.schedule_id.in_(some)) for some in chunks(sorted(set(ids)))]
        return self._read(lambda db: [one for part in parts for one in self._load(db, part)])

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule; its ticks stay."""
        delete = sa.delete(schedules).where(_s.schedule_id == schedule_id)
        return self._write(lambda db: db.execute(delete).rowcount == 1)

    def due(self, now: datetime, limit: int) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        due = _ROWS.where(_ON_TIME, _s.next_fire_time <= micros(now)).limit(limit)
        ordered = due.order_by(_s.next_fire_time, _s.schedule_id)
        return self._read(lambda db: self._load(db, ordered))

    def next_fire(self) -> datetime | None:
        """The earliest next fire time of a schedule that is not paused."""
        first = sa.select(sa.func.min(_s.next_fire_time)).where(_ON_TIME)
        return nearest(self._read(lambda db: db.scalar(first)))

    def fire(self, firings: Sequence[Firing]) -> list[bool]:
        """Advance each schedule, write its ticks and add its executions, in one step each."""

        def work(db: Connection) -> list[bool]:
            step = _Step(db, firings)
            fired = [step.take(firing) for firing in firings]
            step.write(db, self._dialect)
            if due_soon(step.executions, self._clock.now()):
                self._tell(db, Signal.WORK)
            return fired

        return self._write(work) if firings else []

    def ticks(
        self, schedule_id: str, start: datetime, end: datetime, limit: int = 1000
    ) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        between = _TICKS.where(
            _t.schedule_id == schedule_id, _t.instant >= micros(start), _t.instant < micros(end)
        )
        page = between.order_by(_t.instant).limit(limit)
        return self._ticks.decode(self._read(lambda db: [(row, {}) for row in db.execute(page)]))

    def _load(self, db: Connection, statement: sa.Select[Any]) -> list[Schedule]:
        def fetch(skip: list[str]) -> list[Fetched]:
            rows = db.execute(statement.where(_s.schedule_id.not_in(skip)) if skip else statement)
            return [(row, {}) for row in rows]

        return self._schedules.read(fetch)


class _Step:
    """What a batch of firings writes: each is taken as a whole or not at all."""

    def __init__(self, db: Connection, firings: Sequence[Firing]) -> None:
        found = (
            db.execute(_STATES, {"ids": ids})
            for ids in chunks(sorted(one.schedule_id for one in firings))
        )
        rows = [row for some in found for row in some]
        self._states = {row.schedule_id: tuple(row)[1:4] for row in rows}
        self._last = {row.schedule_id: row.last_fire_time for row in rows}
        self._recorded: set[tuple[str, int]] = set()
        for keys in chunks(_key(tick) for firing in firings for tick in firing.ticks):
            self._recorded.update((row[0], row[1]) for row in db.execute(_RECORDED, {"keys": keys}))
        self._vacancy = Vacancy(db, [row for firing in firings for row in firing.executions])
        self._taken: list[Firing] = []

    def take(self, firing: Firing) -> bool:
        """Whether the firing is part of the step."""
        one, keys = firing.schedule_id, {_key(tick) for tick in firing.ticks}
        *state, paused = self._states.get(one, (None, None, 1))
        if (
            state != [micros(firing.expected), firing.version]
            or (paused and firing.executions)
            or keys & self._recorded
            or not self._vacancy.take(firing.executions)
        ):
            return False
        following = write("next_fire_time", firing.next_fire_time)
        self._states[one] = (following, firing.version, paused)
        self._recorded |= keys
        self._last[one] = max((at for _, at in keys), default=self._last[one])
        self._taken.append(firing)
        return True

    @property
    def executions(self) -> list[TaskExecution]:
        """What the firings that were taken add."""
        return [row for firing in self._taken for row in firing.executions]

    def write(self, db: Connection, dialect: Dialect) -> None:
        """Write what was taken; raises ``Again`` if a row of another transaction was faster."""
        if not self._taken:
            return
        steps = [
            {
                "schedule_id": one,
                "next_fire_time": self._states[one][0],
                "last_fire_time": self._last[one],
            }
            for one in dict.fromkeys(firing.schedule_id for firing in self._taken)
        ]
        dialect.update(db, schedules, ("next_fire_time", "last_fire_time"), steps)
        records = [TICK.dump(tick) for firing in self._taken for tick in firing.ticks]
        if len(dialect.insert(db, ticks, records)) < len(records):
            raise Again
        if not all(insert(dialect, db, self.executions)):
            raise Again


def _state(schedule: Schedule | None) -> tuple[int, int | None] | None:
    """What ``put`` compares: version and next fire time."""
    if schedule is None:
        return None
    return schedule.version, write("next_fire_time", schedule.next_fire_time)


def _key(tick: Tick) -> tuple[str, int]:
    return tick.schedule_id, micros(tick.instant)
