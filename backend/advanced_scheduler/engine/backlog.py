"""Counts what waits, and what should have happened by now and has not, for the health report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ..clock import Clock
from ..config import Settings
from ..lifecycle import CLAIMABLE
from ..models import NO_PAUSES, ExecutionFilter, Pauses, TaskExecution, TaskPriority
from ..stores.base import Store
from .lanes import waiting_since
from .pauses import read_pauses
from .runner import WAITS_FOR_SERVER
from .views import TaskQueueView

SAMPLE: Final = 200  # rows; enough to see that there are some
WAITING_SECONDS: Final = 3.0
"""Due for longer, an execution waits for somebody who does not come."""
LATE_SECONDS: Final = 10.0
"""The same of a schedule: of thousands that are due at once, the last take a while."""


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
    now, poll = clock.now(), settings.poll_seconds
    waiting = now - timedelta(seconds=max(WAITING_SECONDS, 3 * poll))
    late = now - timedelta(seconds=max(LATE_SECONDS, 5 * poll))
    rows = store.find(ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=SAMPLE))
    return Backlog(
        undrained=_undrained(store, rows, read_pauses(store), waiting),
        locks_waiting=sum((row.reason or "").startswith(WAITS_FOR_SERVER) for row in rows),
        ledger_gap=len(store.due(late, SAMPLE)),
        waiting=TaskQueueView(store).by_priority(),
    )


def _undrained(store: Store, rows: Sequence[TaskExecution], pauses: Pauses, since: datetime) -> int:
    """How many of the rows, the first in line, have been due since then, and are not held."""
    found = sum(
        not row.blocked_by
        and waiting_since(row) < since
        and not pauses.hold(row.queue, row.priority)
        for row in rows
    )
    if found or len(rows) < SAMPLE or pauses != NO_PAUSES:
        return found
    first = store.next_due()  # all that come first in line may be for later, or blocked
    return int(first is not None and first < since)
