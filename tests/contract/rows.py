"""Builders of rows, and the few calls that most tests of a store begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from advanced_scheduler import lifecycle
from advanced_scheduler.models import ExecutionFilter, Schedule, TaskExecution, Tick, TickOutcome
from advanced_scheduler.stores.base import Claim, Firing, Store

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
EVER: Final = NOW + timedelta(days=3650)


def execution(execution_id: str, **fields: Any) -> TaskExecution:
    """A pending execution of the task ``t``, due at ``NOW``."""
    defaults: dict[str, Any] = {"task_id": "t", "task_name": "T", "scheduled_time": NOW}
    return TaskExecution(execution_id=execution_id, **{**defaults, **fields})


def blocked(execution_id: str, *keys: str, **fields: Any) -> TaskExecution:
    """A pending execution that waits for ``keys``."""
    return execution(execution_id, blocked_by=frozenset(keys), **fields)


def by(node: str = "node", limit: int = 10, now: datetime = NOW, **fields: Any) -> Claim:
    """What a node asks for; the lease lasts a minute."""
    return Claim(node=node, limit=limit, now=now, lease_until=now + MINUTE, **fields)


def ids(rows: Iterable[TaskExecution]) -> list[str]:
    """The execution ids, in order."""
    return [row.execution_id for row in rows]


def left(store: Store) -> list[str]:
    """The ids of all rows, in order."""
    return sorted(ids(store.find(ExecutionFilter())))


def everything(store: Store) -> list[str]:
    """Claim and finish rows, three at a time, until there are none; their ids."""
    taken: list[str] = []
    while rows := store.claim(by(limit=3)):
        taken += ids(rows)
        finish(store, rows)
    return taken


def start(store: Store, *rows: TaskExecution, now: datetime = NOW) -> list[TaskExecution]:
    """Add ``rows`` and claim what is due."""
    store.add(rows)
    return store.claim(by(limit=len(rows), now=now))


def finish(store: Store, rows: Sequence[TaskExecution], now: datetime = NOW) -> list[bool]:
    """Complete ``rows``, which were claimed."""
    return store.apply([done(row, now) for row in rows])


def done(row: TaskExecution, now: datetime = NOW, result: Any = None) -> lifecycle.Transition:
    """The transition to COMPLETED."""
    return lifecycle.complete(row, result=result, metrics={}, now=now)


def one(store: Store, execution_id: str) -> TaskExecution:
    """The stored row with this id."""
    (row,) = store.get([execution_id])
    return row


def schedule(schedule_id: str = "s", **fields: Any) -> Schedule:
    """A schedule of the task ``t`` that is due at ``NOW``."""
    defaults: dict[str, Any] = {
        "task_id": "t",
        "trigger": {"type": "interval", "seconds": 60},
        "next_fire_time": NOW,
    }
    return Schedule(schedule_id=schedule_id, **{**defaults, **fields})


def tick(schedule_id: str = "s", instant: datetime = NOW, **fields: Any) -> Tick:
    """The record of a tick that fired."""
    defaults: dict[str, Any] = {"version": 1, "outcome": TickOutcome.FIRED, "recorded_time": NOW}
    return Tick(schedule_id=schedule_id, instant=instant, **{**defaults, **fields})


def firing(schedule_id: str = "s", expected: datetime = NOW, **fields: Any) -> Firing:
    """One step of a minute, with its tick and without executions; the first one is at ``NOW``."""
    defaults: dict[str, Any] = {
        "version": 1,
        "last": None if expected == NOW else expected - MINUTE,
        "next_fire_time": expected + MINUTE,
        "ticks": [tick(schedule_id, expected)],
        "executions": [],
    }
    return Firing(schedule_id=schedule_id, expected=expected, **{**defaults, **fields})
