"""The executions of the Redis store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeVar

from ..lifecycle import CLAIMABLE, Transition, claim_order
from ..lifecycle import claim as claiming
from ..models import (
    ExecutionFilter,
    Outline,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    TickOutcome,
    outline_of,
)
from .base import ONE_STEP, Claim, Exchange
from .redis_client import EVERYTHING, RedisClient
from .redis_rows import (
    EXECUTIONS,
    Arg,
    Reply,
    changed,
    exchanged,
    fetched,
    has_fields,
    inserted,
    key_of,
    listed,
    moved,
    optional,
    undone,
)
from .rows import Fetched, Reader, micros, nearest

T = TypeVar("T")

CHUNK: Final = ONE_STEP
"""How many executions one script adds, in one step."""

PAGE: Final = 500
"""How many rows one script reads: 5 ms in which no other node, nor a health report, is answered."""

_BY_ID: Final = attrgetter("execution_id")


class RedisExecutions(RedisClient):
    """``ExecutionStore`` on a Redis server."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._executions = Reader("execution", EXECUTIONS, self._clock)

    def add(self, executions: Sequence[TaskExecution]) -> list[bool]:
        """Insert; False where the id or the unique key is taken.

        In one step up to ``CHUNK`` executions, and in several beyond.
        """
        added: list[bool] = []
        for rows in chunks(executions, CHUNK):
            args = [part for row in rows for part in inserted(row)]
            added += map(bool, self._call("add", args))
        return added

    def get(self, ids: Collection[str]) -> list[TaskExecution]:
        """The rows with these ids, in the order of ``ids``."""
        return [row for some in chunks(ids, PAGE) for row in self._rows("rows", ["x:", *some])]

    def by_unique_key(self, key: str) -> TaskExecution | None:
        """The execution that holds this unique key."""
        holder = self._run(lambda client: client.hget(f"{self._root}unique", key))
        rows = [] if holder is None else self._rows("rows", ["x:", holder])
        return next((row for row in rows if row.unique_key == key), None)

    def find(self, query: ExecutionFilter) -> list[TaskExecution]:
        """A page of rows."""
        if query.order == "newest":
            return self._newest_first(query, query.limit)
        if query.statuses != CLAIMABLE or query.task_id or query.workflow_id or query.schedule_id:
            return nsmallest(query.limit, self._newest_first(query, EVERYTHING), claim_order)
        wanted = TaskPriority if query.priority is None else [query.priority]
        head = [query.limit, *optional(query.queue), *listed(map(int, wanted))]
        return self._read(lambda skip: self._call("line", [*head, *listed(skip)]))

    def outlines(self, query: ExecutionFilter) -> list[Outline]:
        """A page of rows, of each what a search looks at."""
        return [outline_of(row) for row in self.find(query)]

    def newest(self, task_ids: Collection[str]) -> dict[str, TaskExecution]:
        """The row with the highest id of each task."""
        tasks = listed(task_ids)
        rows = self._read(lambda skip: self._call("newest", [*tasks, *listed(skip)]))
        return {row.task_id: row for row in rows}

    def counts(
        self, statuses: Collection[TaskStatus] | None = None
    ) -> dict[tuple[TaskStatus, TaskPriority], int]:
        """How many rows there are of each status and priority."""
        found = self._run(lambda client: client.hgetall(f"{self._root}counts"))
        wanted = TaskStatus if statuses is None else statuses
        names = {
            f"{one} {level:d}".encode(): (one, level) for one in wanted for level in TaskPriority
        }
        return {names[name]: int(number) for name, number in found.items() if name in names}

    def waiting_tasks(self) -> dict[str, int]:
        """How many executions have not ended, by task id."""
        found = self._run(lambda client: client.hgetall(f"{self._root}open"))
        return {task.decode(errors="replace"): int(number) for task, number in found.items()}

    def prune(self, *, keep: int, before: datetime, older_than: datetime, limit: int) -> int:
        """Delete ended rows, oldest first; ticks go by age alone."""
        head = [keep, micros(before), micros(older_than), limit]
        return int(self._call("prune", [*head, *listed(TickOutcome)]))

    def delete(self, ids: Collection[str]) -> int:
        """Delete those of these rows that have ended."""
        parts = chunks(sorted(set(ids)), CHUNK // 10)
        return sum(int(self._call("delete", listed(part))) for part in parts)

    def claim(self, claim: Claim) -> list[TaskExecution]:
        """Take due rows by priority, rank, due time, id."""
        return list(self.exchange([], claim).claimed)

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        """Apply what fits, in order."""
        if not transitions:
            return []
        args = [*exchanged(map(moved, transitions)), *_NO_CLAIM]
        applied, *_ = self._call("exchange", args)
        return [bool(one) for one in applied]

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        """``apply``, then ``claim``."""
        deal = _Deal(self, transitions, claim)
        rows = self._executions.read(deal.fetch)
        claimed = [row.with_changes(_granted(row, claim)) for row in rows]
        waiting = self._executions.decode([fetched(reply) for reply in deal.waiting])
        waiting = sorted(waiting, key=_BY_ID)
        return Exchange(
            deal.applied,
            claimed,
            waiting,
            unblocked=sorted(deal.unblocked),
            looked_ahead=deal.looked_ahead,
            next_due=deal.next_due,
        )

    def extend(self, node: str, held: Mapping[str, int], lease_until: datetime) -> set[str]:
        """Renew leases; answer the ids that are still held."""
        kept: set[str] = set()
        for some in chunks(held.items(), PAGE):
            args = [node, micros(lease_until), *(part for pair in some for part in pair)]
            kept.update(one.decode() for one in self._call("extend", args))
        return kept

    def expired(
        self, now: datetime, limit: int, after: TaskExecution | None = None
    ) -> list[TaskExecution]:
        """Running rows whose lease ran out, the oldest lease first."""
        head: list[Arg] = [micros(now), limit, "-inf", ""]
        if after is not None and after.lease_until is not None:
            head[2:] = [micros(after.lease_until), after.execution_id]
        return self._read(lambda skip: self._call("expired", [*head, *listed(skip)]))

    def dependents(self, keys: Collection[str]) -> list[TaskExecution]:
        """Rows that one of these keys blocks, by id."""
        return sorted(self._rows("dependents", list(keys)), key=_BY_ID) if keys else []

    def stranded(self, now: datetime, limit: int) -> list[TaskExecution]:
        """Blocked rows to look at again, by id."""
        return self._read(lambda skip: self._pages("stranded", [micros(now)], limit, listed(skip)))

    def next_due(self) -> datetime | None:
        """The earliest due time of a row that may be claimed then."""
        return _soonest(self._call("next_due"))

    def _newest_first(self, query: ExecutionFilter, limit: int) -> list[TaskExecution]:
        tail: list[Arg] = ["" if query.priority is None else int(query.priority)]
        for name in (query.task_id, query.workflow_id, query.schedule_id, query.queue):
            tail += optional(name)
        tail += [int(query.statuses is not None), *listed(map(str, query.statuses or ()))]
        cursor = query.cursor if query.order == "newest" else None
        return self._read(
            lambda skip: self._pages("find", [], limit, [*tail, *listed(skip)], cursor or "")
        )

    def _rows(self, script: str, args: Sequence[Arg]) -> list[TaskExecution]:
        replies = self._call(script, args)
        return self._executions.decode([fetched(reply) for reply in replies])

    def _read(self, ask: Callable[[list[str]], Sequence[Reply]]) -> list[TaskExecution]:
        """The readable rows of an answer; unreadable ones do not count against its limit."""
        return self._executions.read(lambda skip: [fetched(one) for one in ask(skip)])


class _Deal:
    """One exchange: again for what turns out to be unreadable, which goes back as it was."""

    def __init__(
        self, store: RedisExecutions, transitions: Sequence[Transition], claim: Claim
    ) -> None:
        self.applied: list[bool] = []
        self.waiting: list[Reply] = []
        self.looked_ahead = False
        self.next_due: datetime | None = None
        self.unblocked: list[str] = []
        self._store = store
        self._moves = [moved(one) for one in transitions]
        self._claim = claim
        self._taken: dict[str, Reply] = {}
        blank = TaskExecution(execution_id="", task_id="", task_name="", scheduled_time=claim.now)
        self._granted = _granted(blank, claim)

    def fetch(self, skip: list[str]) -> list[Fetched]:
        """The rows claimed so far, as they were before."""
        asked, self._moves = self._moves, []
        back = [self._taken.pop(one) for one in skip if one in self._taken]
        moves = asked + [undone(reply, self._granted) for reply in back if has_fields(reply)]
        wanted = self._claim.limit - len(self._taken)
        if moves or wanted > 0:
            applied, waiting, claimed, unblocked, due = self._store._call(
                "exchange", [*exchanged(moves), 1, wanted, *self._terms(skip)]
            )
            if asked:
                self.applied, self.waiting = list(map(bool, applied)), waiting
                self.unblocked = [one.decode(errors="replace") for one in unblocked]
            self._taken |= {key_of(reply): reply for reply in claimed}
            self.looked_ahead, self.next_due = len(claimed) < wanted, _soonest(due)
        return [fetched(reply) for reply in self._taken.values()]

    def _terms(self, skip: list[str]) -> list[Arg]:
        growth = {name: value for name, value in self._granted.items() if type(value) is int}
        plain = {name: value for name, value in self._granted.items() if name not in growth}
        names, values, gone = changed(plain)
        grant = listed(part for pair in zip(names, values, strict=True) for part in pair)
        grown = listed(part for pair in growth.items() for part in pair)
        exclude = sorted(self._claim.exclude)
        terms = [micros(self._claim.now), *grant, *listed(gone), *grown]
        terms += [*listed(exclude), *listed(skip), int(self._claim.queues is not None)]
        pauses = self._claim.pauses
        terms += [*listed(self._claim.queues or ()), *listed(sorted(pauses.queues))]
        return [*terms, *listed(map(int, pauses.priorities))]


_NO_CLAIM: Final = (0,) * 12
"""To be told of nobody who waits, to claim none, and the terms of that."""


def _granted(row: TaskExecution, claim: Claim) -> Mapping[str, Any]:
    return claiming(row, node=claim.node, now=claim.now, lease_until=claim.lease_until)


def _soonest(found: Reply | None) -> datetime | None:
    return None if found is None else nearest(float(found))


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists that fit into one call."""
    left = iter(values)
    while chunk := list(islice(left, size)):
        yield chunk
