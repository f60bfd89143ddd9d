"""The tables of the SQL store."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ..lifecycle import CLAIMABLE, FINAL
from ..models import DEFAULT_QUEUE, TaskPriority, TaskStatus

HEAD: Final = "0006"
"""The revision that these tables are; ``migrations/versions`` leads there from any older one."""

READABLE_FROM: Final = "0001"
"""The oldest revision whose code may go on beside these tables: so far, they have only grown."""

WORD: Final = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")
"""Ids and names, which PostgreSQL is to compare as Python does, whatever its locale."""

INSTANT: Final = sa.BigInteger()
"""UTC microseconds since 1970."""

JSON: Final = sa.Text()
"""A structured value, as text."""

FLAG: Final = sa.SmallInteger()
"""0 or 1."""

metadata: Final = sa.MetaData()

version: Final = sa.Table(
    "advanced_scheduler_version",  # as Alembic makes it
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="advanced_scheduler_version_pkc"),
)

meta: Final = sa.Table(
    "scheduler_meta",
    metadata,
    sa.Column("key", WORD, primary_key=True),
    sa.Column("value", WORD, nullable=False),
)

META: Final = [
    {"key": "schema", "value": "1"},  # what the first release, which has no revisions, asks for
    {"key": "readable_from", "value": READABLE_FROM},
]
"""The rows of ``scheduler_meta``."""

executions: Final = sa.Table(
    "executions",
    metadata,
    sa.Column("execution_id", WORD, primary_key=True),
    sa.Column("task_id", WORD, nullable=False),
    sa.Column("task_name", WORD, nullable=False),
    sa.Column("status", WORD, nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("scheduled_time", INSTANT, nullable=False),
    sa.Column("started_time", INSTANT),
    sa.Column("completed_time", INSTANT),
    sa.Column("result", JSON),
    sa.Column("error", sa.Text),
    sa.Column("traceback_str", sa.Text),
    sa.Column("retry_count", sa.Integer, nullable=False),
    sa.Column("lock_id", WORD),
    sa.Column("dependencies", JSON),
    sa.Column("metrics", JSON),
    sa.Column("created_time", INSTANT),
    sa.Column("due_time", INSTANT),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("node", WORD),
    sa.Column("lease_until", INSTANT),
    sa.Column("args", JSON),
    sa.Column("kwargs", JSON),
    sa.Column("timeout", sa.Double),
    sa.Column("tags", JSON),
    sa.Column("unique_key", WORD),
    sa.Column("workflow_id", WORD),
    sa.Column("schedule_id", WORD),
    sa.Column("blocked", FLAG, nullable=False),  # 1 while it has rows in ``edges``
    sa.Column("wait_until", INSTANT),
    sa.Column("at_most_once", FLAG, nullable=False, server_default="0"),
    sa.Column("queue", WORD, nullable=False, server_default=DEFAULT_QUEUE),
    sa.Column("rank", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("extras", JSON),
    sa.Column("reason", sa.Text),
    sa.Column("cause", sa.Text),
    sa.Column("needs", WORD),  # what ``lifecycle.plain_need`` says of a blocked row
)

edges: Final = sa.Table(
    "execution_edges",
    metadata,
    sa.Column("downstream", WORD, primary_key=True),
    sa.Column("upstream", WORD, primary_key=True),
    sqlite_with_rowid=False,
)


def _schedules(name: str, *, version_is_key: bool) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("schedule_id", WORD, primary_key=True),
        sa.Column("task_id", WORD, nullable=False),
        sa.Column("trigger", JSON, nullable=False),
        sa.Column("args", JSON),
        sa.Column("kwargs", JSON),
        sa.Column("priority", sa.SmallInteger),
        sa.Column("next_fire_time", INSTANT),
        sa.Column("last_fire_time", INSTANT),
        sa.Column("ledger_from", INSTANT),
        sa.Column("resumed_time", INSTANT),
        sa.Column("paused", FLAG, nullable=False),
        sa.Column("version", sa.Integer, primary_key=version_is_key, nullable=False),
        sa.Column("misfire", WORD, nullable=False),
        sa.Column("max_catch_up", sa.Integer, nullable=False),
        sa.Column("grace_seconds", sa.Double),
        sa.Column("overlap", WORD, nullable=False),
        sa.Column("tags", JSON),
        sa.Column("name", WORD),
        sa.Column("event", WORD),
        sa.Column("queue", WORD),
        sa.Column("timeout", sa.Double),
        sa.Column("retry", JSON),
        sa.Column("metadata", JSON),
        sa.Column("max_runs", sa.Integer),
        sa.Column("run_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("pause_on_failure", sa.Integer),
        sa.Column("created_time", INSTANT),
        sa.Column("changed_time", INSTANT),
        sa.Column("changelog", sa.Text),
    )


schedules: Final = _schedules("schedules", version_is_key=False)
versions: Final = _schedules("schedule_versions", version_is_key=True)

totals: Final = sa.Table(
    "schedule_totals",  # of executions that were pruned
    metadata,
    sa.Column("schedule_id", WORD, primary_key=True),
    sa.Column("status", WORD, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

ticks: Final = sa.Table(
    "ticks",
    metadata,
    sa.Column("schedule_id", WORD, primary_key=True),
    sa.Column("instant", INSTANT, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("outcome", WORD, nullable=False),
    sa.Column("execution_id", WORD),
    sa.Column("reason", sa.Text),
    sa.Column("recorded_time", INSTANT, nullable=False),
    sqlite_with_rowid=False,
)

locks: Final = sa.Table(
    "locks",
    metadata,
    sa.Column("key", WORD, primary_key=True),
    sa.Column("token", WORD),
    sa.Column("until", INSTANT),
    sa.Column("fence", sa.BigInteger, nullable=False),
)

records: Final = sa.Table(
    "records",  # of the operation: nodes, pauses, keys, audit lines
    metadata,
    sa.Column("kind", WORD, primary_key=True),
    sa.Column("record_id", WORD, primary_key=True),
    sa.Column("written_time", INSTANT, nullable=False),
    sa.Column("data", JSON),
    sqlite_with_rowid=False,
)

_e, _s = executions.c, schedules.c

due: Final = sa.func.coalesce(_e.due_time, _e.scheduled_time)
"""From when a row may be claimed; spelled as in its index, or the index would not be used."""

claimable: Final = sa.text(
    "status IN ({}) AND blocked = 0".format(", ".join(f"'{one}'" for one in sorted(CLAIMABLE)))
)
"""The rows that a claim looks at, spelled as in the condition of their index."""


UNSUCCESSFUL: Final = FINAL - {TaskStatus.COMPLETED}
unsuccessful: Final = sa.text(
    "status IN ({})".format(", ".join(f"'{one}'" for one in sorted(UNSUCCESSFUL)))
)
other_queue: Final = sa.text(f"queue <> '{DEFAULT_QUEUE}'")
other_priority: Final = sa.text(f"priority <> {TaskPriority.NORMAL:d}")
"""The few rows that lists are asked for among many, spelled as in the conditions of indexes."""


def _index(name: str, *columns: sa.ColumnElement[Any], where: str | sa.TextClause = "") -> None:
    """An index, over the rows that meet ``where`` alone: most rows are history."""
    clause = sa.text(where) if isinstance(where, str) else where
    partial: dict[str, Any] = {}
    if clause.text:
        partial = {"sqlite_where": clause, "postgresql_where": clause}
    sa.Index(name, *columns, unique="unique" in name, **partial)


_index("executions_claim", _e.priority, _e.rank.desc(), due, _e.execution_id, where=claimable)
_index("executions_unique_key", _e.unique_key, where="unique_key IS NOT NULL")
_index("executions_ended", _e.completed_time, _e.execution_id, where="completed_time IS NOT NULL")
_index("executions_blocked", _e.execution_id, where="blocked = 1")
_index("executions_status", _e.status, _e.execution_id, _e.priority)
_index("executions_task", _e.task_id, _e.execution_id)
_index("executions_unsuccessful", _e.task_id, _e.status, _e.execution_id, where=unsuccessful)
_index("executions_queue", _e.queue, _e.execution_id, where=other_queue)
_index("executions_priority", _e.priority, _e.execution_id, where=other_priority)
_index("executions_workflow", _e.workflow_id, _e.execution_id, where="workflow_id IS NOT NULL")
_index("executions_schedule", _e.schedule_id, _e.execution_id, where="schedule_id IS NOT NULL")
_index("execution_edges_upstream", edges.c.upstream, edges.c.downstream)
_index("schedules_due", _s.next_fire_time, where="paused = 0")
_index("schedules_unique_name", _s.name, where="name IS NOT NULL")
_index("schedules_event", _s.event, _s.schedule_id, where="event IS NOT NULL")
_index("schedules_task", _s.task_id, _s.schedule_id)
_index("ticks_instant", ticks.c.instant)
_index("records_written", records.c.kind, records.c.written_time, records.c.record_id)
