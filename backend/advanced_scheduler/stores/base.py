"""What a store must do.  Nothing here, nor in any backend, chooses a status.

Every call is synchronous and thread-safe; every write takes a batch and is atomic; time is
always an argument. A store that cannot be reached raises ``StoreUnavailable`` and has then
done nothing, or (when a commit went unanswered) all of it: every write is safe to repeat,
since adding tests for the id and a transition for state and fence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from ..errors import ScheduleExists
from ..lifecycle import Transition
from ..models import (
    NO_PAUSES,
    ExecutionFilter,
    Outline,
    Parked,
    Pauses,
    Schedule,
    ScheduleFilter,
    ScheduleState,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
    Total,
)
from .record_store import RecordStore

ONE_STEP: Final = 10_000
"""How many executions ``add`` inserts at once, so that whoever sees one of them sees all."""

VERSIONS_KEPT: Final = 100
"""How many versions of a schedule ``versions`` answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants work, how much, and until when the lease is to last.

    ``exclude`` are task ids that the node cannot run; their executions stay for others.
    ``queues`` are those that it serves; None means all. Nothing is taken from what ``pauses``
    names, but ``pauses.everything`` is for the caller to heed.
    """

    node: str
    limit: int
    now: datetime
    lease_until: datetime
    exclude: frozenset[str] = frozenset()
    queues: frozenset[str] | None = None
    pauses: Pauses = NO_PAUSES


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one round trip of the dispatcher brought.

    ``applied`` says for each transition whether it was applied; ``claimed`` are the rows that
    are now this node's. ``unblocked`` are the ids of the rows that have one key less in
    ``blocked_by``; ``waiting`` are the other rows blocked by an execution that this very call
    brought to an end (or by ``task:<id>`` of its task), which somebody has to look at. ``after``
    are the rows as the transitions left them, None where one was not applied; empty if the store
    has not read them. ``next_due`` is as the verb of that name answers it, if ``looked_ahead``.
    """

    applied: Sequence[bool]
    claimed: Sequence[TaskExecution]
    waiting: Sequence[TaskExecution]
    after: Sequence[TaskExecution | None] = ()
    unblocked: Sequence[str] = ()
    looked_ahead: bool = False
    next_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One step of a schedule: from the due time that was seen to the next, with its ticks.

    Applied only if the stored schedule still has ``version`` and ``expected``, its next fire
    time as the node saw it, and is not paused; or is, and nothing runs, as when a pause is
    recorded. ``last`` is its last fire time as the node saw it, and is compared as well. The
    latest instant of its ticks becomes the ``last_fire_time``, unless that is later already;
    its executions count in ``run_count``.

    ``by_hand``: somebody wants it now. Then a pause is no obstacle, and nothing is counted.
    """

    schedule_id: str
    version: int
    expected: datetime | None
    next_fire_time: datetime | None
    ticks: Sequence[Tick]
    executions: Sequence[TaskExecution]
    last: datetime | None = None
    by_hand: bool = False


def name_taken(name: str, holder: str) -> ScheduleExists:
    """What ``put`` raises for the name of another schedule."""
    return ScheduleExists(
        f"the name {name!r} belongs to schedule {holder!r}; give this one another name, or none"
    )


class ExecutionStore(Protocol):
    """Executions: section 3 of the design, applied with compare-and-set."""

    def add(self, executions: Sequence[TaskExecution]) -> list[bool]:
        """Insert; False where the id exists, or the unique key on one that has not ended.

        More than ``ONE_STEP`` need not come at once, but come in order.
        """
        ...

    def get(self, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids, in the order of ``ids``; unknown ids are left out."""
        ...

    def by_unique_key(self, key: str) -> TaskExecution | None:
        """The execution that holds this unique key and has not ended."""
        ...

    def find(self, query: ExecutionFilter) -> list[TaskExecution]:
        """A page of at most ``query.limit`` rows."""
        ...

    def outlines(self, query: ExecutionFilter) -> list[Outline]:
        """The same page, of each row only what a search looks at: many cost little.

        What cannot be read of the rest does not matter here.
        """
        ...

    def newest(self, task_ids: Collection[str]) -> dict[str, TaskExecution]:
        """For each task id, the execution with the highest id; tasks without one are left out."""
        ...

    def counts(
        self, statuses: Collection[TaskStatus] | None = None
    ) -> dict[tuple[TaskStatus, TaskPriority], int]:
        """How many rows there are (of these statuses); what has no row may be left out.

        Rows that have not ended are counted in their number's time, whatever the history.
        """
        ...

    def waiting_tasks(self) -> dict[str, int]:
        """How many executions have not ended, by task id; unreadable rows count as well."""
        ...

    def prune(self, *, keep: int, before: datetime, older_than: datetime, limit: int) -> int:
        """Delete ended rows, oldest first, at most ``limit``; answer how many went.

        What they add to ``totals`` stays; their records (``OF_EXECUTION``) go with them.
        A row goes if it ended before ``older_than``, or if it ended before ``before`` and more
        than ``keep`` ended rows are there. Rows that have not ended never go.
        """
        ...

    def delete(self, ids: Collection[str]) -> int:
        """Delete those of these rows that have ended, as ``prune`` does; answers how many."""
        ...

    def claim(self, claim: Claim) -> list[TaskExecution]:
        """Take due, unblocked rows by priority, rank (the higher first), due time, id.

        Sets what ``lifecycle.claim`` says.
        """
        ...

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        """Apply each transition whose row is in its sources and holds its fence, in order."""
        ...

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        """``apply``, then ``claim``, in one transaction.

        In between, or right after, each row whose ``lifecycle.plain_need`` an end meets
        (``lifecycle.MEETS``) loses the keys of that end: the cost of an end is that of what it
        settles, however much else the row waits for, and what waits for nothing more may be
        claimed at once.
        """
        ...

    def extend(self, node: str, held: Mapping[str, int], lease_until: datetime) -> set[str]:
        """Renew the leases of ``{execution id: fence}``; answer the ids that are still held."""
        ...

    def expired(
        self, now: datetime, limit: int, after: TaskExecution | None = None
    ) -> list[TaskExecution]:
        """RUNNING rows whose lease ran out at or before ``now``, by (``lease_until``, id).

        ``after`` is the last row of the page before.
        """
        ...

    def dependents(self, keys: Collection[str]) -> list[TaskExecution]:
        """Rows that one of these keys blocks."""
        ...

    def stranded(self, now: datetime, limit: int) -> list[TaskExecution]:
        """Blocked rows to look at again: an upstream has ended, is gone, or ``wait_until`` passed.

        For a key ``task:<id>`` an upstream has ended when an ended execution of that task has
        a higher id than the blocked row.
        """
        ...

    def next_due(self) -> datetime | None:
        """The earliest due time of an unblocked PENDING or RETRYING row, past or future."""
        ...


class ScheduleStore(Protocol):
    """Schedules and the tick ledger."""

    def add_schedules(self, new: Sequence[Schedule]) -> bool:
        """Insert all, or (False) none where an id is taken; ``ScheduleExists`` as for ``put``."""
        ...

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert (``expected=None``), or replace what is stored; False where it does not fit.

        It fits if nothing has this id, or if the stored one still has the version, the next
        fire time and the last fire time of ``expected``; ``run_count`` is not replaced. Every
        version is kept, see ``versions``. Raises ``ScheduleExists`` if another one has its name.
        """
        ...

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        ...

    def find_schedules(self, query: ScheduleFilter) -> list[Schedule]:
        """The schedules that fit, by id."""
        ...

    def schedule_counts(self) -> dict[ScheduleState, int]:
        """How many schedules are in each state; what is 0 may be left out.

        Cheaper than to read them; unreadable ones count as far as their state can be told.
        """
        ...

    def scheduled_tasks(self) -> dict[str, int]:
        """How many schedules there are, by task id; cheaper than to read them."""
        ...

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest 100 versions of a schedule that is there, as they were put, oldest first."""
        ...

    def totals(self, schedule_id: str) -> dict[TaskStatus, Total]:
        """How its ended executions ended, also those that were pruned; what is 0 may be left out.

        The seconds are from ``started_time`` to ``completed_time``, where both are there.
        """
        ...

    def tick_counts(self, start: datetime, end: datetime) -> dict[TickOutcome, int]:
        """How many ticks there are from ``start`` up to, without, ``end``, of all schedules."""
        ...

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule, its versions and totals; its ticks stay."""
        ...

    def due(self, now: datetime, limit: int) -> list[Schedule]:
        """Schedules that are not paused and due at or before ``now``, the earliest first."""
        ...

    def next_fire(self) -> datetime | None:
        """The earliest next fire time of a schedule that is not paused."""
        ...

    def fire(self, firings: Sequence[Firing]) -> list[bool]:
        """Advance each schedule, write its ticks and add its executions, in one step each."""
        ...

    def ticks(
        self, schedule_id: str, start: datetime, end: datetime, limit: int = 1000
    ) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        ...

    def last_ticks(
        self, ids: Collection[str], start: datetime, end: datetime
    ) -> dict[str, datetime]:
        """The last instant on record of each schedule within this time; those with none are not."""
        ...


class Store(ExecutionStore, ScheduleStore, RecordStore, Protocol):
    """All that the engine needs."""

    @property
    def durable(self) -> bool:
        """Whether rows outlive this process, and so must be JSON."""
        ...

    @property
    def blocking(self) -> bool:
        """Whether a call may wait for a disk or a network, and so belongs in a thread."""
        ...

    def open(self) -> None:
        """Make the store ready; safe to repeat, also after ``close``."""
        ...

    def close(self) -> None:
        """Release connections; safe to repeat."""
        ...

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` if the store does not answer."""
        ...

    def unreadable(self) -> list[Parked]:
        """The executions and schedules that were met lately and could not be read, by kind, id.

        At most as old as a minute: what is read again by then, is not listed.
        """
        ...

    def time(self) -> datetime | None:
        """What the clock of the server says; None if the store has no clock of its own."""
        ...
