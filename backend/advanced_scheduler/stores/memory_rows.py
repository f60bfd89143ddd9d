"""The executions of the memory store with their indexes: plain data, no lock, no decisions."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Final

from ..lifecycle import CLAIMABLE, FINAL, MEETS, plain_need
from ..models import (
    DependencyType,
    ExecutionFilter,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    task_key,
)
from .base import Claim

_TASK_PREFIX: Final = task_key("")
_STALE_SLACK: Final = 1024
_Entry = tuple[datetime, str]  # an instant and the execution id
_Level = tuple[int, int]  # priority and rank, the rank negated: the lower goes first
_RUNNING: Final = TaskStatus.RUNNING  # a look at a class for it costs more than what is done then


class _Lane:
    """Entries by due time: what comes in order stands in line, what does not lies on a heap."""

    def __init__(self) -> None:
        self.stale = 0  # entries whose row was cancelled or moved: at most, some may have gone
        self._line: deque[_Entry] = deque()
        self._heap: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._line) + len(self._heap)

    def push(self, entry: _Entry) -> None:
        """Add an entry: in constant time if it comes after all others, as most do."""
        if not self._line or entry >= self._line[-1]:
            self._line.append(entry)
        else:
            heappush(self._heap, entry)

    def first(self) -> _Entry | None:
        """The entry that is due first."""
        if self._heap and (not self._line or self._heap[0] < self._line[0]):
            return self._heap[0]
        return self._line[0] if self._line else None

    def pop(self) -> None:
        """Take off the first one."""
        if self._heap and (not self._line or self._heap[0] < self._line[0]):
            heappop(self._heap)
        else:
            self._line.popleft()

    def keep(self, wanted: Callable[[_Entry], bool]) -> None:
        """Drop what is not wanted, and what stands here twice."""
        self._line = deque(sorted(filter(wanted, {*self._line, *self._heap})))
        self._heap = []
        self.stale = 0


class MemoryRows:
    """Rows by id, and for every question of the protocol the index that answers it."""

    def __init__(self) -> None:
        self.by_id: dict[str, TaskExecution] = {}
        self.counts = {status: [0] * len(TaskPriority) for status in TaskStatus}
        self.open_by_task: Counter[str] = Counter()
        self.running: set[str] = set()
        self.blocked: set[str] = set()
        self.holders: dict[str, str] = {}  # unique key -> execution id
        self._waiters: dict[str, set[str]] = {}  # key -> ids of the rows that it blocks
        self._needs: dict[str, DependencyType | None] = {}  # blocked id -> see ``plain_need``
        self._groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._newest: dict[str, str] = {}  # task id -> highest id; left out where unknown
        self._ended: list[_Entry] = []  # heap by the time of the end
        self._gone = 0  # entries of it whose row was deleted
        self._lanes: dict[_Level, _Lane] = {}
        self._levels: list[_Level] = []  # the keys of the lanes, in order

    def fits(self, row: TaskExecution) -> bool:
        """Whether the row's id and unique key are free."""
        return row.execution_id not in self.by_id and (
            row.unique_key is None or row.unique_key not in self.holders
        )

    def insert(self, row: TaskExecution) -> bool:
        """Add a row; False if its id or its unique key is taken."""
        one, task = row.execution_id, row.task_id
        if not self.fits(row):
            return False
        group = self._groups["task_id", task]
        group.add(one)
        if row.workflow_id is not None:
            self._groups["workflow_id", row.workflow_id].add(one)
        if row.schedule_id is not None:
            self._groups["schedule_id", row.schedule_id].add(one)
        newest = self._newest.get(task)
        if (one > newest) if newest else len(group) == 1:
            self._newest[task] = one
        if row.unique_key is not None:
            self.holders[row.unique_key] = one
        if row.blocked_by:
            self.blocked.add(one)
            self._needs[one] = plain_need(row)
            for name in row.blocked_by:
                self._waiters.setdefault(name, set()).add(one)
        if row.status not in FINAL:
            self.open_by_task[task] += 1
        self._write(row)
        return True

    def update(self, old: TaskExecution, new: TaskExecution) -> None:
        """Put ``new`` in the place of ``old``."""
        before, after = old.status, new.status
        self.counts[before][old.priority] -= 1
        if before is _RUNNING:
            self.running.discard(old.execution_id)
        elif after is not _RUNNING and not old.blocked_by:
            self._lanes[_level(old)].stale += 1
        if old.unique_key is not None and new.unique_key is None:
            del self.holders[old.unique_key]
        if old.blocked_by:
            self._unblock(new, old.blocked_by - new.blocked_by)
        if after in FINAL:  # only once: what has ended is never changed
            self._close(new.task_id)
        self._write(new)

    def delete_oldest_ended(self) -> TaskExecution:
        """Forget the row that ended first, and answer it."""
        self.oldest_ended()
        return self._forget(heappop(self._ended)[1])

    def delete(self, one: str) -> TaskExecution | None:
        """Forget a row if it has ended, and answer it."""
        row = self.by_id.get(one)
        if row is None or row.status not in FINAL:
            return None
        self._gone += row.completed_time is not None
        return self._forget(one)

    def _forget(self, one: str) -> TaskExecution:
        row = self.by_id.pop(one)
        self.counts[row.status][row.priority] -= 1
        for key in _groups(row):
            self._groups[key].discard(one)
            if not self._groups[key]:
                del self._groups[key]
        if self._newest.get(row.task_id) == one:
            del self._newest[row.task_id]
        return row

    def oldest_ended(self) -> datetime | None:
        """When the row that ended first did so."""
        while self._ended and self._ended[0][1] not in self.by_id:
            heappop(self._ended)
            self._gone -= 1
        return self._ended[0][0] if self._ended else None

    def ended(self) -> int:
        """How many ended rows there are."""
        return len(self._ended) - self._gone

    def newest(self, task_id: str) -> TaskExecution | None:
        """The row with the highest id of this task."""
        if task_id not in self._newest and (group := self._groups.get(("task_id", task_id))):
            self._newest[task_id] = max(group)
        return self.by_id.get(self._newest.get(task_id, ""))

    def unblock(self, ended: Mapping[str, TaskStatus]) -> list[str]:
        """Take these keys off the rows whose need their ends meet; answers their ids, in order."""
        met: defaultdict[str, set[str]] = defaultdict(set)
        for key, status in ended.items():
            for one in self._waiters.get(key, ()):
                if self._needs[one] in MEETS[status]:
                    met[one].add(key)
        for one, keys in met.items():
            row = self.by_id[one]
            changes: dict[str, Any] = {"blocked_by": row.blocked_by - keys}
            if not changes["blocked_by"]:
                changes["wait_until"] = None
            self.update(row, row.with_changes(changes))
        return sorted(met)

    def waiters(self, keys: Iterable[str]) -> list[TaskExecution]:
        """Rows that one of these keys blocks, by id."""
        if not self._waiters:
            return []
        found = {one for key in keys for one in self._waiters.get(key, ())}
        return [self.by_id[one] for one in sorted(found)]

    def is_over(self, key: str, blocked_id: str) -> bool:
        """Whether what the row waits for under this key has ended, or is gone."""
        if not key.startswith(_TASK_PREFIX):
            row = self.by_id.get(key)
            return row is None or row.status in FINAL
        group = self._groups.get(("task_id", key.removeprefix(_TASK_PREFIX)), ())
        return any(one > blocked_id and self.by_id[one].status in FINAL for one in group)

    def candidates(self, query: ExecutionFilter) -> Iterable[TaskExecution]:
        """The smallest set of rows that an index knows to hold all matches."""
        wanted = [self._groups.get(key, set()) for key in _groups(query)]
        if query.statuses == frozenset({TaskStatus.RUNNING}):
            wanted.append(self.running)
        if not wanted:
            return self.by_id.values()
        return (self.by_id[one] for one in min(wanted, key=len))

    def take(self, claim: Claim) -> Iterator[TaskExecution]:
        """Due, unblocked rows that are wanted, in order; each must be updated at once."""
        left, queues, pauses = claim.limit, claim.queues, claim.pauses
        for level in self._levels.copy():
            if level[0] in pauses.priorities:
                continue
            passed, lane = [], self._lanes[level]
            while left > 0 and (entry := lane.first()) and entry[0] <= claim.now:
                lane.pop()
                if (row := self._waiting(entry, level)) is None:
                    continue
                served = queues is None or row.queue in queues
                if not served or row.queue in pauses.queues or row.task_id in claim.exclude:
                    passed.append(entry)
                    continue
                left -= 1
                yield row
            for entry in passed:
                lane.push(entry)
            self._close_lane(level)

    def next_due(self) -> datetime | None:
        """The earliest due time of a row that may be claimed then."""
        times: list[datetime] = []
        for level in self._levels.copy():
            lane = self._lanes[level]
            while (entry := lane.first()) and self._waiting(entry, level) is None:
                lane.pop()
            if entry:
                times.append(entry[0])
            self._close_lane(level)
        return min(times, default=None)

    def _write(self, row: TaskExecution) -> None:
        status = row.status
        self.by_id[row.execution_id] = row
        self.counts[status][row.priority] += 1
        if status is _RUNNING:
            self.running.add(row.execution_id)
        elif status in CLAIMABLE:
            if not row.blocked_by:
                self._queue(row)
        elif row.completed_time is not None:
            heappush(self._ended, (row.completed_time, row.execution_id))

    def _close(self, task_id: str) -> None:
        self.open_by_task[task_id] -= 1
        if not self.open_by_task[task_id]:
            del self.open_by_task[task_id]

    def _unblock(self, row: TaskExecution, keys: Iterable[str]) -> None:
        for key in keys:
            waiters = self._waiters[key]
            waiters.discard(row.execution_id)
            if not waiters:
                del self._waiters[key]
        if not row.blocked_by:
            self.blocked.discard(row.execution_id)
            del self._needs[row.execution_id]

    def _queue(self, row: TaskExecution) -> None:
        level = row.priority, -row.rank
        if (lane := self._lanes.get(level)) is None:
            lane = self._lanes[level] = _Lane()
            insort(self._levels, level)
        lane.push((row.due_time or row.scheduled_time, row.execution_id))
        if lane.stale > _STALE_SLACK and lane.stale > len(lane) // 2:
            lane.keep(lambda entry: self._waiting(entry, level) is not None)

    def _close_lane(self, level: _Level) -> None:
        """Forget an empty lane, unless it is one of the few that most rows stand in."""
        if level[1] and not len(self._lanes[level]):
            del self._lanes[level]
            self._levels.remove(level)

    def _waiting(self, entry: _Entry, level: _Level) -> TaskExecution | None:
        """The row of an entry; None if it was cancelled, claimed or moved since."""
        row = self.by_id.get(entry[1])
        if (
            row is not None
            and row.status in CLAIMABLE
            and not row.blocked_by
            and (row.priority, -row.rank) == level
            and (row.due_time or row.scheduled_time) == entry[0]
        ):
            return row
        return None


def _level(row: TaskExecution) -> _Level:
    return row.priority, -row.rank


def _groups(item: TaskExecution | ExecutionFilter) -> Iterator[tuple[str, str]]:
    if item.task_id is not None:
        yield "task_id", item.task_id
    if item.workflow_id is not None:
        yield "workflow_id", item.workflow_id
    if item.schedule_id is not None:
        yield "schedule_id", item.schedule_id
