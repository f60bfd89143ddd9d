"""What the operation of a cluster needs: records of nodes, pauses, keys and what was done."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_WORD: Final = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table, which nodes of 0004 do not look at."""
    schema = op.get_context().version_table_schema
    op.create_table(
        "records",
        sa.Column("kind", _WORD, primary_key=True),
        sa.Column("record_id", _WORD, primary_key=True),
        sa.Column("written_time", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "records_written", "records", ["kind", "written_time", "record_id"], schema=schema
    )
