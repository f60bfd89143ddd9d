"""Reads what nodes have told of themselves, and how long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ..models import NodeState, NodeStatus, Record, RecordKind, Role
from ..stores.record_store import RecordStore

RENEWALS_MISSED: Final = 3
"""A node that has not shown itself for so many renewals of its leases is stale."""

MOST: Final = 10_000  # nodes

_EVERY_ROLE: Final = tuple(sorted(Role))  # of a node that does not say: those before had all
_KNOWN: Final = frozenset(
    {
        *("name", "host", "pid", "version", "roles", "queues", "priorities", "draining"),
        *("slots", "slots_used", "running", "loop_lag", "renewal", "started_time"),
    }
)


def nodes_seen(store: RecordStore, now: datetime) -> list[NodeStatus]:
    """All nodes that have not taken themselves off, by id; raises ``StoreError``."""
    return [node_seen(one, now) for one in reversed(store.records(RecordKind.NODE, limit=MOST))]


def node_seen(record: Record, now: datetime) -> NodeStatus:
    """What one node said, and whether that is too long ago."""
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
