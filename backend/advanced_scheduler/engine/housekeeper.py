"""Looks after what nobody else will: lost leases, stranded dependents, old history, gaps.

Also schedules that fail again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from .. import lifecycle
from ..events import Event, EventType
from ..models import TaskExecution
from .parts import Parts
from .settler import Change

logger = logging.getLogger(__name__)

BATCH: Final = 200
AUDIT_SECONDS: Final = 5.0
PRUNE_SECONDS: Final = 0.1
LEAST_STEP: Final = 10
"""A step of the pruning that takes longer is halved, down to so many rows; others are doubled."""

PRUNE_REST: Final = 100
"""How much longer than a fruitless look for old history the next one is waited for."""


STRANDED_REST: Final = 20
LONGEST_REST: Final = 30.0
"""The same for one at all that is blocked, up to so many seconds, as waits that time out wait."""


class Housekeeper:
    """One ``sweep`` is one round of each chore; any node may do it, at any time, twice.

    A node that runs does a ``round`` at each poll, which leaves out what has just taken long.
    """

    def __init__(self, parts: Parts, held_here: Callable[[], Collection[str]]) -> None:
        self._store = parts.store
        self._intake = parts.intake
        self._settler = parts.settler
        self._events = parts.events
        self._clock = parts.clock
        self._leases = parts.leases
        self._settings = parts.settings
        self._ledger = parts.ledger
        self._ticker = parts.ticker
        self._audited: float | None = None
        self._prune_from = 0.0
        self._prune_step = BATCH
        self._settle_from = 0.0
        self._held_here = held_here

    def sweep(self) -> int:
        """Do every chore once; answers how many executions were rescued."""
        self._settle_from = 0.0
        return self.round()

    def round(self) -> int:
        """Rescue, and do the other chores unless they rest; answers how many were rescued."""
        rescued = self._rescue()
        self._ticker.pause_failing()
        if self._clock.monotonic() >= self._settle_from:
            self._settle_stranded()
            self._prune()  # only what all who waited for it have been told of
        self._audit()
        return rescued

    def _rescue(self) -> int:
        """Executions whose lease ran out: to be run again, or failed past the cap of crashes.

        One that this very process is running is late in renewing, not lost.
        """
        now, leases_now = self._clock.now(), self._leases.now()
        cap = self._settings.max_crashes
        here = self._held_here()
        rescued, last = 0, None
        while page := self._store.expired(leases_now, BATCH, last):
            last = page[-1]
            changes = [
                Change(row, lifecycle.recover(row, now=now, max_crashes=cap))
                for row in page
                if row.execution_id not in here
            ]
            done = self._settler.settle(changes) if changes else []
            for change, applied in zip(changes, done, strict=True):
                if applied:
                    self._tell(change.row, change.transition.on(change.row))
            rescued += sum(done)
        return rescued

    def _tell(self, row: TaskExecution, after: TaskExecution) -> None:
        why = after.reason or after.error
        logger.warning("execution %s of task %s: %s", row.execution_id, row.task_id, why)
        data = {"node": row.node}
        self._events.publish(Event(EventType.RECOVERED, self._clock.now(), after, data))

    def _settle_stranded(self) -> None:
        """Dependents that a crash between two steps left behind, and waits that timed out.

        All of them, as the history that they ask for is trimmed next; those that cannot be
        settled are left for the next sweep. To see that there are none takes the longer the more
        is blocked, and so is not done at each poll.
        """
        begun = self._clock.monotonic()
        while rows := self._store.stranded(self._clock.now(), BATCH):
            done = self._settler.settle(self._intake.due_changes(rows))
            if len(rows) < BATCH or not any(done):
                return
            begun = self._clock.monotonic()
        ended = self._clock.monotonic()
        self._settle_from = ended + min(STRANDED_REST * (ended - begun), LONGEST_REST)

    def _audit(self) -> None:
        """Ticks due are ticks recorded; a part of the schedules every few seconds."""
        now = self._clock.monotonic()
        if self._audited is None or now - self._audited >= AUDIT_SECONDS:
            self._audited = now
            self._ledger.check()

    def _prune(self) -> None:
        """Until nothing is left to prune; to see that there is nothing takes its time as well.

        That time grows with the history that is kept, so it is taken once in a hundred.
        """
        if (begun := self._clock.monotonic()) < self._prune_from:
            return
        now, settings = self._clock.now(), self._settings
        while self._store.prune(
            keep=settings.history_limit,
            before=now - timedelta(seconds=settings.history_grace_seconds),
            older_than=now - timedelta(days=settings.history_days),
            limit=self._prune_step,
        ):
            ended = self._clock.monotonic()
            slow = ended - begun > PRUNE_SECONDS  # others wait for what it locks
            step = self._prune_step // 2 if slow else self._prune_step * 2
            self._prune_step, begun = min(max(step, LEAST_STEP), BATCH), ended
        ended = self._clock.monotonic()
        self._prune_from = ended + PRUNE_REST * (ended - begun)
