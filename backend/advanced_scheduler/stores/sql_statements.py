"""The statements about executions, each built once, so that SQLAlchemy compiles it once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from ..lifecycle import FINAL, OPEN
from ..lifecycle import claim as claiming
from ..models import (
    DEFAULT_QUEUE,
    ExecutionFilter,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    task_key,
)
from .rows import EXECUTION, OUTLINE, write
from .sql_schema import (
    UNSUCCESSFUL,
    claimable,
    due,
    edges,
    executions,
    other_priority,
    other_queue,
    ticks,
    unsuccessful,
)

_e = executions.c
_FINAL: Final = sorted(map(str, FINAL))
_TASK_PREFIX: Final = task_key("")


class _json_list(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - a function of SQL
    """The values of a column as one JSON text."""

    type = sa.Text()
    inherit_cache = True


@compiles(_json_list, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(_json_list, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **options)})::text"


Listed = Callable[[sa.ColumnElement[Any], str], sa.ColumnElement[bool]]
"""The condition that a column is one of the values of a parameter."""


def _listed(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


_BLOCKERS: Final = sa.case(
    (
        _e.blocked == sa.literal_column("1"),
        sa.select(_json_list(edges.c.upstream))
        .where(edges.c.downstream == _e.execution_id)
        .correlate(executions)
        .scalar_subquery(),
    )
).label("blockers")

COLUMNS: Final = tuple(_e[name] for name in EXECUTION.names)
ROWS: Final = sa.select(*COLUMNS, _BLOCKERS)
"""Rows, each with a JSON list of what blocks it: one statement sees one instant."""

OUTLINES: Final = sa.select(*(_e[name] for name in OUTLINE.names))
CLAIM_ORDER: Final = (_e.priority, _e.rank.desc(), due, _e.execution_id)

BY_IDS: Final = ROWS.where(_listed(_e.execution_id, "ids"))
BY_UNIQUE_KEY: Final = ROWS.where(_e.unique_key == sa.bindparam("key"))
NEWEST: Final = (
    ROWS.where(_e.task_id == sa.bindparam("task_id")).order_by(_e.execution_id.desc()).limit(1)
)
EXPIRED: Final = (
    ROWS.where(_e.status == str(TaskStatus.RUNNING), _e.lease_until <= sa.bindparam("now"))
    .order_by(_e.lease_until, _e.execution_id)
    .limit(sa.bindparam("limit"))
    .with_for_update(of=executions, skip_locked=True)  # a row in use must not stop the rescue
)
DEPENDENTS: Final = ROWS.where(
    _e.execution_id.in_(sa.select(edges.c.downstream).where(_listed(edges.c.upstream, "keys")))
)

EXPIRED_AFTER: Final = EXPIRED.where(
    sa.tuple_(_e.lease_until, _e.execution_id)
    > sa.tuple_(sa.bindparam("last_lease"), sa.bindparam("last_id"))
)

COUNTS: Final = (
    sa.select(_e.status, _e.priority, sa.func.count())
    .where(_listed(_e.status, "statuses"))
    .group_by(_e.status, _e.priority)
)
# Grouped by an expression: by the column, SQLite (once analysed) walks the history in its order.
_any_task: Final = _e.task_id.concat(sa.literal_column("''")).label("task_id")
WAITING_TASKS: Final = (
    sa.select(_any_task, sa.func.count().label("number"))
    .where(_e.status.in_(sorted(map(str, OPEN))))
    .group_by(_any_task.element)
)
SEEN_STATES: Final = (
    sa.select(_e.execution_id, _e.status, _e.fence, _e.task_id, _e.node)
    .where(_listed(_e.execution_id, "ids"))
    .order_by(_e.execution_id)  # who locks in one order does not deadlock
)
FREE_STATES: Final = SEEN_STATES.with_for_update(skip_locked=True)
TAKEN_IDS: Final = sa.select(_e.execution_id).where(_listed(_e.execution_id, "ids"))
TAKEN_BY: Final = sa.select(_e.execution_id).where(_e.unique_key == sa.bindparam("key"))
TAKEN_KEYS: Final = sa.select(_e.unique_key).where(_listed(_e.unique_key, "keys"))

DELETE_EDGE: Final = sa.delete(edges).where(
    edges.c.downstream == sa.bindparam("down"), edges.c.upstream == sa.bindparam("up")
)
FREE_IF_NO_EDGE: Final = (
    sa.update(executions)
    .where(
        _e.execution_id == sa.bindparam("down"),
        ~sa.exists().where(edges.c.downstream == _e.execution_id),
    )
    .values(blocked=0)
)


def page(rows: sa.Select[Any], query: ExecutionFilter) -> sa.Select[Any]:
    """Those of ``rows`` that fit, in order; conditions that name an index are spelled as it is."""
    statement = rows.limit(query.limit)
    for name in ("workflow_id", "schedule_id", "priority", "queue"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(_e[name] == write(name, wanted))
    if query.task_id is not None:
        # What is open stands in the index of states; that of tasks leads through the history.
        is_open = query.statuses is not None and query.statuses <= OPEN
        statement = statement.where((_any_task.element if is_open else _e.task_id) == query.task_id)
    if query.statuses is not None:
        statement = statement.where(_e.status.in_(sorted(map(str, query.statuses))))
        if query.task_id is not None and query.statuses <= UNSUCCESSFUL:
            statement = statement.where(unsuccessful)
    if query.order == "claim":
        return statement.order_by(*CLAIM_ORDER)
    if query.queue not in (None, DEFAULT_QUEUE):
        statement = statement.where(other_queue)
    if query.priority not in (None, TaskPriority.NORMAL) and query.statuses is None:
        statement = statement.where(other_priority)
    if query.cursor is not None:
        statement = statement.where(_e.execution_id < query.cursor)
    return statement.order_by(_e.execution_id.desc())


def without_skipped(statement: sa.Select[Any]) -> sa.Select[Any]:
    """The same rows but for the ids in the parameter ``skip``."""
    return statement.where(~_listed(_e.execution_id, "skip"))


def _levels() -> sa.CTE:
    """Every priority and rank that a claimable row has: a few searches of the index for each.

    A claim then searches each level by due time, so that delayed rows cost nothing. Each
    priority ends with a rank that is NULL.
    """
    highest = sa.select(_e.rank).where(claimable).order_by(_e.rank.desc()).limit(1)
    constants = (sa.literal_column(f"{one:d}", sa.SmallInteger) for one in TaskPriority)
    given = sa.union_all(*(sa.select(one.label("priority")) for one in constants)).subquery().c
    first = highest.where(_e.priority == given.priority).scalar_subquery()
    levels = sa.select(given.priority, first.label("rank")).cte("levels", recursive=True)
    lower = highest.where(_e.priority == levels.c.priority, _e.rank < levels.c.rank)
    return levels.union_all(
        sa.select(levels.c.priority, lower.scalar_subquery()).where(levels.c.rank.is_not(None))
    )


_LEVELS: Final = _levels().c
ORDERED_LEVELS: Final = (
    sa.select(_LEVELS.priority, _LEVELS.rank)
    .where(_LEVELS.rank.is_not(None))
    .order_by(_LEVELS.priority, _LEVELS.rank.desc())
)


def without_levels(priorities: Collection[int]) -> sa.Select[Any]:
    """Priorities and ranks in the order of claims, but those of some priorities."""
    constants = [sa.literal_column(f"{one:d}", sa.SmallInteger) for one in sorted(priorities)]
    return ORDERED_LEVELS.where(_LEVELS.priority.not_in(constants)) if constants else ORDERED_LEVELS


_FIRST_DUE: Final = (
    sa.select(due)
    .where(_e.priority == _LEVELS.priority, _e.rank == _LEVELS.rank, claimable)
    .order_by(due)
    .limit(1)
    .scalar_subquery()
)

LEVELS: Final = ORDERED_LEVELS.where(sa.bindparam("now") >= _FIRST_DUE)
"""Where there are due rows, in the order of claims."""

NEXT_DUE: Final = sa.select(sa.func.min(_FIRST_DUE)).where(_LEVELS.rank.is_not(None))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conditions a claim has: on task ids, execution ids and queues."""

    exclude: bool = False
    skip: bool = False
    queues: bool = False
    paused: bool = False

    def of(self, lane: sa.Select[Any], listed: Listed = _listed) -> sa.Select[Any]:
        """The due rows of one level that meet the conditions, in order."""
        lane = lane.where(claimable, due <= sa.bindparam("now")).order_by(due, _e.execution_id)
        if self.exclude:
            lane = lane.where(~listed(_e.task_id, "exclude"))
        if self.skip:
            lane = lane.where(~listed(_e.execution_id, "skip"))
        if self.queues:
            lane = lane.where(listed(_e.queue, "queues"))
        if self.paused:
            lane = lane.where(~listed(_e.queue, "paused"))
        return lane.limit(sa.bindparam("limit", type_=sa.Integer))


@cache
def candidates(wanted: Wanted) -> sa.Select[Any]:
    """Rows of one level to claim, for a transaction that is alone."""
    level = (_e.priority == sa.bindparam("priority"), _e.rank == sa.bindparam("rank"))
    return wanted.of(ROWS.where(*level))


def _stranded() -> sa.Select[Any]:
    upstream, later = executions.alias("upstream"), executions.alias("later")
    names_a_task = edges.c.upstream.startswith(_TASK_PREFIX, autoescape=True)
    still_open = sa.exists().where(
        upstream.c.execution_id == edges.c.upstream, upstream.c.status.not_in(_FINAL)
    )
    task_id = sa.func.substr(edges.c.upstream, len(_TASK_PREFIX) + 1)
    ran_since = (
        sa.exists()
        .where(
            later.c.task_id == task_id,
            # As a pair, for the index of both: PostgreSQL would walk over all later rows instead.
            sa.tuple_(later.c.task_id, later.c.execution_id) > sa.tuple_(task_id, _e.execution_id),
            later.c.status.in_(_FINAL),
        )
        .correlate(edges, executions)  # not automatic over two levels
    )
    over = sa.exists().where(
        edges.c.downstream == _e.execution_id,
        sa.or_(sa.and_(names_a_task, ran_since), sa.and_(~names_a_task, ~still_open)),
    )
    return (
        ROWS.where(_e.blocked == sa.literal_column("1"))
        .where(sa.or_(_e.wait_until <= sa.bindparam("now"), over))
        .order_by(_e.execution_id)
        .limit(sa.bindparam("limit"))
    )


def _oldest_ended(*conditions: sa.ColumnElement[bool]) -> sa.UpdateBase:
    oldest = (
        sa.select(_e.execution_id)
        .where(_e.completed_time.is_not(None), *conditions)
        .order_by(_e.completed_time, _e.execution_id)
        .limit(sa.bindparam("limit"))
    )
    return _deleted(_e.execution_id.in_(oldest))


def _deleted(*conditions: sa.ColumnElement[bool]) -> sa.UpdateBase:
    delete = sa.delete(executions).where(*conditions)
    return delete.returning(
        _e.execution_id, _e.schedule_id, _e.status, _e.started_time, _e.completed_time
    )


def claim_changes() -> dict[str, Any]:
    """What a claim writes, by the parameters ``now``, ``new_node`` and ``new_lease_until``."""
    columns = cast(TaskExecution, _e)  # so that "attempt + 1" becomes SQL
    changes: dict[str, Any] = {
        **claiming(
            columns,
            node=cast(str, sa.bindparam("new_node")),
            now=cast(datetime, sa.bindparam("now")),
            lease_until=cast(datetime, sa.bindparam("new_lease_until")),
        )
    }
    changes["status"] = str(changes["status"])
    return changes


CLAIM: Final = sa.update(executions).where(_listed(_e.execution_id, "ids")).values(claim_changes())
STRANDED: Final = _stranded()

PRUNE_BY_AGE: Final = _oldest_ended(_e.completed_time < sa.bindparam("older_than"))
PRUNE_BY_COUNT: Final = _oldest_ended(
    _e.completed_time < sa.bindparam("before"),
    sa.tuple_(_e.completed_time, _e.execution_id)
    <= sa.tuple_(sa.bindparam("last_time"), sa.bindparam("last_id")),
)
PRUNABLE: Final = sa.select(
    sa.exists().where(_e.completed_time < sa.bindparam("before")),
    sa.exists().where(_e.completed_time < sa.bindparam("older_than")),
    sa.exists().where(ticks.c.instant < sa.bindparam("older_than")),
)
"""Whether a row ended before, is too old; whether a tick is too old."""
DELETE: Final = _deleted(_listed(_e.execution_id, "ids"), _e.status.in_(_FINAL))
NEWEST_IN_EXCESS: Final = (
    sa.select(_e.completed_time, _e.execution_id)
    .where(_e.completed_time.is_not(None))
    .order_by(_e.completed_time.desc(), _e.execution_id.desc())
    .limit(1)
    .offset(sa.bindparam("keep"))
)
