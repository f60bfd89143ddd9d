"""A store in this process's memory: the reference for all the others, and the fastest."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nlargest, nsmallest
from operator import attrgetter
from typing import Final

from ..forks import free_in_child
from ..lifecycle import FINAL, Transition, claim_order
from ..lifecycle import claim as claiming
from ..models import (
    ExecutionFilter,
    Outline,
    Parked,
    Schedule,
    ScheduleFilter,
    ScheduleState,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
    Total,
    outline_of,
    task_key,
)
from .base import Claim, Exchange, Firing
from .memory_records import MemoryRecords
from .memory_rows import MemoryRows
from .memory_schedules import MemorySchedules

_BY_ID: Final = attrgetter("execution_id")


class MemoryStore(MemoryRecords):
    """Keeps whatever objects it is given; what ``Store`` says, with one lock around each verb."""

    durable = False
    blocking = False

    def __init__(self) -> None:
        super().__init__()
        self._lock = free_in_child(threading.Lock())
        self._rows = MemoryRows()
        self._schedules = MemorySchedules()

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to release; the rows stay for the next ``open``."""

    def ping(self) -> None:
        """Always answers."""

    def time(self) -> datetime | None:
        """There is no server, so no clock of one."""
        return None

    # --- executions ---------------------------------------------------------------------

    def add(self, executions: Sequence[TaskExecution]) -> list[bool]:
        """Insert; False where the id or the unique key is taken."""
        with self._lock:
            return [self._rows.insert(row) for row in executions]

    def get(self, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids, in the order of ``ids``."""
        by_id = self._rows.by_id
        with self._lock:
            return [by_id[one] for one in ids if one in by_id]

    def by_unique_key(self, key: str) -> TaskExecution | None:
        """The execution that holds this unique key."""
        with self._lock:
            return self._rows.by_id.get(self._rows.holders.get(key, ""))

    def find(self, query: ExecutionFilter) -> list[TaskExecution]:
        """A page of rows."""
        with self._lock:
            rows = [row for row in self._rows.candidates(query) if _matches(row, query)]
        if query.order == "claim":
            return nsmallest(query.limit, rows, claim_order)
        return nlargest(query.limit, rows, _BY_ID)

    def outlines(self, query: ExecutionFilter) -> list[Outline]:
        """A page of rows, of each what a search looks at."""
        return [outline_of(row) for row in self.find(query)]

    def newest(self, task_ids: Collection[str]) -> dict[str, TaskExecution]:
        """The row with the highest id of each task."""
        with self._lock:
            found = {task_id: self._rows.newest(task_id) for task_id in task_ids}
        return {task_id: row for task_id, row in found.items() if row is not None}

    def counts(
        self, statuses: Collection[TaskStatus] | None = None
    ) -> dict[tuple[TaskStatus, TaskPriority], int]:
        """How many rows there are of each status and priority."""
        with self._lock:
            return {
                (status, priority): number
                for status, numbers in self._rows.counts.items()
                for priority, number in zip(TaskPriority, numbers, strict=True)
                if number and (statuses is None or status in statuses)
            }

    def waiting_tasks(self) -> dict[str, int]:
        """How many executions have not ended, by task id."""
        with self._lock:
            return dict(self._rows.open_by_task)

    def unreadable(self) -> list[Parked]:
        """Nothing: objects need no reading."""
        return []

    def prune(self, *, keep: int, before: datetime, older_than: datetime, limit: int) -> int:
        """Delete ended rows, oldest first; ticks go by age alone."""
        rows, pruned = self._rows, 0
        with self._lock:
            while pruned < limit and (ended := rows.oldest_ended()) is not None:
                if not (ended < older_than or (ended < before and rows.ended() > keep)):
                    break
                self._forget(rows.delete_oldest_ended())
                pruned += 1
            self._schedules.drop_ticks(older_than)
        return pruned

    def delete(self, ids: Collection[str]) -> int:
        """Delete those of these rows that have ended."""
        with self._lock:
            gone = [row for one in set(ids) if (row := self._rows.delete(one)) is not None]
            for row in gone:
                self._forget(row)
        return len(gone)

    def _forget(self, row: TaskExecution) -> None:
        self._schedules.count_pruned(row)
        self.drop_records_of(row.execution_id)

    def claim(self, claim: Claim) -> list[TaskExecution]:
        """Take due rows by priority, rank, due time, id."""
        with self._lock:
            return self._claim(claim)

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        """Apply what fits, in order."""
        with self._lock:
            return [self._apply(transition) is not None for transition in transitions]

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        """``apply``, then ``claim``."""
        with self._lock:
            applied = [self._apply(transition) for transition in transitions]
            ended = _ends(applied) if self._rows.blocked else {}
            unblocked = self._rows.unblock(ended)
            return Exchange(
                applied=[row is not None for row in applied],
                claimed=self._claim(claim),
                waiting=self._rows.waiters(ended),
                after=applied,
                unblocked=unblocked,
            )

    def extend(self, node: str, held: Mapping[str, int], lease_until: datetime) -> set[str]:
        """Renew leases; answer the ids that are still held."""
        by_id, kept = self._rows.by_id, set()
        with self._lock:
            for one in self._rows.running & held.keys():
                row = by_id[one]
                if row.node == node and row.fence == held[one]:
                    by_id[one] = row.with_changes({"lease_until": lease_until})
                    kept.add(one)
        return kept

    def expired(
        self, now: datetime, limit: int, after: TaskExecution | None = None
    ) -> list[TaskExecution]:
        """Running rows whose lease ran out, the oldest lease first."""
        by_id = self._rows.by_id
        with self._lock:
            leases = ((by_id[one].lease_until, one) for one in self._rows.running)
            late = [(lease, one) for lease, one in leases if lease is not None and lease <= now]
            if after is not None and after.lease_until is not None:
                last = (after.lease_until, after.execution_id)
                late = [entry for entry in late if entry > last]
            return [by_id[one] for _, one in nsmallest(limit, late)]

    def dependents(self, keys: Collection[str]) -> list[TaskExecution]:
        """Rows that one of these keys blocks, by id."""
        with self._lock:
            return self._rows.waiters(keys)

    def stranded(self, now: datetime, limit: int) -> list[TaskExecution]:
        """Blocked rows to look at again, by id."""
        rows = self._rows
        with self._lock:
            blocked = [rows.by_id[one] for one in rows.blocked]
            found = [
                row
                for row in blocked
                if (row.wait_until is not None and row.wait_until <= now)
                or any(rows.is_over(key, row.execution_id) for key in row.blocked_by)
            ]
        return nsmallest(limit, found, _BY_ID)

    def next_due(self) -> datetime | None:
        """The earliest due time of a row that may be claimed then."""
        with self._lock:
            return self._rows.next_due()

    # --- schedules and ticks --------------------------------------------------------------

    def add_schedules(self, new: Sequence[Schedule]) -> bool:
        """Insert all of them, or none where an id is taken."""
        with self._lock:
            return self._schedules.add(new)

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected."""
        with self._lock:
            return self._schedules.put(schedule, expected)

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        with self._lock:
            return self._schedules.some(ids)

    def find_schedules(self, query: ScheduleFilter) -> list[Schedule]:
        """The schedules that fit, by id."""
        with self._lock:
            return self._schedules.find(query)

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest versions of a schedule, oldest first."""
        with self._lock:
            return self._schedules.versions(schedule_id)

    def totals(self, schedule_id: str) -> dict[TaskStatus, Total]:
        """How the executions of a schedule ended."""
        with self._lock:
            rows = self._rows.candidates(ExecutionFilter(schedule_id=schedule_id))
            return self._schedules.totals(schedule_id, (row for row in rows if row.status in FINAL))

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule; its ticks stay."""
        with self._lock:
            return self._schedules.remove(schedule_id)

    def due(self, now: datetime, limit: int) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        with self._lock:
            return self._schedules.due(now, limit)

    def next_fire(self) -> datetime | None:
        """The earliest next fire time of a schedule that is not paused."""
        with self._lock:
            return self._schedules.next_fire()

    def fire(self, firings: Sequence[Firing]) -> list[bool]:
        """Advance each schedule, write its ticks and add its executions, in one step each."""
        with self._lock:
            return [self._fire(firing) for firing in firings]

    def ticks(
        self, schedule_id: str, start: datetime, end: datetime, limit: int = 1000
    ) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        with self._lock:
            return self._schedules.ticks(schedule_id, start, end)[:limit]

    def last_ticks(
        self, ids: Collection[str], start: datetime, end: datetime
    ) -> dict[str, datetime]:
        """The latest instant on record of each schedule within this time."""
        with self._lock:
            found = ((one, self._schedules.ticks(one, start, end)[-1:]) for one in ids)
            return {one: ticks[0].instant for one, ticks in found if ticks}

    def schedule_counts(self) -> dict[ScheduleState, int]:
        """How many schedules are in each state."""
        with self._lock:
            return Counter(one.state for one in self._schedules.by_id.values())

    def scheduled_tasks(self) -> dict[str, int]:
        """How many schedules there are, by task id."""
        with self._lock:
            return Counter(one.task_id for one in self._schedules.by_id.values())

    def tick_counts(self, start: datetime, end: datetime) -> dict[TickOutcome, int]:
        """How many ticks there are of each outcome, of all schedules."""
        with self._lock:
            return self._schedules.tick_counts(start, end)

    # --- with the lock held ---------------------------------------------------------------

    def _claim(self, claim: Claim) -> list[TaskExecution]:
        claimed = []
        for row in self._rows.take(claim):
            taken = row.with_changes(
                claiming(row, node=claim.node, now=claim.now, lease_until=claim.lease_until)
            )
            self._rows.update(row, taken)
            claimed.append(taken)
        return claimed

    def _apply(self, transition: Transition) -> TaskExecution | None:
        row = self._rows.by_id.get(transition.execution_id)
        if row is None or not transition.fits(row.status, row.fence):
            return None
        after = transition.on(row)
        self._rows.update(row, after)
        return after

    def _fire(self, firing: Firing) -> bool:
        if not self._schedules.fits(firing) or not all(map(self._rows.fits, firing.executions)):
            return False
        self._schedules.fire(firing)
        for row in firing.executions:
            self._rows.insert(row)
        return True


def _ends(rows: Iterable[TaskExecution | None]) -> dict[str, TaskStatus]:
    """The keys under which others wait for those of these rows that have ended, and how.

    Of two runs of one task the first to end is the one that was waited for.
    """
    ended: dict[str, TaskStatus] = {}
    for row in rows:
        if row is not None and row.status in FINAL:
            ended[row.execution_id] = row.status
            ended.setdefault(task_key(row.task_id), row.status)
    return ended


def _matches(row: TaskExecution, query: ExecutionFilter) -> bool:
    return (
        (query.statuses is None or row.status in query.statuses)
        and (query.task_id is None or row.task_id == query.task_id)
        and (query.workflow_id is None or row.workflow_id == query.workflow_id)
        and (query.schedule_id is None or row.schedule_id == query.schedule_id)
        and (query.priority is None or row.priority == query.priority)
        and (query.queue is None or row.queue == query.queue)
        and (query.cursor is None or query.order == "claim" or row.execution_id < query.cursor)
    )
