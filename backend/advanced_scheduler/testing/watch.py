"""Looks at every row after every write, and says which invariant a change violates."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..models import TaskExecution, TaskStatus, task_key
from .journal import Journal, Line, Mark
from .world import SharedStore

_S: Final = TaskStatus
OPEN: Final = frozenset({_S.PENDING, _S.RUNNING, _S.RETRYING})
_WAITING: Final = frozenset({_S.PENDING, _S.RETRYING})
_MEETS: Final = {
    "completion": {_S.COMPLETED, _S.FAILED},
    "success": {_S.COMPLETED},
    "failure": {_S.FAILED},
}
_SIGNED: Final = re.compile(r"under fence (\d+)")


def signed(fence: int) -> str:
    """What a body answers, or raises: it tells which claim it ran under."""
    return f"under fence {fence}"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, and what time it was for it: by its own clock, and by that of leases."""

    node: str
    now: datetime
    leases_now: datetime


class Watch:
    """The invariants that are about a moment; ``audit`` has those that are about the whole.

    These rules are written here a second time, by what is promised: nothing of the engine, the
    state machine or the store is asked. ``violations`` are sentences; ``locked`` are the ids of
    the tasks that need their lock.
    """

    def __init__(self, store: SharedStore, journal: Journal, *, locked: Collection[str]) -> None:
        self.violations: list[str] = []
        self.claims: dict[tuple[str, int], int] = {}  # (execution id, fence) -> attempt
        self.paused: set[str] = set()  # schedules whose pausing has returned
        self.cancelled: dict[str, str] = {}  # execution id -> the node that said so to a caller
        self._store = store
        self._journal = journal
        self._locked = locked
        self._fences: dict[str, int] = {}  # of the locks, by task id
        self._seen: dict[str, TaskExecution] = {}
        self._first: dict[str, TaskExecution] = {}
        self._ended: set[tuple[str, int]] = set()  # (execution id, fence) whose body has ended
        self._ran_out: set[tuple[str, int]] = set()  # leases that were over once

    def look(self, actor: Actor) -> None:
        """Compare all rows with what they were."""
        claimed: list[TaskExecution] = []
        for one, row in self._store.rows.items():
            before = self._seen.get(one)
            if before is row:
                continue
            self._seen[one] = row
            if before is None:
                self._created(row)
                continue
            self._changed(before, row, actor)
            if row.status is _S.RUNNING and row.fence != before.fence:
                claimed.append(row)
        if claimed:
            self._in_order(claimed)

    def wrote(self, line: Line) -> None:
        """A body has written a line."""
        if line.mark in (Mark.END, Mark.RAISED):
            self._ended.add((line.execution_id, line.fence))
        if line.mark is not Mark.START:
            return
        row = self._store.rows[line.execution_id]
        if row.status not in OPEN and row.status is not _S.CANCELLED:  # that it may not know yet
            self._violated("I2", row, f"started on {line.node} after it was {row.status}")
        if self.cancelled.get(row.execution_id) == line.node:  # others may not know it yet
            self._violated("I2", row, f"started on {line.node}, which has cancelled it")
        for reason in self._unmet(self._first[line.execution_id]):
            self._violated("I6", row, f"started before {reason}")
        if line.task_id in self._locked:
            self._under_lock(line, row)

    # --- one row --------------------------------------------------------------------------

    def _created(self, row: TaskExecution) -> None:
        self._first[row.execution_id] = row
        self._journal.tell(f"{self._name(row)} of task {row.task_id} is there, {row.priority.name}")
        if (row.status, row.attempt, row.fence) != (_S.PENDING, 0, 0):
            self._violated("I3", row, f"began as {row.status}, attempt {row.attempt}")
        if row.schedule_id in self.paused:
            self._violated("I5", row, f"fired although schedule {row.schedule_id} is paused")
        if row.unique_key is not None and len(self._holders(row.unique_key)) > 1:
            self._violated("I5", row, f"is not the only one with key {row.unique_key!r}")

    def _changed(self, before: TaskExecution, row: TaskExecution, actor: Actor) -> None:
        if before.status not in OPEN:
            self._violated("I2", row, f"was {before.status}, and {actor.node} changed it")
            return
        if row.status is not before.status or row.fence != before.fence:
            self._journal.tell(
                f"{self._name(row)} {before.status} -> {row.status} by {actor.node}, "
                f"attempt {row.attempt}, fence {row.fence}"
            )
        if row.fence != before.fence or row.status is _S.RUNNING is not before.status:
            self._claimed(before, row, actor)
        elif before.status is _S.RUNNING:
            self._held(before, row, actor)

    def _claimed(self, before: TaskExecution, row: TaskExecution, actor: Actor) -> None:
        self.claims[row.execution_id, row.fence] = row.attempt
        if row.fence != before.fence + 1:
            self._violated("I8", row, f"fence {row.fence} follows {before.fence}")
        if before.status in _WAITING and row.attempt != before.attempt + 1:
            self._violated("I3", row, f"attempt {row.attempt} follows {before.attempt}")
        if row.due > actor.now:  # as it is now: it may have been moved by the same call
            self._violated("I6", row, f"claimed by {actor.node} {row.due - actor.now} too early")

    def _held(self, before: TaskExecution, row: TaskExecution, actor: Actor) -> None:
        """A change of what runs: by its holder, by a caller who cancels, or by a rescuer."""
        key = (before.execution_id, before.fence)
        if before.lease_until is not None and before.lease_until <= actor.leases_now:
            self._ran_out.add(key)
        if row.crashes != before.crashes:
            self._rescued(before, row, actor)
        elif row.status is not _S.CANCELLED:
            self._by_holder(before, row, actor)

    def _rescued(self, before: TaskExecution, row: TaskExecution, actor: Actor) -> None:
        if (before.execution_id, before.fence) not in self._ran_out:
            self._violated(
                "I4",
                row,
                f"{actor.node} took it from {_name_of(before)}, whose lease runs until "
                f"{before.lease_until}",
            )
        if row.attempt != before.attempt or row.crashes != before.crashes + 1:
            self._violated(
                "I3", row, f"a crash made attempt {before.attempt} attempt {row.attempt}"
            )
        if before.at_most_once and row.status is not _S.FAILED:
            self._violated("I3", row, "it runs at most once, and is to run again after a crash")

    def _by_holder(self, before: TaskExecution, row: TaskExecution, actor: Actor) -> None:
        if actor.node != _name_of(before):
            self._violated("I4", row, f"{actor.node} changed what {_name_of(before)} holds")
        if row.status is _S.PENDING and row.attempt != before.attempt - 1:
            self._violated("I3", row, f"was given back with attempt {row.attempt}")
        outcome = row.result if row.status is _S.COMPLETED else row.error
        under = _SIGNED.search(outcome if isinstance(outcome, str) else "")
        if row.status in (_S.PENDING, _S.RUNNING) or (row.status is _S.FAILED and under is None):
            return
        if under is not None and int(under[1]) != row.fence:
            self._violated("I4", row, f"ended with what was done {under[0]}")
        if under is not None and (row.execution_id, int(under[1])) not in self._ended:
            self._violated("I4", row, f"ended with what nobody has done {under[0]}")
        if row.status is _S.COMPLETED and under is None:
            self._violated("I4", row, f"completed with {outcome!r}, which no body answers")

    def _under_lock(self, line: Line, row: TaskExecution) -> None:
        """So what runs under one lock, each cut where its lock was lost, never overlaps."""
        fence, last = line.lock_fence or 0, self._fences.get(line.task_id, 0)
        if fence <= last:
            self._violated("I8", row, f"holds its lock with fence {fence} after {last}")
        self._fences[line.task_id] = max(fence, last)
        holding = self._store.holding(line.task_id)
        if holding is None or holding.fence != fence:
            self._violated("I7", row, f"started on {line.node} without the lock")

    # --- several rows ---------------------------------------------------------------------

    def _in_order(self, claimed: Sequence[TaskExecution]) -> None:
        """Nothing more urgent was left behind, at the moment that the claim was made for."""
        last = max(claimed, key=lambda row: row.priority)
        asked = last.started_time  # what fell due since then could not be claimed
        for row in self._store.rows.values():
            waits = row.status in _WAITING and not row.blocked_by
            if waits and row.priority < last.priority and asked is not None and row.due <= asked:
                text = f"was claimed before {self._name(row)} ({row.priority.name})"
                self._violated("I9", last, text)

    def _unmet(self, first: TaskExecution) -> Iterable[str]:
        """What the execution had to wait for, and has not come about."""
        rows, types = self._store.rows, {one.key: one for one in first.dependencies}
        for key in first.blocked_by:
            if key in rows:
                status, wanted = rows[key].status, types.get(key)
                met = status not in OPEN
                if wanted is not None:
                    met = status in _MEETS[wanted.dependency_type]
                if not met:
                    yield f"{self._name(rows[key])}, which is {status}, met it"
            elif not any(  # there was none when it was scheduled, so any is a later one
                task_key(row.task_id) == key and row.status not in OPEN for row in rows.values()
            ):
                yield f"a run of {key} had ended"

    def _holders(self, key: str) -> list[TaskExecution]:
        return [
            row for row in self._store.rows.values() if row.unique_key == key and row.status in OPEN
        ]

    def _violated(self, invariant: str, row: TaskExecution, what: str) -> None:
        text = f"{invariant}: {self._name(row)} of task {row.task_id}: {what}"
        self._journal.tell(f"!! {text}")
        self.violations.append(text)

    def _name(self, row: TaskExecution) -> str:
        return self._journal.name(row.execution_id)


def _name_of(row: TaskExecution) -> str:
    """The name of the node that holds it, without the boot id, which no seed decides."""
    return str(row.node).partition(":")[0]
