"""What schedules of every kind need: queues, ranks, names, versions, totals; and plain views."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from advanced_scheduler.stores.migrations.views_0003 import create_views

revision = "0003"
down_revision = "0002"

_WORD: Final = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")
_CLAIMABLE: Final = "status IN ('pending', 'retrying') AND blocked = 0"
_DUE: Final = sa.text("coalesce(due_time, scheduled_time)")
_OLD_COLUMNS: Final = (
    "schedule_id, task_id, trigger, args, kwargs, priority, next_fire_time, last_fire_time, "
    "ledger_from, resumed_time, paused, version, misfire, max_catch_up, grace_seconds, overlap, "
    "tags"
)


def upgrade() -> None:
    """Add columns, each of which nodes of 0002 may leave out, tables, indexes and views."""
    schema = op.get_context().version_table_schema
    _executions(schema)
    _schedules(schema)
    _versions(schema)
    _totals(schema)
    for view in create_views(op.get_context().dialect, schema):
        op.execute(view)


def _executions(schema: str | None) -> None:
    for column in (
        sa.Column("queue", _WORD, nullable=False, server_default="default"),
        sa.Column("rank", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("extras", sa.Text),
    ):
        op.add_column("executions", column, schema=schema)
    op.drop_index("executions_claim", "executions", schema=schema)
    columns = ["priority", sa.text("rank DESC"), _DUE, "execution_id"]
    _index("executions_claim", columns, schema, where=_CLAIMABLE)


def _schedules(schema: str | None) -> None:
    for column in _new_columns():
        op.add_column("schedules", column, schema=schema)
    _index("schedules_unique_name", ["name"], schema, where="name IS NOT NULL", unique=True)
    _index("schedules_event", ["event", "schedule_id"], schema, where="event IS NOT NULL")
    _index("schedules_task", ["task_id", "schedule_id"], schema)


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", _WORD),
        sa.Column("event", _WORD),
        sa.Column("queue", _WORD),
        sa.Column("timeout", sa.Double),
        sa.Column("retry", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("max_runs", sa.Integer),
        sa.Column("run_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("pause_on_failure", sa.Integer),
        sa.Column("created_time", sa.BigInteger),
        sa.Column("changed_time", sa.BigInteger),
        sa.Column("changelog", sa.Text),
    ]


def _versions(schema: str | None) -> None:
    op.create_table(
        "schedule_versions",
        sa.Column("schedule_id", _WORD, primary_key=True),
        sa.Column("task_id", _WORD, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("args", sa.Text),
        sa.Column("kwargs", sa.Text),
        sa.Column("priority", sa.SmallInteger),
        sa.Column("next_fire_time", sa.BigInteger),
        sa.Column("last_fire_time", sa.BigInteger),
        sa.Column("ledger_from", sa.BigInteger),
        sa.Column("resumed_time", sa.BigInteger),
        sa.Column("paused", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("misfire", _WORD, nullable=False),
        sa.Column("max_catch_up", sa.Integer, nullable=False),
        sa.Column("grace_seconds", sa.Double),
        sa.Column("overlap", _WORD, nullable=False),
        sa.Column("tags", sa.Text),
        *_new_columns(),
        schema=schema,
    )
    place = (
        "" if schema is None else f"{op.get_context().dialect.identifier_preparer.quote(schema)}."
    )
    op.execute(
        f"INSERT INTO {place}schedule_versions ({_OLD_COLUMNS}) "
        f"SELECT {_OLD_COLUMNS} FROM {place}schedules"
    )


def _totals(schema: str | None) -> None:
    op.create_table(
        "schedule_totals",
        sa.Column("schedule_id", _WORD, primary_key=True),
        sa.Column("status", _WORD, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        schema=schema,
        sqlite_with_rowid=False,
    )


def _index(
    name: str, columns: list[Any], schema: str | None, *, where: str = "", unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        name.partition("_")[0],
        columns,
        unique=unique,
        schema=schema,
        sqlite_where=condition,
        postgresql_where=condition,
    )
