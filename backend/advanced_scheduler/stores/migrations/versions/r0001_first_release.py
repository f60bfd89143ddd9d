"""The tables of the first release, which made them without revisions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_WORD = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")
_CLAIMABLE = "status IN ('pending', 'retrying') AND blocked = 0"
_DUE = sa.text("coalesce(due_time, scheduled_time)")


def upgrade() -> None:
    """Make all tables and indexes."""
    schema = op.get_context().version_table_schema
    _meta(schema)
    _executions(schema)
    _executions_indexes(schema)
    _edges(schema)
    _schedules(schema)
    _ticks(schema)
    _locks(schema)


def _meta(schema: str | None) -> None:
    meta = op.create_table(
        "scheduler_meta",
        sa.Column("key", _WORD, primary_key=True),
        sa.Column("value", _WORD, nullable=False),
        schema=schema,
    )
    op.bulk_insert(meta, [{"key": "schema", "value": "1"}])


def _executions(schema: str | None) -> None:
    op.create_table(
        "executions",
        sa.Column("execution_id", _WORD, primary_key=True),
        sa.Column("task_id", _WORD, nullable=False),
        sa.Column("task_name", _WORD, nullable=False),
        sa.Column("status", _WORD, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("scheduled_time", sa.BigInteger, nullable=False),
        sa.Column("started_time", sa.BigInteger),
        sa.Column("completed_time", sa.BigInteger),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("traceback_str", sa.Text),
        sa.Column("retry_count", sa.Integer, nullable=False),
        sa.Column("lock_id", _WORD),
        sa.Column("dependencies", sa.Text),
        sa.Column("metrics", sa.Text),
        sa.Column("created_time", sa.BigInteger),
        sa.Column("due_time", sa.BigInteger),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("node", _WORD),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("args", sa.Text),
        sa.Column("kwargs", sa.Text),
        sa.Column("timeout", sa.Double),
        sa.Column("tags", sa.Text),
        sa.Column("unique_key", _WORD),
        sa.Column("workflow_id", _WORD),
        sa.Column("schedule_id", _WORD),
        sa.Column("blocked", sa.SmallInteger, nullable=False),
        sa.Column("wait_until", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("cause", sa.Text),
        schema=schema,
    )


def _executions_indexes(schema: str | None) -> None:
    _index("claim", ["priority", _DUE, "execution_id"], schema, where=_CLAIMABLE)
    _index("unique_key", ["unique_key"], schema, where="unique_key IS NOT NULL", unique=True)
    _index("ended", ["completed_time", "execution_id"], schema, where="completed_time IS NOT NULL")
    _index("blocked", ["execution_id"], schema, where="blocked = 1")
    _index("status", ["status", "execution_id", "priority"], schema)
    _index("task", ["task_id", "execution_id"], schema)
    _index("workflow", ["workflow_id", "execution_id"], schema, where="workflow_id IS NOT NULL")
    _index("schedule", ["schedule_id", "execution_id"], schema, where="schedule_id IS NOT NULL")


def _index(
    name: str, columns: list[Any], schema: str | None, *, where: str = "", unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        f"executions_{name}",
        "executions",
        columns,
        unique=unique,
        schema=schema,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _edges(schema: str | None) -> None:
    op.create_table(
        "execution_edges",
        sa.Column("downstream", _WORD, primary_key=True),
        sa.Column("upstream", _WORD, primary_key=True),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "execution_edges_upstream", "execution_edges", ["upstream", "downstream"], schema=schema
    )


def _schedules(schema: str | None) -> None:
    op.create_table(
        "schedules",
        sa.Column("schedule_id", _WORD, primary_key=True),
        sa.Column("task_id", _WORD, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("args", sa.Text),
        sa.Column("kwargs", sa.Text),
        sa.Column("priority", sa.SmallInteger),
        sa.Column("next_fire_time", sa.BigInteger),
        sa.Column("paused", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("misfire", _WORD, nullable=False),
        sa.Column("max_catch_up", sa.Integer, nullable=False),
        sa.Column("grace_seconds", sa.Double),
        sa.Column("overlap", _WORD, nullable=False),
        sa.Column("tags", sa.Text),
        schema=schema,
    )
    op.create_index(
        "schedules_due",
        "schedules",
        ["next_fire_time"],
        schema=schema,
        sqlite_where=sa.text("paused = 0"),
        postgresql_where=sa.text("paused = 0"),
    )


def _ticks(schema: str | None) -> None:
    op.create_table(
        "ticks",
        sa.Column("schedule_id", _WORD, primary_key=True),
        sa.Column("instant", sa.BigInteger, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("outcome", _WORD, nullable=False),
        sa.Column("execution_id", _WORD),
        sa.Column("reason", sa.Text),
        sa.Column("recorded_time", sa.BigInteger, nullable=False),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_index("ticks_instant", "ticks", ["instant"], schema=schema)


def _locks(schema: str | None) -> None:
    op.create_table(
        "locks",
        sa.Column("key", _WORD, primary_key=True),
        sa.Column("token", _WORD),
        sa.Column("until", sa.BigInteger),
        sa.Column("fence", sa.BigInteger, nullable=False),
        schema=schema,
    )
