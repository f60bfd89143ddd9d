"""What large graphs need: the end of an upstream settles a dependent without reading it."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_WORD: Final[Any] = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column, which nodes of 0003 leave out: their rows are looked at, as before."""
    schema = op.get_context().version_table_schema
    op.add_column("executions", sa.Column("needs", _WORD), schema=schema)
