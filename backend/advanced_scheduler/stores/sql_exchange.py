"""Executions in PostgreSQL, where others write at the same time: one round trip for a batch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from ..lifecycle import FINAL, MEETS, Transition, plain_need
from ..models import TaskExecution, TaskStatus, task_key
from . import sql_statements as statements
from .abilities import Signal
from .base import Claim, Exchange
from .rows import EXECUTION, nearest, write
from .sql_dialect import Row
from .sql_executions import (
    SOON,
    SqlExecutions,
    conditions,
    due_soon,
    grant,
    readies,
    with_ids_of_their_own,
)
from .sql_json import Asked, given_rows, text_of, texts_of
from .sql_schema import edges, executions
from .sql_statements import COLUMNS, Wanted, claim_changes, without_levels

if TYPE_CHECKING:  # they need psycopg, which is optional
    from .sql_postgresql import PostgresDialect
    from .sql_signals import Listener

_e = executions.c
_WORDS: Final = sa.ARRAY(sa.Text)
_FINAL: Final[list[sa.ColumnElement[str]]] = [
    sa.literal_column(f"'{one}'") for one in sorted(FINAL)
]
_CLAIMED: Final = tuple(claim_changes())
_STORED: Final = (*EXECUTION.names, "blocked", "needs")
_MANY: Final = 100  # rows from which on a COPY, with its round trips, is faster
_UNBLOCKED: Final = {"blocked_by": frozenset[str]()}

News = tuple[sa.Select[Any], Mapping[str, str]]
"""The statement that tells other nodes, and its parameters."""

_Kind = tuple[int, tuple[str, ...], bool]
"""How many changes of the same row come before, what is written, whether it unblocks."""


class SqlAmongOthers(SqlExecutions):
    """The hot calls of ``ExecutionStore``: what belongs together goes out at once.

    The server takes what comes in one go as one transaction, without a BEGIN or a COMMIT.
    """

    _dialect: PostgresDialect
    _listener: Listener

    def add(self, executions: Sequence[TaskExecution]) -> list[bool]:
        """Insert; False where the id or the unique key is taken."""
        news = None
        if due_soon(executions, self._clock.now()):
            news = self._listener.news(Signal.WORK)
        parts = [_written(part) for part in with_ids_of_their_own(executions)]
        if len(parts) == 1 and len(executions) >= _MANY and self._copy(*parts[0], news):
            return [True] * len(executions)
        inserts = [_inserts(rows, links, news) for rows, links in parts]
        asked = [one for some in inserts for one in some]
        answers = iter(self._run(None, lambda db: self._dialect.send(db, asked)) if asked else ())
        added: list[bool] = []
        for (rows, _), some in zip(parts, inserts, strict=True):
            new = {row[0] for _ in some for row in next(answers)}
            added += (row["execution_id"] in new for row in rows)
        return added

    def claim(self, claim: Claim) -> list[TaskExecution]:
        """Take due rows by priority, rank, due time, id."""
        return list(self.exchange((), claim).claimed)

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        """Apply what fits, in order."""
        return self._exchange(transitions, None)[0]

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        """``apply``, then ``claim``.

        What waits for an end is settled right after, and only then: most ends have nobody who
        waits. Who dies in between leaves it to the housekeeper.
        """
        applied, awaited, found = self._exchange(transitions, claim)
        claimed = self._readable(found, claim)
        if not awaited:
            return Exchange(applied, claimed, [])
        more = replace(claim, limit=claim.limit - len(claimed))
        met, found = self._settle(awaited, more)
        unblocked = {down for down, _, meets in met if meets}
        gone = {(down, key) for down, key, meets in met if meets}
        left = sorted({down for down, key, _ in met if (down, key) not in gone})
        waiting = self.get(left) if left else []
        claimed += self._readable(found, more)
        return Exchange(applied, claimed, waiting, unblocked=sorted(unblocked))

    def next_due(self) -> datetime | None:
        """The earliest due time of a row that may be claimed then."""
        (((due,),),) = self._send([(statements.NEXT_DUE, {})])
        return nearest(due)

    def _copy(self, rows: Sequence[Row], links: Sequence[Row], news: News | None) -> bool:
        tables = {executions: rows, **({edges: links} if links else {})}
        told = [news] if news else []
        return self._run(None, lambda db: self._dialect.copy(db, tables, told))

    def _exchange(
        self, transitions: Sequence[Transition], claim: Claim | None
    ) -> tuple[list[bool], dict[str, TaskStatus], list[Any]]:
        """What was applied, the keys of what ended and is awaited, and the rows claimed."""
        kinds = _kinds(transitions)
        asked = _changes(transitions, kinds)
        first = len(asked) - len(kinds)
        unblocked = [move.execution_id for move in transitions if move.unblocks]
        if unblocked:
            asked.append((_FREE, {"ids": unblocked}))
        soon = self._clock.now() + SOON
        if any(readies(move, soon) for move in transitions):
            asked.append(self._listener.news(Signal.WORK))
        claims = claim is not None and claim.limit > 0
        if claim is not None and claims:
            asked.append(claiming(claim, self._executions.skipped()))
        answers = self._send(asked) if asked else []
        applied, keys = [False] * len(transitions), dict[int, tuple[str, str]]()
        for places, answer in zip(kinds.values(), answers[first:], strict=False):
            done = {row[0]: row for row in answer}
            for at in places:
                if row := done.get(transitions[at].execution_id):
                    applied[at] = True
                    if row[2]:
                        keys[at] = (row[0], task_key(row[1]))
        awaited: dict[str, TaskStatus] = {}
        for at in sorted(keys):  # of two runs of a task, the first to end is waited for
            for key in keys[at]:
                awaited.setdefault(key, transitions[at].target)
        return applied, awaited, answers[-1] if claims else []

    def _settle(self, ended: Mapping[str, TaskStatus], claim: Claim) -> tuple[list[Any], list[Any]]:
        """The edges to these ends, with whether they are met and so gone, and the rows claimed."""
        rows = text_of([{"key": k, "meets": sorted(MEETS[s])} for k, s in ended.items()])
        statement, named = self._listener.news(Signal.WORK)
        asked: list[Asked] = [
            (LOCK_BLOCKED, {"rows": rows}),
            (settling(statement), {"rows": rows, **named}),
        ]
        if claim.limit > 0:
            asked.append(claiming(claim, self._executions.skipped()))
        _, met, *claimed = self._send(asked)
        return [row[:3] for row in met], claimed[0] if claimed else []

    def _readable(self, found: Sequence[Any], claim: Claim) -> list[TaskExecution]:
        """The rows of a claim, in order; what cannot be read is made what it was."""
        rows = self._executions.decode([(row, _UNBLOCKED) for row in found])
        rows.sort(key=lambda row: (row.priority, -row.rank, row.due, row.execution_id))
        if len(rows) < len(found):
            known = {row.execution_id for row in rows}
            self._undo([row for row in found if row[0] not in known])
            rows += self.claim(replace(claim, limit=claim.limit - len(rows)))
        return rows

    def _undo(self, claimed: Sequence[Any]) -> None:
        fence = EXECUTION.names.index("fence")
        size = len(EXECUTION.names)
        running = {"sources": [str(TaskStatus.RUNNING)]}
        rows = [
            {
                **dict(zip(_CLAIMED, row[size:], strict=True)),
                **running,
                "execution_id": row[0],
                "held": row[fence],
            }
            for row in claimed
        ]
        self._send([(_change(_CLAIMED, unblocks=False), {"rows": text_of(rows)})])

    def _send(self, asked: Sequence[Asked]) -> list[list[Any]]:
        def work(db: Connection) -> list[list[Any]]:
            return self._dialect.send(db, asked)

        return self._run(None, work, self._dialect.connect_for_work)


def _written(rows: Sequence[TaskExecution]) -> tuple[list[Row], list[Row]]:
    """The rows of executions, and those of what blocks them."""
    dumped: list[Row] = []
    links: list[Row] = []
    for row in rows:
        blocked = int(bool(row.blocked_by))
        dumped.append(EXECUTION.dump(row) | {"blocked": blocked, "needs": plain_need(row)})
        links += ({"downstream": row.execution_id, "upstream": key} for key in row.blocked_by)
    return dumped, links


def _inserts(rows: Sequence[Row], links: Sequence[Row], news: News | None) -> list[Asked]:
    """The statements that add rows, no two of which have one id, and tell of it."""
    statement = _insert(linked=bool(links), news=news and news[0])
    more = {**(news[1] if news else {}), **({"links": text_of(links)} if links else {})}
    return [(statement, {"rows": text, **more}) for text in texts_of(rows)]


@cache
def _insert(*, linked: bool, news: sa.Select[Any] | None) -> sa.Select[Any]:
    """Add the rows that meet no other, and what blocks them; answers the new ids."""
    given = given_rows(executions, _STORED)
    rows = sa.select(*(given.c[name] for name in _STORED))
    added = insert(executions).from_select(_STORED, rows).on_conflict_do_nothing()
    new = added.returning(_e.execution_id).cte("new")
    answer = sa.select(new.c.execution_id)
    if news is not None:  # told once, if there is a row
        answer = answer.add_columns(news.scalar_subquery())
    if linked:
        names = ("downstream", "upstream")
        links = given_rows(edges, names, parameter="links")
        theirs = links.c.downstream.in_(sa.select(new.c.execution_id))
        link = insert(edges).from_select(names, sa.select(*links.c).where(theirs))
        answer = answer.add_cte(link.on_conflict_do_nothing().cte("link"))
    return answer


def _kinds(transitions: Sequence[Transition]) -> Mapping[_Kind, list[int]]:
    """The places of the transitions that one statement can apply, in the order to apply them."""
    before: Counter[str] = Counter()
    places: defaultdict[_Kind, list[int]] = defaultdict(list)
    for at, move in enumerate(transitions):
        names = tuple(move.changes)
        places[before[move.execution_id], names, bool(move.unblocks)].append(at)
        before[move.execution_id] += 1
    return dict(sorted(places.items(), key=lambda one: one[0][0]))


def _changes(
    transitions: Sequence[Transition], kinds: Mapping[_Kind, Sequence[int]]
) -> list[Asked]:
    """A statement for each kind; who locks rows in one order does not deadlock."""
    asked: list[Asked] = []
    if len(kinds) > 1:
        ids = sorted({move.execution_id for move in transitions})
        asked.append((_LOCK, {"ids": ids}))
    for (_, names, unblocks), places in kinds.items():
        moves = sorted((transitions[at] for at in places), key=lambda move: move.execution_id)
        rows = [_row(move) for move in moves]
        asked.append((_change(("status", *names), unblocks=unblocks), {"rows": text_of(rows)}))
    return asked


def _row(move: Transition) -> dict[str, Any]:
    return {
        "execution_id": move.execution_id,
        "held": move.fence,
        "sources": sorted(map(str, move.sources)),
        "unblocks": sorted(move.unblocks) or None,
        "status": str(move.target),
        **{name: write(name, value) for name, value in move.changes.items()},
    }


@cache
def _change(names: tuple[str, ...], *, unblocks: bool) -> sa.Select[Any]:
    """Change the rows whose state and fence still are what is said of them.

    Answers id, task and whether somebody waits for the end of it.
    """
    more: dict[str, sa.types.TypeEngine[Any]]
    more = {"held": sa.BigInteger(), "sources": _WORDS, "unblocks": _WORDS}
    given = given_rows(executions, ("execution_id", *names), more=more)
    fits = sa.or_(given.c.held.is_(None), _e.fence == given.c.held)
    change = sa.update(executions).where(_e.execution_id == given.c.execution_id, fits)
    change = change.where(_e.status == sa.any_(given.c.sources))
    change = change.values({name: given.c[name] for name in names})
    done = change.returning(_e.execution_id, _e.task_id, _e.status, given.c.unblocks).cte("done")
    task = sa.literal_column(f"'{task_key('')}'", sa.Text) + done.c.task_id
    waits = sa.exists().where(edges.c.upstream.in_([done.c.execution_id, task]))
    answer = sa.select(
        done.c.execution_id,
        done.c.task_id,
        sa.and_(done.c.status.in_(_FINAL), waits),
    )
    if not unblocks:
        return answer
    gone = sa.delete(edges).where(
        edges.c.downstream == done.c.execution_id, edges.c.upstream == sa.any_(done.c.unblocks)
    )
    return answer.add_cte(gone.cte("gone"))


def _any_of(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """One text of the statement for any number of values."""
    return column == sa.any_(sa.bindparam(name, type_=_WORDS))


_LOCK: Final = (
    sa.select(_e.execution_id)
    .where(_any_of(_e.execution_id, "ids"))
    .order_by(_e.execution_id)
    .with_for_update()
)
_FREE: Final = (
    sa.update(executions)
    .where(
        _any_of(_e.execution_id, "ids"),
        _e.blocked == sa.literal_column("1"),
        ~sa.exists().where(edges.c.downstream == _e.execution_id),
    )
    .values(blocked=sa.literal_column("0"))
)


def _given_ends() -> Any:
    """The keys of ends, and which dependencies each meets."""
    return given_rows(edges, (), more={"key": sa.Text(), "meets": _WORDS})


def _lock_blocked() -> sa.Select[Any]:
    """Two that settle the last two edges of a row at once would each see that of the other."""
    given = _given_ends()
    return (
        sa.select(_e.execution_id)
        .join(edges, edges.c.downstream == _e.execution_id)
        .join(given, given.c.key == edges.c.upstream)
        .order_by(_e.execution_id)  # who locks in one order does not deadlock
        .with_for_update(of=executions)
    )


LOCK_BLOCKED: Final = _lock_blocked()


@cache
def settling(news: sa.Select[Any]) -> sa.Select[Any]:
    """Delete the edges that ends meet, of rows that are locked, and free what has no other.

    Answers the edges to these ends, each with whether it was met, and tells of it if one was.
    """
    given = _given_ends()
    meets = sa.func.coalesce(_e.needs == sa.any_(given.c.meets), sa.false()).label("meets")
    found = (
        sa.select(edges.c.downstream, edges.c.upstream, meets)
        .join(given, given.c.key == edges.c.upstream)
        .join(executions, _e.execution_id == edges.c.downstream)
        .cte("found")
    )
    this = sa.and_(found.c.downstream == edges.c.downstream, found.c.upstream == edges.c.upstream)
    gone = sa.delete(edges).where(this, found.c.meets).cte("gone")
    ups = sa.func.array_agg(found.c.upstream).label("ups")
    met = sa.select(found.c.downstream, ups).where(found.c.meets).group_by(found.c.downstream)
    of = met.cte("met").c
    other = sa.exists().where(
        edges.c.downstream == of.downstream, edges.c.upstream != sa.all_(of.ups)
    )
    freed = sa.update(executions).where(_e.execution_id == of.downstream, ~other)
    freed = freed.values(blocked=sa.literal_column("0"), wait_until=sa.null())
    told = sa.case((found.c.meets, news.scalar_subquery()))
    answer = sa.select(found.c.downstream, found.c.upstream, found.c.meets, told)
    return answer.add_cte(gone, freed.cte("freed"))


def claiming(claim: Claim, skip: Sequence[str] = ()) -> Asked:
    """The statement of a claim, which passes over the ids in ``skip``."""
    wanted, asked = conditions(claim)
    idle = frozenset(map(int, claim.pauses.priorities))
    statement = claim_unlocked(replace(wanted, skip=bool(skip)), idle)
    return statement, {**asked, **grant(claim), "limit": claim.limit, "skip": list(skip)}


@cache
def claim_unlocked(wanted: Wanted, idle: frozenset[int] = frozenset()) -> sa.UpdateBase:
    """Claim rows that nobody else has locked; answers them in any order, and what they were.

    The outer limit ends the walk over the levels, so that no row is locked and then not taken.
    The priorities in ``idle`` are paused.
    """
    levels = without_levels(idle).subquery("ordered")
    old = [_e[name].label(f"old_{name}") for name in _CLAIMED]
    rows = sa.select(_e.execution_id, *old)
    lane = rows.where(_e.priority == levels.c.priority, _e.rank == levels.c.rank)
    locked = wanted.of(lane, _any_of).with_for_update(skip_locked=True).lateral("lane")
    walk = sa.select(*locked.c).select_from(levels.join(locked, sa.true()))
    picked = walk.limit(sa.bindparam("limit", type_=sa.Integer)).cte("picked").c
    claim = sa.update(executions).where(_e.execution_id == picked.execution_id)
    before = (picked[f"old_{name}"] for name in _CLAIMED)
    return claim.values(claim_changes()).returning(*COLUMNS, *before)
