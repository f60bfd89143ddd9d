"""The schedules of the SQL store and the ledger of their ticks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..models import (
    Schedule,
    ScheduleFilter,
    ScheduleState,
    TaskExecution,
    TaskStatus,
    Tick,
    TickOutcome,
    Total,
)
from .abilities import Signal
from .base import Firing, name_taken
from .rows import SCHEDULE, TICK, Fetched, Reader, micros, nearest, write
from .sql_database import Again, SqlDatabase, chunks
from .sql_dialect import Dialect
from .sql_executions import Vacancy, due_soon, insert
from .sql_schema import schedules, ticks, totals, versions
from .sql_totals import read_totals
from .sql_versions import keep, keep_first, keep_replaced, read_versions

_s, _t = schedules.c, ticks.c
_ROWS: Final = sa.select(*(_s[name] for name in SCHEDULE.names))
_ALL: Final = _ROWS.order_by(_s.schedule_id)
_SOME: Final = _ALL.where(_s.schedule_id.in_(sa.bindparam("ids", expanding=True)))
_ON_TIME: Final = sa.and_(_s.paused == sa.literal_column("0"), _s.next_fire_time.is_not(None))
_SPENT: Final = _s.run_count >= _s.max_runs  # NULL, and so not true, where there is no limit
_ENDED: Final = sa.or_(_SPENT, sa.and_(_s.next_fire_time.is_(None), _s.event.is_(None)))
_STATE: Final = sa.case(
    (_ENDED, sa.literal_column("'ended'")),
    (_s.paused != sa.literal_column("0"), sa.literal_column("'paused'")),
    else_=sa.literal_column("'active'"),
)
_STATE_COUNTS: Final = sa.select(_STATE, sa.func.count()).group_by(_STATE)
_PUT_STATE: Final = sa.select(_s.version, _s.next_fire_time, _s.last_fire_time).with_for_update()
_FIRED: Final = ("next_fire_time", "last_fire_time", "run_count")
_STATES: Final = (
    sa.select(
        _s.schedule_id, _s.next_fire_time, _s.last_fire_time, _s.version, _s.paused, _s.run_count
    )
    .where(_s.schedule_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_s.schedule_id)  # who locks in one order does not deadlock
    .with_for_update()
)
_HOLDERS: Final = sa.select(_s.name, _s.schedule_id).where(
    _s.name.in_(sa.bindparam("names", expanding=True))
)
_TICKS: Final = sa.select(*(_t[name] for name in TICK.names))
_RECORDED: Final = sa.select(_t.schedule_id, _t.instant).where(
    sa.tuple_(_t.schedule_id, _t.instant).in_(sa.bindparam("keys", expanding=True))
)
_LAST_TICKS: Final = (
    sa.select(_t.schedule_id, sa.func.max(_t.instant))
    .where(
        _t.schedule_id.in_(sa.bindparam("ids", expanding=True)),
        _t.instant >= sa.bindparam("start"),
        _t.instant < sa.bindparam("end"),
    )
    .group_by(_t.schedule_id)
)


class _Taken(Exception):
    """A schedule that was to be inserted met one that is there; nothing is written."""


class SqlSchedules(SqlDatabase):
    """``ScheduleStore`` on a SQL database."""

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        super().__init__(url, auto_migrate=auto_migrate)
        self._schedules = Reader("schedule", SCHEDULE, self._clock)
        self._versions = Reader("version of schedule", SCHEDULE, self._clock)
        self._ticks = Reader("tick of schedule", TICK, self._clock)

    def add_schedules(self, new: Sequence[Schedule]) -> bool:
        """Insert all of them, or none where an id is taken."""
        rows = [SCHEDULE.dump(one) for one in new]

        def work(db: Connection) -> None:
            if len(self._dialect.insert(db, schedules, rows)) < len(rows):
                raise _Taken
            keep_first(self._dialect, db, rows)

        try:
            self._write(work)
        except _Taken:
            self._read(lambda db: _refuse_taken_names(db, new))
            return False
        return True

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected."""
        columns = SCHEDULE.dump(schedule)
        changes = {name: columns[name] for name in SCHEDULE.names if name != "run_count"}
        ours = _s.schedule_id == schedule.schedule_id

        def work(db: Connection) -> bool:
            found = db.execute(_PUT_STATE.where(ours)).first()
            if (None if found is None else tuple(found)) != _state(expected):
                return False
            _refuse_taken_names(db, [schedule])
            if expected is not None:
                keep_replaced(db, schedule.schedule_id)
                db.execute(sa.update(schedules).where(ours), changes)
            elif not self._dialect.insert(db, schedules, [columns]):
                raise Again  # somebody else was faster, with the id or with the name
            keep(self._dialect, db, columns)
            return True

        return self._write(work)

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        if ids is None:
            return self._read(lambda db: self._load(db, _ALL))
        parts = list(chunks(sorted(set(ids))))
        return self._read(lambda db: [one for ids in parts for one in self._load(db, _SOME, ids)])

    def find_schedules(self, query: ScheduleFilter) -> list[Schedule]:
        """The schedules that fit, by id."""
        found = _ROWS.order_by(_s.schedule_id).limit(query.limit)
        for name in ("name", "event", "task_id"):
            if (wanted := getattr(query, name)) is not None:
                found = found.where(_s[name] == wanted)
        if query.cursor is not None:
            found = found.where(_s.schedule_id > query.cursor)
        return self._read(lambda db: self._load(db, found))

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest versions of a schedule, as they were put, oldest first."""
        found = self._read(lambda db: read_versions(db, schedule_id))
        return self._versions.decode(found)

    def totals(self, schedule_id: str) -> dict[TaskStatus, Total]:
        """How the executions of a schedule ended, those that were pruned as well."""
        return self._read(lambda db: read_totals(db, schedule_id))

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule, its versions and totals; its ticks stay."""

        def work(db: Connection) -> bool:
            gone = [
                db.execute(sa.delete(table).where(table.c.schedule_id == schedule_id)).rowcount
                for table in (schedules, versions, totals)
            ]
            return gone[0] == 1

        return self._write(work)

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

        careful = False  # whether to look first for what the inserts would meet: it seldom is there

        def work(db: Connection) -> list[bool]:
            nonlocal careful
            step = _Step(db, firings, look=careful)
            fired = [step.take(firing) for firing in firings]
            careful = True  # if this has to begin again
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

    def last_ticks(
        self, ids: Collection[str], start: datetime, end: datetime
    ) -> dict[str, datetime]:
        """The latest instant on record of each schedule within this time."""
        within = {"start": micros(start), "end": micros(end)}

        def work(db: Connection) -> dict[str, Any]:
            some = (db.execute(_LAST_TICKS, {**within, "ids": part}) for part in chunks(ids))
            return {row[0]: row[1] for found in some for row in found}

        return {one: at for one, last in self._read(work).items() if (at := nearest(last))}

    def schedule_counts(self) -> dict[ScheduleState, int]:
        """How many schedules are in each state."""
        found = self._read(lambda db: db.execute(_STATE_COUNTS).all())
        return {row[0]: row[1] for row in found}

    def scheduled_tasks(self) -> dict[str, int]:
        """How many schedules there are, by task id."""
        counts = sa.select(_s.task_id, sa.func.count()).group_by(_s.task_id)
        found = self._read(lambda db: db.execute(counts).all())
        return {row[0]: row[1] for row in found}

    def tick_counts(self, start: datetime, end: datetime) -> dict[TickOutcome, int]:
        """How many ticks there are of each outcome, of all schedules."""
        between = sa.and_(_t.instant >= micros(start), _t.instant < micros(end))
        counts = sa.select(_t.outcome, sa.func.count()).where(between).group_by(_t.outcome)
        found = self._read(lambda db: db.execute(counts).all())
        return {TickOutcome(name): count for name, count in found if name in set(TickOutcome)}

    def _load(
        self, db: Connection, statement: sa.Select[Any], ids: Sequence[str] = ()
    ) -> list[Schedule]:
        def fetch(skip: list[str]) -> list[Fetched]:
            found = statement.where(_s.schedule_id.not_in(skip)) if skip else statement
            rows = db.execute(found, {"ids": ids} if ids else {}).all()  # one by one costs twice
            return [(row, {}) for row in rows]

        return self._schedules.read(fetch)


@dataclass(slots=True)
class _State:
    """What a firing compares, and what it changes."""

    next_fire_time: int | None
    last_fire_time: int | None
    version: int
    paused: int
    run_count: int

    def fits(self, firing: Firing) -> bool:
        """Whether the schedule is as the firing says."""
        expected = write("next_fire_time", firing.expected), write("last_fire_time", firing.last)
        return (
            (self.next_fire_time, self.last_fire_time) == expected
            and self.version == firing.version
            and (firing.by_hand or not (self.paused and firing.executions))
        )

    def advance(self, firing: Firing) -> None:
        """Become what the firing makes of the schedule."""
        instants = [micros(tick.instant) for tick in firing.ticks]
        if self.last_fire_time is not None:
            instants.append(self.last_fire_time)
        self.next_fire_time = write("next_fire_time", firing.next_fire_time)
        self.last_fire_time = max(instants, default=None)
        self.run_count += 0 if firing.by_hand else len(firing.executions)


class _Step:
    """What a batch of firings writes: each is taken as a whole or not at all."""

    def __init__(self, db: Connection, firings: Sequence[Firing], *, look: bool) -> None:
        """``look`` for ticks and executions of other transactions, which ``write`` would meet."""
        seen = firings if look else ()
        found = (
            db.execute(_STATES, {"ids": ids}).all()
            for ids in chunks(sorted(one.schedule_id for one in firings))
        )
        self._states = {row[0]: _State(*row[1:]) for some in found for row in some}
        self._recorded: set[tuple[str, int]] = set()
        for keys in chunks(_key(tick) for firing in seen for tick in firing.ticks):
            recorded = db.execute(_RECORDED, {"keys": keys}).all()
            self._recorded.update((row[0], row[1]) for row in recorded)
        self._vacancy = Vacancy(db, [row for firing in seen for row in firing.executions])
        self._taken: list[Firing] = []

    def take(self, firing: Firing) -> bool:
        """Whether the firing is part of the step."""
        state, keys = self._states.get(firing.schedule_id), {_key(tick) for tick in firing.ticks}
        if (
            state is None
            or not state.fits(firing)
            or keys & self._recorded
            or not self._vacancy.take(firing.executions)
        ):
            return False
        state.advance(firing)
        self._recorded |= keys
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
            {"schedule_id": one, **{name: getattr(self._states[one], name) for name in _FIRED}}
            for one in dict.fromkeys(firing.schedule_id for firing in self._taken)
        ]
        dialect.update(db, schedules, _FIRED, steps)
        records = [TICK.dump(tick) for firing in self._taken for tick in firing.ticks]
        if len(dialect.insert(db, ticks, records)) < len(records):
            raise Again
        if not all(insert(dialect, db, self.executions)):
            raise Again


def _state(schedule: Schedule | None) -> tuple[int, int | None, int | None] | None:
    """What ``put`` compares: the version, the next fire time, and the last one."""
    if schedule is None:
        return None
    times = (schedule.next_fire_time, schedule.last_fire_time)
    following, last = (write("next_fire_time", time) for time in times)
    return schedule.version, following, last


def _refuse_taken_names(db: Connection, wanted: Sequence[Schedule]) -> None:
    """Raise ``ScheduleExists`` where somebody else has one, among them or in the store."""
    holders: dict[str, str] = {}
    for one in wanted:
        if one.name is not None:
            holder = holders.setdefault(one.name, one.schedule_id)
            if holder != one.schedule_id:
                raise name_taken(one.name, holder)
    for names in chunks(holders):
        for name, holder in db.execute(_HOLDERS, {"names": names}):
            if holders[name] != holder:
                raise name_taken(name, holder)


def _key(tick: Tick) -> tuple[str, int]:
    return tick.schedule_id, micros(tick.instant)
