"""Owns the order in which waiting executions are taken: priority, rank, due time, arrival."""

from __future__ import annotations

import threading
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from operator import itemgetter
from typing import Final

from .errors import InvalidArguments
from .forks import free_in_child
from .models import TaskExecution, TaskPriority

_DEAD_SLACK: Final = 64
_Entry = tuple[int, datetime, int, TaskExecution]  # rank, negated; due, arrival
_EXECUTION: Final = itemgetter(3)


class PriorityTaskQueue:
    """A thread-safe queue: strict priority, then the higher rank, the earlier ``due``, arrival.

    Stores claim in the same order, see ``lifecycle.claim_order``: they break ties by id, as all
    nodes can, and the ids that this package makes arrive in order. Whoever fills a queue of his
    own may give other ids, or enqueue one again, which puts it behind its like.

    An execution is in it once: enqueued again, it leaves its old place. Taking one out leaves a
    dead entry in its lane, so that every operation is O(log n), amortised; a lane is swept when
    more than half of it is dead.
    """

    def __init__(self) -> None:
        self._lock = free_in_child(threading.RLock())
        self._arrivals = count()
        self._lanes: tuple[list[_Entry], ...] = tuple([] for _ in TaskPriority)  # heaps
        self._sizes = [0 for _ in TaskPriority]
        self._live: dict[str, _Entry] = {}  # by execution id
        self._by_task: dict[str, set[str]] = {}  # task id -> execution ids

    def enqueue(self, execution: TaskExecution) -> None:
        """Add an execution, or move the one with its id to its new place.

        Raises ``InvalidArguments`` (a ValueError) if its due time has no time zone.
        """
        due, one, priority = execution.due, execution.execution_id, execution.priority
        if due.tzinfo is None:
            raise InvalidArguments(
                f"the due time {due} of execution {one} has no time zone; give an aware datetime"
            )
        with self._lock:
            if one in self._live:
                self.remove_execution(one)
            self._live[one] = entry = (-execution.rank, due, next(self._arrivals), execution)
            self._by_task.setdefault(execution.task_id, set()).add(one)
            self._sizes[priority] += 1
            heappush(self._lanes[priority], entry)

    def dequeue(self) -> TaskExecution | None:
        """Take out the first execution; None if there is none."""
        with self._lock:
            lane = self._first_lane()
            if lane is None:
                return None
            execution = heappop(lane)[3]
            self._forget(execution)
            return execution

    def peek(self) -> TaskExecution | None:
        """The first execution, which stays; None if there is none."""
        with self._lock:
            lane = self._first_lane()
            return None if lane is None else lane[0][3]

    def remove(self, task_id: str) -> bool:
        """Take out the execution with this id, or else all of the task with this id.

        Answers whether there was one.
        """
        with self._lock:
            if self.remove_execution(task_id):
                return True
            executions = list(self._by_task.get(task_id, ()))
            for one in executions:
                self.remove_execution(one)
            return bool(executions)

    def remove_execution(self, execution_id: str) -> bool:
        """Take out the execution with this id; False if it is not here."""
        with self._lock:
            entry = self._live.get(execution_id)
            if entry is None:
                return False
            execution = entry[3]
            priority = execution.priority
            self._forget(execution)
            lane = self._lanes[priority]
            if len(lane) > 2 * self._sizes[priority] + _DEAD_SLACK:
                lane[:] = [one for one in lane if self._is_live(one)]
                heapify(lane)
            return True

    def size(self, priority: TaskPriority | None = None) -> int:
        """How many executions wait, in all or of one priority."""
        return len(self._live) if priority is None else self._sizes[TaskPriority(priority)]

    def __len__(self) -> int:
        return len(self._live)

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._live

    def get_tasks_by_priority(self, priority: TaskPriority) -> list[TaskExecution]:
        """The executions of one priority, in order."""
        with self._lock:
            lane = [one for one in self._lanes[TaskPriority(priority)] if self._is_live(one)]
        return list(map(_EXECUTION, sorted(lane)))

    def snapshot(self, limit: int | None = None) -> list[TaskExecution]:
        """The first ``limit`` executions (all by default), in order."""
        found: list[TaskExecution] = []
        with self._lock:
            for priority in TaskPriority:
                if limit is None or len(found) < limit:
                    found += self.get_tasks_by_priority(priority)
        return found[:limit]

    def _first_lane(self) -> list[_Entry] | None:
        """The lane of the most urgent execution, with that one on top."""
        for priority, lane in enumerate(self._lanes):
            if self._sizes[priority]:
                while not self._is_live(lane[0]):
                    heappop(lane)
                return lane
        return None

    def _is_live(self, entry: _Entry) -> bool:
        return self._live.get(entry[3].execution_id) is entry

    def _forget(self, execution: TaskExecution) -> None:
        one, task = execution.execution_id, execution.task_id
        del self._live[one]
        self._sizes[execution.priority] -= 1
        executions = self._by_task[task]
        executions.remove(one)
        if not executions:
            del self._by_task[task]
