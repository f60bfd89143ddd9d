"""Applies changes, tells the listeners, and carries the news to whatever waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..clock import Clock
from ..dag import resolve
from ..events import Event, EventBus, EventType
from ..lifecycle import FINAL, Transition
from ..models import TaskExecution, TaskStatus, task_key
from ..stores.base import Exchange, ExecutionStore


@dataclass(frozen=True, slots=True)
class Change:
    """A transition beside the row that it was made from."""

    row: TaskExecution
    transition: Transition


class Settler:
    """The one place where an applied transition has consequences."""

    def __init__(self, store: ExecutionStore, events: EventBus, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._clock = clock

    def settle(self, changes: Sequence[Change]) -> list[bool]:
        """Apply ``changes`` and all that follows from them; answers for the first ones."""
        first = applied = self._store.apply([change.transition for change in changes])
        while changes:
            ended = {
                key
                for change, done in zip(changes, applied, strict=True)
                if done and change.transition.target in FINAL
                for key in _keys(change.row)
            }
            waiting = self._store.dependents(ended) if ended else []
            changes = self.consequences(changes, Exchange(applied, (), waiting))
            if changes:
                applied = self._store.apply([change.transition for change in changes])
        return first

    def consequences(self, changes: Sequence[Change], done: Exchange) -> list[Change]:
        """Publish what was applied; answer the changes that the waiting rows now need."""
        now, hears = self._clock.now(), self._events.hears
        ended: dict[str, TaskExecution | None] = {}
        rows = done.after or [None] * len(changes)
        for change, applied, known in zip(changes, done.applied, rows, strict=True):
            target = change.transition.target
            event = _EVENTS.get((change.row.status, target))
            if not applied or not (done.waiting or (event is not None and hears(event))):
                continue
            after = known or change.transition.on(change.row)
            if event is not None:
                self._events.publish(Event(event, now, after, _data(change, after, now)))
            if done.waiting and target in FINAL:
                ended.update(dict.fromkeys(_keys(after), after))
        return [
            Change(row, transition)
            for row in done.waiting
            if (transition := resolve(row, ended, now)) is not None
        ]


_S = TaskStatus
_EVENTS = {
    (source, target): event
    for source in (_S.PENDING, _S.RUNNING, _S.RETRYING)
    for target, event in (
        *((final, EventType.FINISHED) for final in FINAL),
        (_S.RETRYING, EventType.RETRYING),
    )
} | {
    (_S.RUNNING, _S.PENDING): EventType.GIVEN_BACK,
    (_S.PENDING, _S.PENDING): EventType.UNBLOCKED,
}


def _keys(row: TaskExecution) -> tuple[str, str]:
    return row.execution_id, task_key(row.task_id)


def _data(change: Change, after: TaskExecution, now: datetime) -> dict[str, Any]:
    if after.status is TaskStatus.PENDING:
        return {"reason": after.reason}
    if change.row.status is not TaskStatus.RUNNING or after.crashes > change.row.crashes:
        return {"duration": None}  # no attempt came to its end
    duration = after.metrics.get("execution_time")
    if after.status is TaskStatus.RETRYING:
        return {"duration": duration, "delay": max((after.due - now).total_seconds(), 0.0)}
    return {"duration": duration}
