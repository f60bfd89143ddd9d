"""Counts runs of workflows when the last of their executions has ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final

from ..forks import free_in_child, renew_in_child
from ..lifecycle import FINAL, OPEN
from ..models import ExecutionFilter, TaskExecution, TaskStatus
from ..stores.base import ExecutionStore
from .families import Families, Names

logger = logging.getLogger(__name__)

OUTCOMES: Final = ("completed", "failed", "cancelled", "skipped")
LOOK_SECONDS: Final = 1.0
"""How long ends of executions are gathered, before the store is asked once about their run."""

_WORST: Final = (
    *(TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.SKIPPED, TaskStatus.COMPLETED),
)
_PAGE: Final = 100
_MOST: Final = 10_000  # executions of a run, and runs that are to be looked at


class DagRuns:
    """Hears of ends; each run is counted by the process that told of its last one.

    The value of the label ``dag`` is the id of the task that a run begins with.
    """

    def __init__(self, store: ExecutionStore, families: Families, names: Names) -> None:
        self._store = store
        self._names = names
        self._total = families.counter(
            "dag_runs", "Runs of workflows that ended.", "dag", "outcome"
        )
        self._duration = families.histogram(
            "dag_run_duration", "From the first start to the last end.", "dag", "outcome"
        )
        self._lock = free_in_child(threading.Lock())
        self._news: dict[str, TaskExecution] = {}  # the last end of each run that was heard of
        self._looking = False
        self._over = threading.Event()
        self._begun: str | None = None
        renew_in_child(self, DagRuns._forget)

    def scheduled(self, row: TaskExecution) -> None:
        """Begin at zero: of a run the first task is told of first."""
        if row.workflow_id != self._begun:
            self._begun = row.workflow_id
            dag = self._names.of(row.task_id)
            for outcome in OUTCOMES:
                self._total.labels(dag, outcome)
                self._duration.labels(dag, outcome)

    def ended(self, row: TaskExecution) -> None:
        """Look at its run in a second, on a thread that ends when there is nothing to look at."""
        with self._lock:
            if row.workflow_id is None or len(self._news) >= _MOST or self._over.is_set():
                return
            last = self._news.get(row.workflow_id)
            if last is None or _moment(last) <= _moment(row):
                self._news[row.workflow_id] = row
            if self._looking:
                return
            self._looking = True
        threading.Thread(target=self._look, name="advanced-scheduler-runs", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with self._lock:
                news, self._news = self._news, {}
                if not news:
                    self._looking = False
                    return
            try:
                for run, last in news.items():
                    self._count(run, last)
            except Exception as error:  # whatever it is: the next runs are counted again
                logger.warning("runs of workflows that ended now are not counted: %r", error)

    def _count(self, run: str, last: TaskExecution) -> None:
        rows = self._rows(run)
        if not rows or any(row.status not in FINAL for row in rows):
            return
        if max(rows, key=_moment).execution_id != last.execution_id:
            return  # another process has told of a later one, and counts it
        newest = {row.task_id: row for row in rows}  # what was run again stands for what was not
        statuses = {row.status for row in newest.values()}
        dag = self._names.of(rows[0].task_id)
        outcome = next(one for one in _WORST if one in statuses).value
        self._total.labels(dag, outcome).inc()
        starts = [row.started_time for row in rows if row.started_time is not None]
        if starts and last.completed_time is not None:
            seconds = (last.completed_time - min(starts)).total_seconds()
            self._duration.labels(dag, outcome).observe(max(seconds, 0.0))

    def _rows(self, run: str) -> Sequence[TaskExecution]:
        """All executions of the run, the first first; some of them while it goes on."""
        rows = self._store.find(ExecutionFilter(workflow_id=run, limit=_PAGE))
        if len(rows) == _PAGE and all(row.status in FINAL for row in rows):
            rows = self._store.find(
                ExecutionFilter(workflow_id=run, statuses=OPEN, limit=1)
            ) or self._store.find(ExecutionFilter(workflow_id=run, limit=_MOST))
        return rows[::-1]

    def _forget(self) -> None:
        """In a forked process: the thread is the parent's, and so is what it looks at."""
        self._news, self._looking = {}, False


def _moment(row: TaskExecution) -> tuple[float, str]:
    ended = row.completed_time
    return (0.0 if ended is None else ended.timestamp()), row.execution_id
