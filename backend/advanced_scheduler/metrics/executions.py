"""Counts what became of executions, by task."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from ..events import Event, EventType
from ..models import TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .families import Families, Names
from .runs import DagRuns

OUTCOMES: Final = ("completed", "failed", "timed_out", "cancelled", "skipped")
_TRACE: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""A ``traceparent`` of W3C Trace Context; the second field is the id of the trace."""


class _Series:
    """The children of one task at one priority; that they exist makes them start at 0."""

    __slots__ = (
        "duration",
        "failed_attempts",
        "finished",
        "queue_wait",
        "retries",
        "started",
        "task",
    )

    def __init__(self, counts: ExecutionCounts, task: str, priority: str) -> None:
        self.task = task
        self.started = counts.started.labels(task, priority)
        self.queue_wait = counts.queue_wait.labels(priority)
        self.finished = {one: counts.finished.labels(task, priority, one) for one in OUTCOMES}
        self.failed_attempts = counts.failed_attempts.labels(task)
        self.retries = counts.retries.labels(task)
        self.duration = counts.duration.labels(task)


class ExecutionCounts:
    """By task, priority and outcome."""

    def __init__(self, families: Families, names: Names, runs: DagRuns) -> None:
        counter, histogram = families.counter, families.histogram
        self.started = counter("executions_started", "Attempts started.", "task", "priority")
        self.finished = counter(
            "executions_finished", "Executions ended for good.", "task", "priority", "outcome"
        )
        self.failed_attempts = counter("execution_attempts_failed", "Attempts that failed.", "task")
        self.retries = counter("execution_retries", "Retries scheduled.", "task")
        self.duration = histogram("execution_duration", "Run time of one attempt.", "task")
        self.queue_wait = histogram("queue_wait", "From ready to started.", "priority")
        self._last_success = families.gauge(
            "task_last_success_timestamp_seconds",
            "When the task last completed.",
            "task",
            merge="max",
        )
        self._recovered = counter("executions_recovered", "Executions taken over from lost nodes.")
        self._runs = runs
        self._names = names
        self._series: dict[tuple[str, TaskPriority], _Series] = {}
        self.handlers: Final[Mapping[EventType, Callable[[Event], None]]] = {
            EventType.SCHEDULED: self._on_schedule,
            EventType.STARTED: self._on_start,
            EventType.RETRYING: self._on_retry,
            EventType.FINISHED: self._on_finish,
            EventType.RECOVERED: lambda _: self._recovered.inc(),
        }

    def begin_at_zero(self, scheduler: AdvancedTaskScheduler) -> None:
        """A rate needs a 0 to begin with, or it misses the first event."""
        for task in list(scheduler.task_definitions.values()):
            self._of(task.task_id, task.priority)
        for priority in TaskPriority:
            self.queue_wait.labels(priority.word)

    def _of(self, task_id: str, priority: TaskPriority) -> _Series:
        name = self._names.of(task_id)
        series = self._series.get((name, priority))
        if series is None:
            series = self._series[name, priority] = _Series(self, name, priority.word)
        return series

    def _on_schedule(self, event: Event) -> None:
        row = _row(event)
        self._of(row.task_id, row.priority)
        if row.workflow_id is not None:
            self._runs.scheduled(row)

    def _on_start(self, event: Event) -> None:
        row = _row(event)
        series = self._of(row.task_id, row.priority)
        series.started.inc()
        series.queue_wait.observe(event.data["queue_wait"])

    def _on_retry(self, event: Event) -> None:
        row = _row(event)
        series = self._of(row.task_id, row.priority)
        series.failed_attempts.inc()
        series.retries.inc()
        _observe(series, row, event)

    def _on_finish(self, event: Event) -> None:
        row = _row(event)
        series = self._of(row.task_id, row.priority)
        series.finished[_outcome(row)].inc()
        if row.workflow_id is not None:
            self._runs.ended(row)
        if row.status is TaskStatus.COMPLETED:
            self._last_success.labels(series.task).set(event.time.timestamp())
        elif row.status is TaskStatus.FAILED:
            series.failed_attempts.inc()
        else:
            return  # cancelled or skipped: whatever was measured is of an earlier attempt
        _observe(series, row, event)


def _observe(series: _Series, row: TaskExecution, event: Event) -> None:
    duration = event.data.get("duration")
    if duration is not None:
        series.duration.observe(duration, _exemplar(row) if row.extras else None)


def _exemplar(row: TaskExecution) -> dict[str, str] | None:
    """The trace that the execution belongs to, if its metadata has W3C's ``traceparent``."""
    told = row.extras.get("metadata") or {}
    found = _TRACE.fullmatch(str(told.get("traceparent", "")))
    return None if found is None else {"trace_id": found[1]}


def _row(event: Event) -> TaskExecution:
    if event.execution is None:
        raise TypeError(f"an event of type {event.type} must have an execution")
    return event.execution


def _outcome(row: TaskExecution) -> str:
    if row.status is TaskStatus.FAILED and row.metrics.get("timed_out"):
        return "timed_out"
    return row.status.value
