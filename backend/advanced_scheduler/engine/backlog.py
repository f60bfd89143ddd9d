"""Counts what waits, and what should have happened by now and has not, for the health report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from ..clock import Clock
from ..config import Settings
from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter, TaskPriority
from ..stores.base import Store
from .runner import WAITS_FOR_SERVER
from .views import TaskQueueView

SAMPLE: Final = 200  # rows; enough to see that there are some
LATE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the store tells: the first three at most ``SAMPLE``, see ``HealthFacts``.

    ``waiting`` is how many executions wait at each priority.
    """

    undrained: int = 0
    locks_waiting: int = 0
    ledger_gap: int = 0
    waiting: Mapping[TaskPriority, int] = field(default_factory=dict)


def backlog_of(store: Store, clock: Clock, settings: Settings) -> Backlog:
    """Read from the store; raises ``StoreUnavailable``."""
    store.ping()
    overdue = clock.now() - timedelta(seconds=max(LATE_SECONDS, 5 * settings.poll_seconds))
    first = ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=SAMPLE)
    rows = store.find(first)
    return Backlog(
        undrained=sum(not row.blocked_by and row.due < overdue for row in rows),
        locks_waiting=sum((row.reason or "").startswith(WAITS_FOR_SERVER) for row in rows),
        ledger_gap=len(store.due(overdue, SAMPLE)),
        waiting=TaskQueueView(store).by_priority(),
    )
