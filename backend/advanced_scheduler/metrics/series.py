"""Counts what happened: the metrics of one scheduler that its events feed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ..events import Event, EventType
from ..forks import free_in_child
from ..models import TaskExecution, TaskPriority, TaskStatus, Tick, TickOutcome
from ..scheduler import AdvancedTaskScheduler
from .scrape import PREFIX, Scrape

TASKS_NAMED: Final = 200
OTHER: Final = "other"
BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
OUTCOMES: Final = ("completed", "failed", "timed_out", "cancelled", "skipped")
FIRES: Final = {
    TickOutcome.FIRED: "fired",
    TickOutcome.MISFIRED: "misfired",
    TickOutcome.COALESCED: "coalesced",
    TickOutcome.OVERLAP: "skipped_overlap",
}
LOCK_RESULTS: Final = ("acquired", "contended", "timeout", "error")
STORE_OPERATIONS: Final = ("exchange", "extend", "fire", "scrape", "sweep")


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

    def __init__(self, metrics: SchedulerMetrics, task: str, priority: str) -> None:
        self.task = task
        self.started = metrics.started.labels(task, priority)
        self.queue_wait = metrics.queue_wait.labels(priority)
        self.finished = {one: metrics.finished.labels(task, priority, one) for one in OUTCOMES}
        self.failed_attempts = metrics.failed_attempts.labels(task)
        self.retries = metrics.retries.labels(task)
        self.duration = metrics.duration.labels(task)


class _Plain(Collector):
    """A registry without the ``_created`` samples, which would double every counter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family


class SchedulerMetrics:
    """The metrics of one scheduler, in a registry of their own, counted from now on.

    The first 200 task ids are values of the label ``task``; the others share ``other``.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self.registry = CollectorRegistry()
        # First, so that an error of the scrape shows in that very scrape.
        self.registry.register(Scrape(scheduler, self._scrape_failed))
        counter, histogram = self._counter, self._histogram
        self.store_errors = counter("store_errors", "Calls that the store failed.", "operation")
        self.started = counter("executions_started", "Attempts started.", "task", "priority")
        self.finished = counter(
            "executions_finished", "Executions ended for good.", "task", "priority", "outcome"
        )
        self.failed_attempts = counter("execution_attempts_failed", "Attempts that failed.", "task")
        self.retries = counter("execution_retries", "Retries scheduled.", "task")
        self.duration = histogram("execution_duration", "Run time of one attempt.", "task")
        self.last_success = Gauge(
            "task_last_success_timestamp_seconds",
            "When the task last completed.",
            ("task",),
            namespace=PREFIX,
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.queue_wait = histogram("queue_wait", "From ready to started.", "priority")
        self.schedule_lag = histogram("schedule_lag", "From the planned instant to the queue.")
        self.fires = counter("schedule_fires", "Due instants of schedules.", "outcome")
        self.locks = counter("lock_acquisitions", "Tries to take a lock.", "result")
        self.lock_wait = histogram("lock_wait", "How long a successful try took.")
        self.lock_hold = histogram("lock_hold", "How long a lock was held.")
        self.locks_lost = counter("locks_lost", "Locks that were lost while they were held.")
        self.recovered = counter("executions_recovered", "Executions taken over from lost nodes.")
        self._names: dict[str, str] = {}
        self._naming = free_in_child(threading.Lock())
        self._series: dict[tuple[str, TaskPriority], _Series] = {}
        self._begin_at_zero(scheduler)
        self._handlers: Mapping[EventType, Callable[[Event], None]] = {
            EventType.SCHEDULED: self._scheduled,
            EventType.STARTED: self._on_start,
            EventType.RETRYING: self._on_retry,
            EventType.FINISHED: self._on_finish,
            EventType.RECOVERED: lambda _: self.recovered.inc(),
            EventType.TICK: self._on_tick,
            EventType.LOCK: self._on_lock,
            EventType.LOCK_RELEASED: lambda event: self.lock_hold.observe(event.data["held"]),
            EventType.LOCK_LOST: lambda _: self.locks_lost.inc(),
            EventType.STORE_ERROR: self._on_store_error,
        }
        self._unsubscribe = scheduler.events.subscribe(self.listen, self._handlers)

    def listen(self, event: Event) -> None:
        """Count one event, of a type that counts; a listener of ``EventBus``."""
        self._handlers[event.type](event)

    def render(self, accept: str | None = None) -> tuple[bytes, str]:
        """The text of one scrape and its content type: OpenMetrics if ``accept`` asks for it."""
        encode, content_type = choose_encoder(accept or "")
        return encode(_Plain(self.registry)), content_type

    def close(self) -> None:
        """Count no more."""
        self._unsubscribe()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            f"{name}_seconds",
            text,
            labels,
            namespace=PREFIX,
            registry=self.registry,
            buckets=BUCKETS,
        )

    def _begin_at_zero(self, scheduler: AdvancedTaskScheduler) -> None:
        """A rate needs a 0 to begin with, or it misses the first event."""
        for task in list(scheduler.task_definitions.values()):
            self._of(task.task_id, task.priority)
        for priority in TaskPriority:
            self.queue_wait.labels(_word(priority))
        for outcome in FIRES.values():
            self.fires.labels(outcome)
        for result in LOCK_RESULTS:
            self.locks.labels(result)
        for operation in STORE_OPERATIONS:
            self.store_errors.labels(operation)

    def _of(self, task_id: str, priority: TaskPriority) -> _Series:
        name = self._names.get(task_id) or self._name(task_id)
        series = self._series.get((name, priority))
        if series is None:
            series = self._series[name, priority] = _Series(self, name, _word(priority))
        return series

    def _name(self, task_id: str) -> str:
        with self._naming:
            if len(self._names) >= TASKS_NAMED:
                return self._names.get(task_id, OTHER)
            return self._names.setdefault(task_id, task_id)

    def _scheduled(self, event: Event) -> None:
        row = _row(event)
        self._of(row.task_id, row.priority)

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
        self._observe(series, event)

    def _on_finish(self, event: Event) -> None:
        row = _row(event)
        series = self._of(row.task_id, row.priority)
        series.finished[_outcome(row)].inc()
        if row.status is TaskStatus.COMPLETED:
            self.last_success.labels(series.task).set(event.time.timestamp())
        elif row.status is TaskStatus.FAILED:
            series.failed_attempts.inc()
        else:
            return  # cancelled or skipped: whatever was measured is of an earlier attempt
        self._observe(series, event)

    def _observe(self, series: _Series, event: Event) -> None:
        duration = event.data.get("duration")
        if duration is not None:
            series.duration.observe(duration)

    def _on_tick(self, event: Event) -> None:
        tick: Tick = event.data["tick"]
        if tick.outcome in FIRES:
            self.fires.labels(FIRES[tick.outcome]).inc()
        if tick.outcome is TickOutcome.FIRED:
            self.schedule_lag.observe((tick.recorded_time - tick.instant).total_seconds())

    def _on_lock(self, event: Event) -> None:
        self.locks.labels(event.data["result"]).inc()
        if event.data["result"] == "acquired":
            self.lock_wait.observe(event.data["wait"])

    def _scrape_failed(self) -> None:
        self.store_errors.labels("scrape").inc()

    def _on_store_error(self, event: Event) -> None:
        self.store_errors.labels(event.data["operation"]).inc()


def _row(event: Event) -> TaskExecution:
    if event.execution is None:
        raise TypeError(f"an event of type {event.type} must have an execution")
    return event.execution


def _word(priority: TaskPriority) -> str:
    return priority.name.lower()


def _outcome(row: TaskExecution) -> str:
    if row.status is TaskStatus.FAILED and row.metrics.get("timed_out"):
        return "timed_out"
    return row.status.value
