"""Applies changes, tells the listeners, and carries the news to whatever waited for it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from ..dag import resolve
from ..errors import StoreUnavailable
from ..events import Event, EventType
from ..lifecycle import FINAL, Transition
from ..models import TaskExecution, TaskStatus, task_key
from ..stores.base import Exchange
from .ground import Ground

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """A transition beside the row that it was made from."""

    row: TaskExecution
    transition: Transition


class Settler:
    """The one place where an applied transition has consequences."""

    def __init__(self, ground: Ground) -> None:
        self._store = ground.store
        self._events = ground.events
        self._clock = ground.clock

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
            changes = self.consequences(changes, Exchange(applied, (), self._waiting(ended)))
            try:
                applied = self._store.apply([one.transition for one in changes]) if changes else []
            except StoreUnavailable as error:
                self._leave(error)
                break
        return first

    def acknowledge(self, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
        """After an apply without an answer: which were applied, and what follows from them.

        A row that left RUNNING for the state of the change, under the same claim, was changed by
        it: nobody else holds the fence. To apply it again would tell nobody of it.
        """
        ran = {one.row.execution_id for one in changes if one.row.status is TaskStatus.RUNNING}
        rows = {row.execution_id: row for row in self._store.get(ran)} if ran else {}
        done = [
            change
            for change in changes
            if (row := rows.get(change.row.execution_id)) is not None
            and (row.status, row.fence) == (change.transition.target, change.row.fence)
        ]
        ended = {key for one in done if one.transition.target in FINAL for key in _keys(one.row)}
        answer = Exchange([True] * len(done), (), self._waiting(ended))
        return done, self.consequences(done, answer)

    def _waiting(self, ended: Collection[str]) -> Sequence[TaskExecution]:
        try:
            return self._store.dependents(ended) if ended else ()
        except StoreUnavailable as error:
            self._leave(error)
            return ()

    def _leave(self, error: StoreUnavailable) -> None:
        """The change itself was made: whoever was told that it failed would do it twice."""
        logger.warning("what waits for an end is left to the housekeeper: %s", error)

    def consequences(self, changes: Sequence[Change], done: Exchange) -> list[Change]:
        """Publish what was applied; answer the changes that the waiting rows now need."""
        now, hears = self._clock.now(), self._events.hears
        if done.unblocked and hears(_UNBLOCKED):
            data = {"execution_ids": list(done.unblocked)}
            self._events.publish(Event(_UNBLOCKED, now, None, data))
        ended: dict[str, TaskExecution | None] = {}
        heard: dict[tuple[TaskStatus, TaskStatus], list[EventType]] = {}  # most arrows are equal
        rows = done.after or [None] * len(changes)
        for (row, transition), applied, known in zip(changes, done.applied, rows, strict=True):
            target = transition.target
            arrow = row.status, target
            if (types := heard.get(arrow)) is None:
                types = heard[arrow] = [one for one in _EVENTS.get(arrow, ()) if hears(one)]
            if not applied or not (done.waiting or types):
                continue
            after = known or transition.on(row)
            for event in types:
                self._events.publish(Event(event, now, after, _data(event, row, after, now)))
            if done.waiting and target in FINAL:
                for key in _keys(after):
                    ended.setdefault(key, after)  # of two runs, the first to end is waited for
        return [
            Change(waiting, resolved)
            for waiting in done.waiting
            if (resolved := resolve(waiting, ended, now)) is not None
        ]


_S = TaskStatus
# A look at an enum's class takes longer than the comparison that follows.
_PENDING, _RUNNING, _RETRYING = _S.PENDING, _S.RUNNING, _S.RETRYING
_REVOKED, _UNBLOCKED = EventType.REVOKED, EventType.UNBLOCKED
_EVENTS: Final[Mapping[tuple[TaskStatus, TaskStatus], tuple[EventType, ...]]] = {
    **{
        (source, final): (EventType.FINISHED,)
        for source in (_S.PENDING, _S.RUNNING, _S.RETRYING)
        for final in FINAL
    },
    **{
        (source, _S.CANCELLED): (EventType.FINISHED, EventType.REVOKED)
        for source in (_S.PENDING, _S.RUNNING, _S.RETRYING)
    },
    (_S.RUNNING, _S.RETRYING): (EventType.RETRYING,),
    (_S.RUNNING, _S.PENDING): (EventType.GIVEN_BACK,),
    (_S.PENDING, _S.PENDING): (EventType.UNBLOCKED,),
}


def _keys(row: TaskExecution) -> tuple[str, str]:
    return row.execution_id, task_key(row.task_id)


def _data(
    event: EventType, before: TaskExecution, after: TaskExecution, now: datetime
) -> dict[str, Any]:
    if event is _REVOKED:
        return {"node": before.node}
    if event is _UNBLOCKED:
        return {"execution_ids": [after.execution_id]}
    status = after.status
    if status is _PENDING:
        return {"reason": after.reason}
    if before.status is not _RUNNING or after.crashes > before.crashes:
        return {"duration": None}  # no attempt came to its end
    duration = after.metrics.get("execution_time")
    if status is _RETRYING:
        return {"duration": duration, "delay": max((after.due - now).total_seconds(), 0.0)}
    return {"duration": duration}
