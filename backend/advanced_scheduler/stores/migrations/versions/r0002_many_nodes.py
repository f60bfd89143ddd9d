"""What many nodes need: tasks that run at most once, and the bounds of a schedule's ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns, each of which nodes of 0001 may leave out."""
    schema = op.get_context().version_table_schema
    op.add_column(
        "executions",
        sa.Column("at_most_once", sa.SmallInteger, nullable=False, server_default="0"),
        schema=schema,
    )
    for name in ("last_fire_time", "ledger_from", "resumed_time"):
        op.add_column("schedules", sa.Column(name, sa.BigInteger), schema=schema)
    meta = sa.table(
        "scheduler_meta", sa.column("key", sa.String), sa.column("value", sa.String), schema=schema
    )
    op.execute(sa.insert(meta).values(key="readable_from", value="0001"))
