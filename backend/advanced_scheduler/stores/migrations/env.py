"""What Alembic runs; ``sql_migration`` says on which connection, or for which dialect."""

from __future__ import annotations

from alembic import context
from sqlalchemy.schema import CreateSchema

given = context.config.attributes
context.configure(**given["options"])
with context.begin_transaction():
    if (schema := given.get("create_schema")) is not None:
        context.execute(CreateSchema(schema, if_not_exists=True))
    context.run_migrations()
