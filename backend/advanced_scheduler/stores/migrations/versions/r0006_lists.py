"""What lists are asked for among many: failures of a task, other queues, other priorities."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INDEXES: Final = {
    "unsuccessful": (
        ["task_id", "status", "execution_id"],
        "status IN ('cancelled', 'failed', 'skipped')",
    ),
    "queue": (["queue", "execution_id"], "queue <> 'default'"),
    "priority": (["priority", "execution_id"], "priority <> 2"),
}


def upgrade() -> None:
    """Add indexes, which nodes of 0005 keep as well and do not know of."""
    schema = op.get_context().version_table_schema
    for name, (columns, where) in _INDEXES.items():
        op.create_index(
            f"executions_{name}",
            "executions",
            columns,
            schema=schema,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
