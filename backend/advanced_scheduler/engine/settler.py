"""Applies changes, tells the listeners, and carries the news to whatever waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..dag import resolve
from ..events import Event, EventBus, EventType
from ..lifecycle import FINAL, Transition
from ..models import TaskExecution, TaskStatus, task_key
from ..stores.base import ExecutionStore


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
            changes = self.consequences(changes, applied, waiting)
            applied = self._store.apply([change.transition for change in changes])
        return first

    def consequences(
        self,
        changes: Sequence[Change],
        applied: Sequence[bool],
        waiting: Sequence[TaskExecution],
    ) -> list[Change]:
        """Publish what was applied; answer the changes that the ``waiting`` rows now need."""
        now = self._clock.now()
        ended: dict[str, TaskExecution | None] = {}
        for change, done in zip(changes, applied, strict=True):
            if not done:
                continue
            row, target = change.row, change.transition.target
            event = _EVENTS.get((row.status, target))
            if event is None and not waiting:
                continue
            after = change.transition.on(row)
            if event is not None:
                self._events.publish(Event(event, now, after, _data(change, after)))
            if target in FINAL:
                ended.update(dict.fromkeys(_keys(after), after))
        return [
            Change(row, transition)
            for row in waiting
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
} | {(_S.RUNNING, _S.PENDING): EventType.GIVEN_BACK}


def _keys(row: TaskExecution) -> tuple[str, str]:
    return row.execution_id, task_key(row.task_id)


def _data(change: Change, after: TaskExecution) -> dict[str, Any]:
    if after.status is TaskStatus.PENDING:
        return {"reason": after.reason}
    if after.status is TaskStatus.RETRYING:
        started = after.started_time or after.due
        return {
            "duration": after.metrics.get("execution_time"),
            "delay": max((after.due - started).total_seconds(), 0.0),
        }
    ran = change.row.status is TaskStatus.RUNNING
    return {"duration": after.metrics.get("execution_time") if ran else None}
