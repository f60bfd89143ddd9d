"""The executions of the SQL store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..lifecycle import CLAIMABLE, Transition, plain_need
from ..models import ExecutionFilter, Outline, TaskExecution, TaskPriority, TaskStatus
from . import sql_statements as statements
from .abilities import Signal
from .base import Claim
from .rows import EXECUTION, OUTLINE, Fetched, Reader, micros, nearest, write
from .sql_database import SqlDatabase, chunks
from .sql_dialect import Dialect
from .sql_schema import edges, executions, ticks
from .sql_statements import ROWS, Wanted, without_skipped
from .sql_totals import Last, Prunable, add_to_totals, drop_records, prunable, prune

SOON: Final = timedelta(seconds=1)
"""What is due by then is news for other nodes; what is due later, they find by polling."""

_RUNNING: Final = str(TaskStatus.RUNNING)
_UNBLOCKED: Final = {"blocked_by": frozenset[str]()}

_e = executions.c


class SqlExecutions(SqlDatabase):
    """``ExecutionStore`` on a SQL database."""

    def __init__(self, url: str, *, auto_migrate: bool = False) -> None:
        super().__init__(url, auto_migrate=auto_migrate)
        self._executions = Reader("execution", EXECUTION, self._clock)
        self._excess: Mapping[int, Last] = {}  # replaced, never changed: by how many are kept
        self._outlines = Reader("execution", OUTLINE, self._clock)

    def add(self, executions: Sequence[TaskExecution]) -> list[bool]:
        """Insert; False where the id or the unique key is taken."""

        return self._write(lambda db: self._add(db, executions)) if executions else []

    def get(self, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids, in the order of ``ids``."""
        rows = self._read(lambda db: self._rows_each(db, statements.BY_IDS, "ids", ids))
        found = {row.execution_id: row for row in rows}
        return [found[one] for one in ids if one in found]

    def by_unique_key(self, key: str) -> TaskExecution | None:
        """The execution that holds this unique key."""
        rows = self._read(lambda db: self._rows(db, statements.BY_UNIQUE_KEY, {"key": key}))
        return rows[0] if rows else None

    def find(self, query: ExecutionFilter) -> list[TaskExecution]:
        """A page of rows."""
        statement = statements.page(ROWS, query)
        return self._read(lambda db: self._rows(db, statement, {}))

    def outlines(self, query: ExecutionFilter) -> list[Outline]:
        """A page of rows, of each what a search looks at."""
        statement = statements.page(statements.OUTLINES, query)
        places = self._dialect.places
        rows = self._read(lambda db: db.execute(statement, execution_options=places).all())
        return self._outlines.decode([(row, {}) for row in rows])

    def newest(self, task_ids: Collection[str]) -> dict[str, TaskExecution]:
        """The row with the highest id of each task."""

        def work(db: Connection) -> dict[str, TaskExecution]:
            asked = ({"task_id": one} for one in task_ids)
            rows = (row for one in asked for row in self._rows(db, statements.NEWEST, one))
            return {row.task_id: row for row in rows}

        return self._read(work)

    def counts(
        self, statuses: Collection[TaskStatus] | None = None
    ) -> dict[tuple[TaskStatus, TaskPriority], int]:
        """How many rows there are of each status and priority."""
        wanted = TaskStatus if statuses is None else statuses
        asked = {"statuses": sorted(map(str, wanted))}
        found = self._read(lambda db: db.execute(statements.COUNTS, asked).all())
        return {
            (TaskStatus(status), TaskPriority(priority)): number
            for status, priority, number in found
            if status in set(TaskStatus) and priority in set(TaskPriority)
        }

    def waiting_tasks(self) -> dict[str, int]:
        """How many executions have not ended, by task id."""
        found = self._read(lambda db: db.execute(statements.WAITING_TASKS).all())
        return {row.task_id: row.number for row in found}

    def prune(self, *, keep: int, before: datetime, older_than: datetime, limit: int) -> int:
        """Delete ended rows, oldest first; ticks go by age alone."""

        def work(db: Connection) -> int:
            pruned = prune(db, what, before=before, older_than=older_than, limit=limit)
            old = sa.select(ticks.c.schedule_id, ticks.c.instant).order_by(ticks.c.instant)
            old = old.where(ticks.c.instant < micros(older_than)).limit(limit)
            key = sa.tuple_(ticks.c.schedule_id, ticks.c.instant)
            db.execute(sa.delete(ticks).where(key.in_(old)))
            drop_records(db, pruned)
            add_to_totals(self._dialect, db, pruned)  # last, since it locks schedules
            return len(pruned)

        def look(db: Connection) -> Prunable:
            last = self._excess.get(keep)
            return prunable(db, keep=keep, before=before, older_than=older_than, last=last)

        what = self._read(look)
        gone = self._write(work) if what.old or what.last is not None else 0
        # More to prune is up to the same row; what is pruned by then must be looked for again.
        self._excess = {keep: what.last} if gone == limit and what.last is not None else {}
        return gone

    def delete(self, ids: Collection[str]) -> int:
        """Delete those of these rows that have ended."""

        def work(db: Connection) -> int:
            some = chunks(sorted(set(ids)))
            gone = [row for part in some for row in db.execute(statements.DELETE, {"ids": part})]
            drop_records(db, gone)
            add_to_totals(self._dialect, db, gone)
            return len(gone)

        self._excess = {}
        return self._write(work)

    def extend(self, node: str, held: Mapping[str, int], lease_until: datetime) -> set[str]:
        """Renew leases; answer the ids that are still held.

        A row that somebody else has locked is not waited for, since all other leases would run
        out meanwhile: it is renewed another time.
        """

        def work(db: Connection) -> set[str]:
            free = _states(db, held, statements.FREE_STATES)
            states = _states(db, held.keys() - free.keys(), statements.SEEN_STATES) | free
            kept = {
                one
                for one, state in states.items()
                if (state.status, state.node, state.fence) == (_RUNNING, node, held[one])
            }
            self._save(db, {one: {"lease_until": lease_until} for one in kept & free.keys()})
            return kept

        if not held:
            return set()
        with self._dialect.writing():
            return self._keep_leases(self._dialect.begin_write, work)

    def expired(
        self, now: datetime, limit: int, after: TaskExecution | None = None
    ) -> list[TaskExecution]:
        """Running rows whose lease ran out, the oldest lease first."""
        asked: dict[str, Any] = {"now": micros(now), "limit": limit}
        statement = statements.EXPIRED
        if after is not None and after.lease_until is not None:
            statement = statements.EXPIRED_AFTER
            asked |= {"last_lease": micros(after.lease_until), "last_id": after.execution_id}
        return self._read(lambda db: self._rows(db, statement, asked))

    def dependents(self, keys: Collection[str]) -> list[TaskExecution]:
        """Rows that one of these keys blocks, by id."""
        return self._read(lambda db: self._dependents(db, keys)) if keys else []

    def stranded(self, now: datetime, limit: int) -> list[TaskExecution]:
        """Blocked rows to look at again, by id."""
        asked = {"now": micros(now), "limit": limit}
        return self._read(lambda db: self._rows(db, statements.STRANDED, asked))

    def next_due(self) -> datetime | None:
        """The earliest due time of a row that may be claimed then."""
        return nearest(self._read(lambda db: db.scalar(statements.NEXT_DUE)))

    def _add(self, db: Connection, rows: Sequence[TaskExecution]) -> list[bool]:
        added = insert(self._dialect, db, rows)
        news = (row for row, new in zip(rows, added, strict=True) if new)
        if due_soon(news, self._clock.now()):
            self._tell(db, Signal.WORK)
        return added

    def _save(self, db: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the changed fields of each execution id: one batch for each set of fields."""
        batches: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for execution_id, fields in changes.items():
            columns = {name: write(name, value) for name, value in fields.items()}
            batches[tuple(fields)].append({"execution_id": execution_id, **columns})
        for names, batch in batches.items():
            self._dialect.update(db, executions, names, batch)

    def _dependents(self, db: Connection, keys: Collection[str]) -> list[TaskExecution]:
        rows = self._rows_each(db, statements.DEPENDENTS, "keys", keys)
        found = {row.execution_id: row for row in rows}
        return [found[one] for one in sorted(found)]

    def _rows_each(
        self, db: Connection, statement: sa.Select[Any], name: str, values: Iterable[str]
    ) -> list[TaskExecution]:
        """The rows of a statement for any number of values of its parameter ``name``."""
        return [row for some in chunks(values) for row in self._rows(db, statement, {name: some})]

    def _rows(
        self,
        db: Connection,
        statement: sa.Select[Any],
        parameters: Mapping[str, Any],
    ) -> list[TaskExecution]:
        """The readable rows of a statement; unreadable ones do not count against its limit."""

        def fetch(skip: list[str]) -> list[Fetched]:
            asked = without_skipped(statement) if skip else statement
            named = {**parameters, "skip": skip}
            rows = db.execute(asked, named, execution_options=self._dialect.places)
            return [fetched(row) for row in rows]

        return self._executions.read(fetch)


class Vacancy:
    """Which ids and unique keys are free: asked once for a batch, then told of each taker."""

    def __init__(self, db: Connection, rows: Iterable[TaskExecution]) -> None:
        self._ids: set[str] = set()
        self._keys: set[str] = set()
        rows = list(rows)
        for ids in chunks(row.execution_id for row in rows):
            self._ids.update(db.scalars(statements.TAKEN_IDS, {"ids": ids}))
        for keys in chunks(row.unique_key for row in rows if row.unique_key is not None):
            self._keys.update(db.scalars(statements.TAKEN_KEYS, {"keys": keys}))

    def take(self, rows: Sequence[TaskExecution]) -> bool:
        """Take the places of all these rows, or of none."""
        ids = {row.execution_id for row in rows}
        keys = {row.unique_key for row in rows if row.unique_key is not None}
        if ids & self._ids or keys & self._keys:
            return False
        self._ids |= ids
        self._keys |= keys
        return True


def insert(dialect: Dialect, db: Connection, rows: Sequence[TaskExecution]) -> list[bool]:
    """Whether each row was added; False where the id or the unique key is taken."""
    added: list[bool] = []
    for part in with_ids_of_their_own(rows):
        flags = ({"blocked": int(bool(row.blocked_by)), "needs": plain_need(row)} for row in part)
        dumped = [EXECUTION.dump(row) | more for row, more in zip(part, flags, strict=True)]
        new = set(dialect.insert(db, executions, dumped))
        added += (row.execution_id in new for row in part)
    links = [
        {"downstream": row.execution_id, "upstream": key}
        for row, new in zip(rows, added, strict=True)
        for key in (row.blocked_by if new else ())
    ]
    if links:
        dialect.insert(db, edges, links)
    return added


def due_soon(rows: Iterable[TaskExecution], now: datetime) -> bool:
    """Whether one of these new rows is to be claimed before the others look again."""
    return any(not row.blocked_by and row.due <= now + SOON for row in rows)


def _states(db: Connection, ids: Iterable[str], statement: sa.Select[Any]) -> dict[str, Any]:
    """Status, fence, task and node of the rows with these ids, locked until the commit.

    Who locks in one order does not deadlock.
    """
    found = (db.execute(statement, {"ids": some}) for some in chunks(sorted(ids)))
    return {row.execution_id: row for rows in found for row in rows}


def conditions(claim: Claim) -> tuple[Wanted, dict[str, Any]]:
    """Which conditions a claim has, and their parameters."""
    asked: dict[str, Any] = {"now": micros(claim.now)}
    if claim.exclude:
        asked["exclude"] = sorted(claim.exclude)
    if claim.queues is not None:
        asked["queues"] = sorted(claim.queues)
    if claim.pauses.queues:
        asked["paused"] = sorted(claim.pauses.queues)
    wanted = Wanted(
        exclude=bool(claim.exclude),
        queues=claim.queues is not None,
        paused=bool(claim.pauses.queues),
    )
    return wanted, asked


def grant(claim: Claim) -> dict[str, Any]:
    """The parameters of a claim that go into its rows."""
    now, lease_until = micros(claim.now), micros(claim.lease_until)
    return {"new_node": claim.node, "now": now, "new_lease_until": lease_until}


def fetched(row: Any) -> Fetched:
    """A row of ``statements.ROWS``, with the list of what blocks it, or without one."""
    text = row[-1]
    if text is None:
        return row, _UNBLOCKED
    text = text if isinstance(text, str) else text.decode(errors="replace")
    return row, {"blocked_by": frozenset(json.loads(text))}


def with_ids_of_their_own(rows: Iterable[TaskExecution]) -> Iterator[list[TaskExecution]]:
    """The rows in order, in lists where an id tells which row it is."""
    part: dict[str, TaskExecution] = {}
    for row in rows:
        if row.execution_id in part:
            yield list(part.values())
            part = {}
        part[row.execution_id] = row
    if part:
        yield list(part.values())


def readies(move: Transition, soon: datetime) -> bool:
    """Whether a row may be claimable after this change that was not before."""
    due = move.changes.get("due_time")
    return move.target in CLAIMABLE and (due is None or due <= soon)
