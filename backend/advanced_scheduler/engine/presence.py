"""Shows this node to the others, and hears what it is asked to do."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from ..errors import StoreError
from ..models import Duties, Record, RecordKind, Role
from .dispatcher import Dispatcher
from .feed import LISTENERS
from .parts import Parts
from .pauses import read_pauses
from .pulse import Pulse

logger = logging.getLogger(__name__)

DRAIN: Final = "drain"

SHOWN: Final = 100
"""How many of the executions that it runs a node names."""


class Presence:
    """The record of one node, which it renews with its leases; and its orders, which it obeys.

    ``changed`` is called when it drains, or goes on: the record should be renewed soon.
    """

    def __init__(
        self,
        parts: Parts,
        dispatcher: Dispatcher,
        pulse: Pulse,
        *,
        node_id: str,
        name: str,
        changed: Callable[[], None],
    ) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._feed = parts.feed
        self._dispatcher = dispatcher
        self._pulse = pulse
        self._id = node_id
        self._changed = changed
        self.refused: str | None = None
        """Why the store did not take the record of this node; None if it did."""
        self._fixed: dict[str, Any] = {
            "name": name,
            "host": platform.node(),
            "pid": os.getpid(),
            "version": version("advanced-scheduler"),
            **_told(dispatcher.duties),
            "slots": dispatcher.limit if Role.WORKER in dispatcher.duties.roles else 0,
            "renewal": parts.settings.renewal,
            "started_time": parts.clock.now().isoformat(),
        }

    def show(self) -> bool:
        """Say that this node is there; False if the store does not take it: it will look stale."""
        try:
            self._store.save_record(self._record())
            self.refused = None
        except StoreError as error:
            self.refused = str(error)
            logger.debug("node %s cannot show itself: %s", self._id, error)
        return self.refused is None

    def listen(self) -> None:
        """Do what was asked of all nodes, or of this one; raises ``StoreError``."""
        orders = self._store.records(RecordKind.ORDER, ids=[self._id, LISTENERS])
        self._feed.heed(orders)
        draining, pauses = any(DRAIN in one.data for one in orders), read_pauses(self._store)
        heard, dispatcher = (draining, pauses), self._dispatcher
        if heard != (dispatcher.draining, dispatcher.pauses):
            dispatcher.draining, dispatcher.pauses = heard
            dispatcher.wake()
            self._changed()

    def leave(self) -> None:
        """It is no longer there; what cannot be taken back now, will look stale."""
        try:
            self._store.drop_records(RecordKind.NODE, [self._id])
            self._store.drop_records(RecordKind.ORDER, [self._id])
        except StoreError as error:
            logger.warning("node %s is shown as stale from now on: %s", self._id, error)

    def _record(self) -> Record:
        running = list(self._dispatcher.running.copy())
        changing = {
            "slots_used": len(running),
            "running": running[:SHOWN],
            "loop_lag": round(self._pulse.lag, 3),
            "draining": self._dispatcher.draining or not self._dispatcher.accepting,
        }
        return Record(
            kind=RecordKind.NODE,
            record_id=self._id,
            written_time=self._clock.now(),
            data={**self._fixed, **changing},
        )


def _told(duties: Duties) -> dict[str, list[str] | None]:
    queues, priorities = duties.queues, duties.priorities
    return {
        "roles": sorted(duties.roles),
        "queues": None if queues is None else sorted(queues),
        "priorities": None if priorities is None else [one.word for one in sorted(priorities)],
    }
