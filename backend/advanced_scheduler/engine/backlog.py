"""Counts what waits, and what should have happened by now and has not, for the health report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from ..clock import Clock
from ..config import Settings
from ..lifecycle import CLAIMABLE
from ..models import (
    NO_PAUSES,
    Duties,
    ExecutionFilter,
    NodeState,
    Pauses,
    Role,
    TaskExecution,
    TaskPriority,
)
from ..stores.base import Store
from .lanes import waiting_since
from .pauses import read_pauses
from .runner import WAITS_FOR_SERVER
from .seen import nodes_seen
from .views import TaskQueueView

Lane: TypeAlias = tuple[str, TaskPriority]
"""A queue, and a priority in it."""

SAMPLE: Final = 200  # rows; enough to see that there are some
WAITING_SECONDS: Final = 3.0
"""Due for longer, an execution waits for somebody who does not come."""
LATE_SECONDS: Final = 10.0
"""The same of a schedule: of thousands that are due at once, the last take a while."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the store tells; each but ``waiting`` of the first ``SAMPLE`` rows in line.

    ``overdue`` is how many executions nobody has taken yet, by queue and priority; ``hidden``,
    that there is one behind the sample, and none in it. ``workers`` are the nodes that may come
    for them, by id. ``waiting`` is how many executions wait at each priority.
    """

    overdue: Mapping[Lane, int] = field(default_factory=dict)
    hidden: bool = False
    workers: Mapping[str, Duties] = field(default_factory=dict)
    locks_waiting: int = 0
    ledger_gap: int = 0
    waiting: Mapping[TaskPriority, int] = field(default_factory=dict)

    def undrained(self, node: str, duties: Duties, *, spare: bool) -> int:
        """How many executions are due that nobody takes, as the node of this id sees it.

        ``duties`` are what it takes work for now, and ``spare`` is whether its last claim left
        some of its slots empty. Each node answers for the queues and priorities that it serves:
        what it leaves although it has slots to spare is undrained, the rest is load. What no
        other live worker serves either is undrained for whoever looks. What only others serve
        is theirs to tell: how busy they were when they last showed themselves says nothing of
        now.
        """
        others = [one for worker, one in self.workers.items() if worker != node]
        if self.hidden:
            return int(_sees_undrained(duties, alone=not others, spare=spare))
        found = 0
        for lane, number in self.overdue.items():
            if duties.serve(*lane):
                found += number if spare else 0
            elif not any(other.serve(*lane) for other in others):
                found += number
        return found


def backlog_of(store: Store, clock: Clock, settings: Settings) -> Backlog:
    """Read from the store; raises ``StoreUnavailable``."""
    store.ping()
    now, poll = clock.now(), settings.poll_seconds
    since = now - timedelta(seconds=max(WAITING_SECONDS, 3 * poll))
    late = now - timedelta(seconds=max(LATE_SECONDS, 5 * poll))
    rows = store.find(ExecutionFilter(statuses=CLAIMABLE, order="claim", limit=SAMPLE))
    overdue, hidden = _overdue(store, rows, read_pauses(store), since)
    return Backlog(
        overdue=overdue,
        hidden=hidden,
        workers=_workers(store, now) if overdue or hidden else {},
        locks_waiting=sum((row.reason or "").startswith(WAITS_FOR_SERVER) for row in rows),
        ledger_gap=len(store.due(late, SAMPLE)),
        waiting=TaskQueueView(store).by_priority(),
    )


def _overdue(
    store: Store, rows: Sequence[TaskExecution], pauses: Pauses, since: datetime
) -> tuple[Mapping[Lane, int], bool]:
    """Which of the rows, the first in line, have been due since then, and are not held."""
    found = Counter(
        (row.queue, row.priority)
        for row in rows
        if not row.blocked_by
        and waiting_since(row) < since
        and not pauses.hold(row.queue, row.priority)
    )
    if found or len(rows) < SAMPLE or pauses != NO_PAUSES:
        return found, False
    first = store.next_due()  # all that come first in line may be for later, or blocked
    return found, first is not None and first < since


def _workers(store: Store, now: datetime) -> Mapping[str, Duties]:
    """The duties of the workers that are alive, and start what they are there for."""
    alive = (one for one in nodes_seen(store, now) if one.state is NodeState.ALIVE)
    found = ((one.node_id, one.duties) for one in alive)
    return {node: duties for node, duties in found if Role.WORKER in duties.roles}


def _sees_undrained(duties: Duties, *, alone: bool, spare: bool) -> bool:
    """Whether an execution is undrained of which nothing but its due time is known."""
    if Role.WORKER not in duties.roles:
        return alone
    unlimited = duties.queues is None and duties.priorities is None
    return spare and (unlimited or alone)
