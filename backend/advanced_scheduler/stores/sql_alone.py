"""Executions in SQLite, where whoever writes is alone: what it has read stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..lifecycle import FINAL, Transition
from ..lifecycle import claim as claiming
from ..models import TaskExecution, TaskStatus, task_key
from . import sql_statements as statements
from .abilities import Signal
from .base import Claim, Exchange
from .rows import Fetched, write
from .sql_edges import Rows, settle
from .sql_executions import SqlExecutions, conditions, fetched, grant
from .sql_prepared import Prepared, prepared
from .sql_schema import edges, executions
from .sql_statements import Wanted

_e = executions.c
_BY_ID: Final = attrgetter("execution_id")
_ANY_EDGE: Final = Prepared(sa.select(edges.c.downstream).limit(1))
_TASKS: Final = Prepared(
    sa.select(_e.execution_id, _e.task_id).where(
        _e.execution_id.in_(sa.bindparam("ids", expanding=True))
    )
)


class SqlAlone(SqlExecutions):
    """The hot calls of ``ExecutionStore``, by statements that are compiled once."""

    def claim(self, claim: Claim) -> list[TaskExecution]:
        """Take due rows by priority, rank, due time, id."""
        return self._write(lambda db: self._claim(db, claim))

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        """Apply what fits, in order."""
        return self._write(lambda db: self._apply(db, transitions)[0]) if transitions else []

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        """``apply``, then ``claim``."""

        def work(db: Connection) -> Exchange:
            applied, ended = self._apply(db, transitions)
            unblocked, left = settle(partial(_ask, db), ended) if ended else ([], [])
            if unblocked:
                self._tell(db, Signal.WORK)
            claimed = self._claim(db, claim)
            waiting = self._rows_each(db, statements.BY_IDS, "ids", left)
            return Exchange(applied, claimed, sorted(waiting, key=_BY_ID), unblocked=unblocked)

        return self._write(work)

    def _apply(
        self, db: Connection, transitions: Sequence[Transition]
    ) -> tuple[list[bool], dict[str, TaskStatus]]:
        """One guarded change after the other: there is no round trip to save."""
        applied: list[bool] = []
        ended: dict[str, TaskStatus] = {}
        for move in transitions:
            one = move.execution_id
            columns = {name: write(name, value) for name, value in move.changes.items()}
            named = {"one": one, "target": str(move.target), "held": move.fence, **columns}
            change = _change(tuple(columns), move.sources, move.fence is not None)
            applied.append(fits := change.run(db, named))
            if fits and move.unblocks:
                for key in move.unblocks:
                    prepared(statements.DELETE_EDGE).run(db, {"down": one, "up": key})
                prepared(statements.FREE_IF_NO_EDGE).run(db, {"down": one})
            if fits and move.target in FINAL:
                ended[one] = move.target
        return applied, self._awaited(db, ended)

    def _awaited(self, db: Connection, ended: Mapping[str, TaskStatus]) -> dict[str, TaskStatus]:
        """What a row may wait for of these ends; nothing if no row waits at all."""
        if not ended or not _ANY_EDGE.fetch(db, {}):  # 3 us; to look for each end takes 40
            return {}
        tasks = dict(_TASKS.fetch(db, {"ids": ended}))
        first: dict[str, TaskStatus] = {}  # of two runs of a task, the first to end is waited for
        for one, status in ended.items():
            first.setdefault(task_key(tasks[one]), status)
        return {**ended, **first}

    def _claim(self, db: Connection, claim: Claim) -> list[TaskExecution]:
        """What cannot be read is left as it is."""
        if claim.limit <= 0:
            return []
        wanted, asked = conditions(claim)
        rows: list[TaskExecution] = []
        for priority, rank in prepared(statements.LEVELS).fetch(db, {"now": asked["now"]}):
            if priority in claim.pauses.priorities:
                continue
            level = {"priority": priority, "rank": rank, "limit": claim.limit - len(rows)}
            rows += self._of_level(db, wanted, {**asked, **level})
            if len(rows) == claim.limit:
                break
        if rows:
            ids = [row.execution_id for row in rows]
            prepared(statements.CLAIM).run(db, {**grant(claim), "ids": ids})
        return [
            row.with_changes(
                claiming(row, node=claim.node, now=claim.now, lease_until=claim.lease_until)
            )
            for row in rows
        ]

    def _of_level(
        self, db: Connection, wanted: Wanted, asked: Mapping[str, Any]
    ) -> list[TaskExecution]:
        """The due rows of one priority and rank that can be read."""

        def fetch(skip: list[str]) -> list[Fetched]:
            candidates = prepared(statements.candidates(replace(wanted, skip=bool(skip))))
            return [fetched(row) for row in candidates.fetch(db, {**asked, "skip": skip})]

        return self._executions.read(fetch)


def _ask(db: Connection, statement: sa.Executable, named: Mapping[str, Any]) -> Rows:
    return prepared(statement).fetch(db, named)


@cache
def _change(names: tuple[str, ...], sources: frozenset[TaskStatus], fenced: bool) -> Prepared:
    """One transition, where state and fence still are what it names."""
    states = sa.text("status IN ({})".format(", ".join(f"'{one}'" for one in sorted(sources))))
    update = sa.update(executions).where(_e.execution_id == sa.bindparam("one"), states)
    if fenced:
        update = update.where(_e.fence == sa.bindparam("held"))
    changes: dict[str, Any] = {"status": sa.bindparam("target")} | {
        name: sa.bindparam(name) for name in names
    }
    return Prepared(update.values(changes))
