"""A durable store in any database that SQLAlchemy Core speaks to; today that is SQLite."""

from __future__ import annotations

from ..models import Parked
from .sql_executions import SqlExecutions
from .sql_locks import SqlLocks
from .sql_revisions import SqlRevisions
from .sql_schedules import SqlSchedules


class SqlStore(SqlExecutions, SqlSchedules, SqlLocks, SqlRevisions):
    """All that a store may be, on ``sqlite:///file.db``; several processes may share it.

    Raises ``ConfigurationError`` for a URL that cannot work.
    """

    durable = True
    blocking = True

    def unreadable(self) -> list[Parked]:
        """What was met lately and could not be read."""
        return [*self._executions.unreadable(), *self._schedules.unreadable()]
