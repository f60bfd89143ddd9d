"""Tells what waits at one priority, and for how long, to operators and to metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter, TaskExecution, TaskPriority, TaskStatus
from ..stores.base import ExecutionStore

WaitState = Literal["ready", "delayed", "blocked", "retrying"]
WAIT_STATES: Final[tuple[WaitState, ...]] = get_args(WaitState)


@dataclass(frozen=True, slots=True)
class Lane:
    """How many wait in which state, and for how many seconds the first one has been due."""

    states: Mapping[WaitState, int]
    oldest_age: float


def state_of(row: TaskExecution, now: datetime) -> WaitState:
    """What an execution that waits is waiting for."""
    if row.status is TaskStatus.RETRYING:
        return "retrying"
    if row.blocked_by:
        return "blocked"
    return "ready" if row.due <= now else "delayed"


def waiting_since(row: TaskExecution) -> datetime:
    """From when on somebody could have taken it: what is made good for the past was not there."""
    return max(row.due, row.created_time or row.due)


def lane_of(
    store: ExecutionStore, priority: TaskPriority, waiting: int, now: datetime, *, look_at: int
) -> Lane:
    """The lane of a priority at which so many are waiting.

    Rows beyond the first ``look_at`` in the order of claims count like the last of those.
    """
    query = ExecutionFilter(statuses=CLAIMABLE, priority=priority, order="claim", limit=look_at)
    rows = store.find(query) if waiting else []
    states = Counter(state_of(row, now) for row in rows)
    if rows:
        states[state_of(rows[-1], now)] += max(waiting - len(rows), 0)
    ready = (waiting_since(row) for row in rows if not row.blocked_by and row.due <= now)
    return Lane(states, (now - min(ready, default=now)).total_seconds())
