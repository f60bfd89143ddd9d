"""How executions and the queue look from outside: plain dicts and counts, read from the store."""

from __future__ import annotations

import reprlib
from datetime import datetime
from typing import Any

from ..errors import InvalidArguments
from ..lifecycle import CLAIMABLE
from ..models import (
    ExecutionFilter,
    Notes,
    Progress,
    RecordKind,
    TaskExecution,
    TaskPriority,
)
from ..stores.base import ExecutionStore
from ..stores.record_store import RecordStore
from .notebook import notes_in


def notes_of(store: RecordStore, execution_id: str) -> Notes:
    """What the execution has told."""
    found = store.records(RecordKind.LOG, ids=[execution_id])
    return notes_in(found[0].data) if found else Notes()


def status_of(row: TaskExecution, progress: Progress | None = None) -> dict[str, Any]:
    """An execution as ``get_task_status`` answers it: JSON but for the result; times ISO 8601."""
    return {
        "execution_id": row.execution_id,
        "task_id": row.task_id,
        "task_name": row.task_name,
        "status": row.status.value,
        "priority": row.priority,
        "scheduled_time": _iso(row.scheduled_time),
        "due_time": _iso(row.due),
        "started_time": _iso(row.started_time),
        "completed_time": _iso(row.completed_time),
        "retry_count": row.retry_count,
        "attempt": row.attempt,
        "node": row.node,
        "error": row.error,
        "traceback": row.traceback_str,
        "reason": row.reason or row.metrics.get("lost"),
        "result": row.result,
        "metrics": dict(row.metrics),
        "progress": None if progress is None else _told(progress),
    }


def _told(progress: Progress) -> dict[str, Any]:
    return {
        "done": progress.done,
        "total": progress.total,
        "message": progress.message,
        "time": _iso(progress.time),
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


class TaskQueueView:
    """The priority queue over all that waits, asked of the store: which never forgets.

    Executions that wait for a dependency, a retry or a later hour count as well; the order is
    that of ``lifecycle.claim_order``.
    """

    def __init__(self, store: ExecutionStore) -> None:
        self._store = store

    def size(self, priority: TaskPriority | None = None) -> int:
        """How many executions wait, in all or at one priority."""
        by_priority = self.by_priority()
        if priority is None:
            return sum(by_priority.values())
        if priority not in by_priority:
            raise InvalidArguments(f"priority={reprlib.repr(priority)} must be a TaskPriority")
        return by_priority[priority]

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.size() == 0

    def peek(self) -> TaskExecution | None:
        """The execution that is first in line; None if nothing waits."""
        return next(iter(self._waiting(limit=1)), None)

    def get_tasks_by_priority(
        self, priority: TaskPriority, limit: int = 1000
    ) -> list[TaskExecution]:
        """At most ``limit`` executions that wait at one priority, in order."""
        return self._waiting(priority=priority, limit=limit)

    def by_priority(self) -> dict[TaskPriority, int]:
        """How many wait at each of the five priorities."""
        waiting = dict.fromkeys(TaskPriority, 0)
        for (_, priority), count in self._store.counts(CLAIMABLE).items():
            waiting[priority] += count
        return waiting

    def _waiting(self, *, limit: int, priority: TaskPriority | None = None) -> list[TaskExecution]:
        return self._store.find(
            ExecutionFilter(statuses=CLAIMABLE, priority=priority, order="claim", limit=limit)
        )
