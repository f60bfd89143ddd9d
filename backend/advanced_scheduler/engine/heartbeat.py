"""Renews the leases of this node, on a thread that neither tasks nor the loop can hold up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import timedelta

from ..clock import Clock
from ..errors import StoreError
from ..stores.base import ExecutionStore

logger = logging.getLogger(__name__)


class Heartbeat:
    """One ``extend`` for all leases in each round; what it does not answer is lost.

    ``held`` answers {execution id: fence}; ``lost`` is called on this thread with the ids that
    were lost, or with all of them once the store has been silent for a whole lease.
    """

    def __init__(
        self,
        *,
        store: ExecutionStore,
        clock: Clock,
        node: str,
        lease: timedelta,
        every: float,
        held: Callable[[], dict[str, int]],
        lost: Callable[[Collection[tuple[str, int]]], None],
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.last_beat = clock.monotonic()
        self._store = store
        self._clock = clock
        self._node = node
        self._lease = lease
        self._every = every
        self._held = held
        self._lost = lost
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="advanced-scheduler-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for a round that is under way, but no longer than one renewal."""
        self._stop.set()
        self._thread.join(self._every)

    def beat(self) -> None:
        """One round; raises nothing."""
        held = self._held()
        try:
            now = self._clock.now()
            kept = self._store.extend(self._node, held, now + self._lease) if held else held.keys()
            self.last_beat = self._clock.monotonic()
        except StoreError as error:
            self._failed(error)
            silent = self._clock.monotonic() - self.last_beat
            logger.warning("leases not renewed for %.1f s: %s", silent, error)
            if silent < self._lease.total_seconds():
                return
            kept = set()
        gone = [(one, fence) for one, fence in held.items() if one not in kept]
        if gone:
            logger.info("%d executions are no longer held by node %s", len(gone), self._node)
            self._lost(gone)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.beat()
            except Exception:
                logger.exception("a heartbeat failed; the next follows in %.1f s", self._every)
