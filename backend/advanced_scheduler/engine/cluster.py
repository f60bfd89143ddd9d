"""The verbs on nodes, and on what all of them leave alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..clock import Clock
from ..errors import NodeAlive, NodeNotFound
from ..faults import is_storable
from ..models import NodeState, NodeStatus, Pauses, Record, RecordKind, Role, TaskPriority
from ..stores.abilities import Signal
from ..stores.base import Store
from .pauses import pause_id, read_pauses
from .presence import DRAIN
from .signals import Signals

RENEWALS_MISSED: Final = 3
"""A node that has not shown itself for so many renewals of its leases is stale."""

SHOWN: Final = timedelta(days=1)
"""How long a node that was killed is shown."""

_MOST: Final = 10_000  # nodes
_EVERY_ROLE: Final = tuple(sorted(Role))  # of a node that does not say: those before had all
_SAID: Final = frozenset(
    {
        *("name", "host", "pid", "version", "roles", "queues", "priorities"),
        *("slots", "slots_used", "running", "loop_lag"),
    }
)


class Cluster:
    """Reads and writes the records that all nodes of a store look at."""

    def __init__(self, store: Store, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals

    def nodes(self) -> list[NodeStatus]:
        """The nodes that run, or were killed lately, by id."""
        now = self._clock.now()
        self._store.drop_records_before(RecordKind.NODE, now - SHOWN, _MOST)
        found = self._store.records(RecordKind.NODE, limit=_MOST)
        return [_status(one, now) for one in reversed(found)]

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
        return _status(found[0], self._clock.now())


def _status(record: Record, now: datetime) -> NodeStatus:
    said: Mapping[str, Any] = record.data
    silent = (now - record.written_time).total_seconds()
    if silent > RENEWALS_MISSED * float(said.get("renewal", 10.0)):
        state = NodeState.STALE
    else:
        state = NodeState.DRAINING if said.get("draining") else NodeState.ALIVE
    queues, priorities = said.get("queues"), said.get("priorities")
    started = said.get("started_time")
    return NodeStatus(
        node_id=record.record_id,
        name=str(said.get("name", "")),
        host=str(said.get("host", "")),
        pid=int(said.get("pid", 0)),
        version=str(said.get("version", "")),
        state=state,
        roles=tuple(said.get("roles", _EVERY_ROLE)),
        queues=None if queues is None else tuple(queues),
        priorities=None if priorities is None else tuple(priorities),
        slots=int(said.get("slots", 0)),
        slots_used=int(said.get("slots_used", 0)),
        running=tuple(said.get("running", ())),
        loop_lag=float(said.get("loop_lag", 0.0)),
        started_time=datetime.fromisoformat(started) if started else record.written_time,
        seen_time=record.written_time,
        more={key: value for key, value in said.items() if key not in _KNOWN},
    )


_KNOWN: Final = _SAID | {"draining", "renewal", "started_time"}
