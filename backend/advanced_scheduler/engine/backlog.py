"""Counts what should have happened by now and has not: a sample, for the health report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter
from .node import Node
from .parts import Parts
from .runner import WAITS_FOR_SERVER

SAMPLE: Final = 200  # rows; enough to see that there are some
LATE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Each at most ``SAMPLE``; see ``HealthFacts`` for the words."""

    undrained: int = 0
    locks_waiting: int = 0
    ledger_gap: int = 0


def backlog_of(parts: Parts, node: Node) -> Backlog:
    """Read from the store; raises ``StoreUnavailable``.

    What waits for a slot is load, not a fault: it counts only while there are free slots.
    """
    overdue = parts.clock.now() - timedelta(
        seconds=max(LATE_SECONDS, 5 * parts.settings.poll_seconds)
    )
    first = ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=SAMPLE)
    rows = parts.store.find(first)
    late = [row for row in rows if not row.blocked_by and row.due < overdue]
    return Backlog(
        undrained=len(late) if node.dispatcher.free_slots else 0,
        locks_waiting=sum((row.reason or "").startswith(WAITS_FOR_SERVER) for row in rows),
        ledger_gap=len(parts.store.due(overdue, SAMPLE)),
    )
