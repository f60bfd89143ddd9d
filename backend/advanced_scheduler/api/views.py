"""How executions look from outside, in words that hold for every way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from ..engine.again import AGAIN
from ..engine.intake import PARENT
from ..lifecycle import FINAL
from ..models import Outline, Progress, TaskExecution, TaskPriority, TaskStatus, attempts_of
from .fields import PriorityName
from .schemas import (
    AttemptOut,
    Cause,
    DependencyOut,
    ExecutionDetail,
    ExecutionEnded,
    ExecutionOut,
    ProgressOut,
)

HIDDEN: Final = "********"
"""In the place of what nobody should read."""

_SECRET: Final = ("password", "passwd", "secret", "token", "api_key", "apikey", "authorization")
_SERVICE_KEYS: Final = {"module_id", "function_name"}


def priority_name(priority: TaskPriority) -> PriorityName:
    """``high`` for ``TaskPriority.HIGH``."""
    name: Any = TaskPriority(priority).word
    found: PriorityName = name
    return found


def priority_of(name: PriorityName) -> TaskPriority:
    """The inverse of ``priority_name``."""
    return TaskPriority[name.upper()]


def node_of(row: TaskExecution | Outline) -> str | None:
    """Where it runs, or has run last."""
    return row.node or row.metrics.get("node")


def metadata_of(row: TaskExecution) -> Mapping[str, Any]:
    """What the caller, or document 001's service, has kept with it."""
    found = row.extras.get("metadata")
    return found if isinstance(found, Mapping) else {}


def redacted(value: Any) -> Any:
    """The same with everything hidden whose key sounds like a secret."""
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if _is_secret(str(key)) else redacted(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def execution_out(row: TaskExecution) -> ExecutionOut:
    """A row of a list."""
    return ExecutionOut(**_common(row))


def execution_ended(row: TaskExecution) -> ExecutionEnded:
    """A row of the history of a task."""
    return ExecutionEnded(**_common(row), result=redacted(row.result))


def progress_out(progress: Progress | None) -> ProgressOut | None:
    """How far it is."""
    return None if progress is None else ProgressOut(**asdict(progress))


def execution_detail(row: TaskExecution, progress: Progress | None = None) -> ExecutionDetail:
    """All there is to say."""
    return ExecutionDetail(
        **_common(row),
        args=redacted(row.args),
        kwargs=redacted(row.kwargs),
        result=redacted(row.result),
        traceback=row.traceback_str,
        metrics=redacted(row.metrics),
        metadata=redacted(metadata_of(row)),
        lock_id=row.lock_id,
        timeout=row.timeout,
        fence=row.fence,
        lease_until=row.lease_until,
        progress=progress_out(progress),
        dependencies=[
            DependencyOut(
                task_id=one.task_id,
                type=one.dependency_type,
                execution_id=one.execution_id,
                settled=one.key not in row.blocked_by,
            )
            for one in row.dependencies
        ],
        attempts=[_attempt(one) for one in attempts_of(row)],
    )


def _common(row: TaskExecution) -> dict[str, Any]:
    metadata = metadata_of(row)
    ended = row.status in FINAL
    return {
        "id": row.execution_id,
        "task_id": _task_id(row, metadata),
        "task": row.task_id,
        "task_name": row.task_name,
        "status": row.status.value,
        "success": row.status is TaskStatus.COMPLETED if ended else None,
        "priority": priority_name(row.priority),
        "queue": row.queue,
        "rank": row.rank,
        "scheduled_time": row.scheduled_time,
        "due_time": row.due,
        "created_time": row.created_time,
        "start_time": row.started_time,
        "end_time": row.completed_time,
        "duration": row.metrics.get("execution_time"),
        "queue_wait": row.metrics.get("queue_wait"),
        "attempt": row.attempt,
        "retry_count": row.retry_count,
        "crashes": row.crashes,
        "node": node_of(row),
        "error": row.error,
        "reason": row.reason or row.metrics.get("lost"),
        "cause": row.cause,
        "caused_by": _caused_by(row),
        "again": row.extras.get(AGAIN),
        "parent": row.extras.get(PARENT),
        "tags": list(row.tags),
        "schedule_id": row.schedule_id,
        "workflow_id": row.workflow_id,
        "trace_session_id": metadata.get("trace_session_id"),
    }


def _task_id(row: TaskExecution, metadata: Mapping[str, Any]) -> str:
    """A task that document 001's service has scheduled is known by the id of its schedule."""
    of_service = row.schedule_id is not None and metadata.keys() >= _SERVICE_KEYS
    return row.schedule_id if of_service and row.schedule_id else row.task_id


def _caused_by(row: TaskExecution) -> Cause:
    if AGAIN in row.extras:
        return "retry"
    if PARENT in row.extras:
        return "task"
    if row.schedule_id is not None:
        return "schedule"
    return "dependency" if row.dependencies else "api"


def _attempt(told: Mapping[str, Any]) -> AttemptOut:
    def time(name: str) -> datetime | None:
        text = told.get(name)
        return datetime.fromisoformat(text) if text else None

    return AttemptOut(
        attempt=told.get("attempt", 0),
        outcome=told.get("outcome", "failed"),
        started_time=time("started"),
        ended_time=time("ended"),
        node=told.get("node"),
        error=told.get("error"),
        traceback=told.get("traceback"),
        retry_time=time("due"),
        retry_delay=told.get("delay"),
        backoff=told.get("backoff"),
    )


def _is_secret(key: str) -> bool:
    folded = key.casefold()
    return any(word in folded for word in _SECRET)
