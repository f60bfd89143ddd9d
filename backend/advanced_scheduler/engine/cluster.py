"""The verbs on nodes, and on what all of them leave alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..clock import Clock
from ..errors import NodeAlive, NodeNotFound
from ..faults import is_storable
from ..models import NodeState, NodeStatus, Pauses, Record, RecordKind, TaskPriority
from ..stores.abilities import Signal
from ..stores.base import Store
from .pauses import pause_id, read_pauses
from .presence import DRAIN
from .seen import MOST, node_seen, nodes_seen
from .signals import Signals

SHOWN: Final = timedelta(days=1)
"""How long a node that was killed is shown."""


class Cluster:
    """Reads and writes the records that all nodes of a store look at."""

    def __init__(self, store: Store, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals

    def nodes(self) -> list[NodeStatus]:
        """The nodes that run, or were killed lately, by id."""
        now = self._clock.now()
        self._store.drop_records_before(RecordKind.NODE, now - SHOWN, MOST)
        return nodes_seen(self._store, now)

    def order(self, node_id: str, *, drain: bool) -> None:
        """Let a node start nothing more, or go on; raises ``NodeNotFound``."""
        self._seen(node_id)
        if drain:
            asked = Record(
                kind=RecordKind.ORDER,
                record_id=node_id,
                written_time=self._clock.now(),
                data={DRAIN: True},
            )
            self._store.save_record(asked)
        else:
            self._store.drop_records(RecordKind.ORDER, [node_id])
        self._signals.tell(Signal.ORDERS)

    def forget(self, node_id: str) -> None:
        """Show a dead node no more; raises ``NodeNotFound``, and ``NodeAlive`` for a live one."""
        if self._seen(node_id).state is not NodeState.STALE:
            raise NodeAlive(
                f"node {node_id!r} is alive; stop it, or drain it, and it will take itself off"
            )
        self._store.drop_records(RecordKind.NODE, [node_id])
        self._store.drop_records(RecordKind.ORDER, [node_id])

    def pauses(self) -> Pauses:
        """From where no node starts anything."""
        return read_pauses(self._store)

    def pause(self, queue: str | None, priority: TaskPriority | None) -> None:
        """Start nothing of a queue, of a priority, or (neither) at all, on any node."""
        pause = Record(
            kind=RecordKind.PAUSE,
            record_id=pause_id(queue, priority),
            written_time=self._clock.now(),
        )
        self._store.save_record(pause)
        self._signals.tell(Signal.ORDERS)

    def resume(self, queue: str | None, priority: TaskPriority | None) -> None:
        """Take back the pause of just that."""
        self._store.drop_records(RecordKind.PAUSE, [pause_id(queue, priority)])
        self._signals.tell(Signal.ORDERS)

    def _seen(self, node_id: str) -> NodeStatus:
        found = self._store.records(RecordKind.NODE, ids=[node_id]) if is_storable(node_id) else []
        if not found:
            raise NodeNotFound(
                f"no node {node_id!r}; it has stopped, or never ran: see scheduler.nodes()"
            )
        return node_seen(found[0], self._clock.now())
