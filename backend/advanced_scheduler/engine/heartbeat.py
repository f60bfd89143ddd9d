"""Renews the leases of this node, on a thread that neither tasks nor the loop can hold up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import timedelta

from ..errors import StoreError
from ..models import TaskExecution
from .ground import Ground
from .loop import MAX_BACKOFF

logger = logging.getLogger(__name__)


class Heartbeat:
    """One ``extend`` for all leases in each round; what it does not answer is lost.

    A round is due after ``every`` seconds, and sooner after one that failed.

    ``held`` answers {execution id: fence}; ``lost`` is called on this thread with the ids that
    were lost, or with all of them once the store has been silent for a whole lease. ``show`` is
    called after each round; if it answers False, the next one is soon.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        node: str,
        lease: timedelta,
        every: float,
        held: Callable[[], dict[str, int]],
        lost: Callable[[Collection[tuple[str, int]]], None],
        failed: Callable[[Exception], None] = lambda _: None,
        show: Callable[[], bool] = lambda: True,
    ) -> None:
        self.last_beat = ground.clock.monotonic()
        self._store = ground.store
        self._clock = ground.clock
        self._leases = ground.leases
        self._node = node
        self._lease = lease
        self._every = every
        self._times = ground.times
        self._held = held
        self._lost = lost
        self._failed = failed
        self._show = show
        self._asked = threading.Event()
        self._kept: dict[str, int] = {}  # what was renewed by the last beat; replaced, not changed
        self._stopping = False
        self._thread = threading.Thread(
            target=self._run, name="advanced-scheduler-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for a round that is under way, but no longer than one renewal."""
        self._stopping = True
        self._asked.set()
        self._thread.join(self._every)

    def hurry(self) -> None:
        """Ask for a round now: something may have been lost."""
        self._asked.set()

    @property
    def overdue(self) -> bool:
        """Whether the store has not answered for a whole lease: then nothing is held any more."""
        return self._clock.monotonic() - self.last_beat >= self._lease.total_seconds()

    def lapsed(self, row: TaskExecution) -> bool:
        """Whether this node was away since it claimed the row, so that others may have it."""
        if row.lease_until is None or row.lease_until > self._leases.now():
            return False
        return self.overdue or self._kept.get(row.execution_id) != row.fence

    def beat(self) -> None:
        """One round; raises nothing."""
        held = self._held()
        if self.overdue:
            logger.warning(
                "node %s was suspended, starved or cut off: it asks what it still holds",
                self._node,
            )
        try:
            self._leases.ask()
            until = self._leases.now() + self._lease
            kept: Collection[str] = ()
            if held:
                kept = self._times.call("extend", self._store.extend, self._node, held, until)
            self._kept = {one: held[one] for one in kept}
            self.last_beat = self._clock.monotonic()
        except StoreError as error:
            self._failed(error)
            silent = self._clock.monotonic() - self.last_beat
            logger.warning("leases not renewed for %.1f s: %s", silent, error)
            if not self.overdue:
                return
            kept = ()
        gone = [(one, fence) for one, fence in held.items() if one not in kept]
        if gone:
            logger.info("%d executions are no longer held by node %s", len(gone), self._node)
            self._lost(gone)

    def _run(self) -> None:
        rest = self._every
        while True:
            self._asked.wait(rest)
            self._asked.clear()
            if self._stopping:
                return
            began, shown = self._clock.monotonic(), False
            try:
                self.beat()
                shown = self._show()
            except Exception:
                logger.exception("a heartbeat failed; another follows")
            well = shown and self.last_beat >= began
            rest = self._every if well else min(self._every, MAX_BACKOFF)
