"""Counts what schedules, locks, the store and live connections did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..events import Event, EventType
from ..models import Tick, TickOutcome
from .families import STORE_SECONDS, Families

FIRES: Final = {
    TickOutcome.FIRED: "fired",
    TickOutcome.MISFIRED: "misfired",
    TickOutcome.COALESCED: "coalesced",
    TickOutcome.OVERLAP: "skipped_overlap",
}
LOCK_RESULTS: Final = ("acquired", "contended", "timeout", "error")
STORE_OPERATIONS: Final = ("add", "exchange", "extend", "fire", "scrape", "sweep")
TRANSPORTS: Final = ("sse", "websocket")


class OperationCounts:
    """Every value of a label is there from the beginning."""

    def __init__(self, families: Families) -> None:
        counter, histogram = families.counter, families.histogram
        self.store_errors = counter("store_errors", "Calls that the store failed.", "operation")
        self._store_calls = histogram(
            "store_operation_duration",
            "Calls that a store answered which may wait for a disk or a network.",
            "operation",
            buckets=STORE_SECONDS,
        )
        self._lag = histogram("schedule_lag", "From the planned instant to the queue.")
        self._fires = counter("schedule_fires", "Due instants of schedules.", "outcome")
        self._locks = counter("lock_acquisitions", "Tries to take a lock.", "result")
        self._lock_wait = histogram("lock_wait", "How long a successful try took.")
        self._lock_hold = histogram("lock_hold", "How long a lock was held.")
        self._locks_lost = counter("locks_lost", "Locks that were lost while they were held.")
        self._live = families.gauge(
            "live_connections", "Who listens to events.", "transport", merge="livesum"
        )
        self._live_dropped = counter(
            "live_events_dropped", "Events that a slow listener missed.", "transport"
        )
        self._begin_at_zero()
        self.handlers: Final[Mapping[EventType, Callable[[Event], None]]] = {
            EventType.TICK: self._on_tick,
            EventType.LOCK: self._on_lock,
            EventType.LOCK_RELEASED: lambda event: self._lock_hold.observe(event.data["held"]),
            EventType.LOCK_LOST: lambda _: self._locks_lost.inc(),
            EventType.STORE_ERROR: self._on_store_error,
            EventType.STORE_CALL: self._on_store_call,
            EventType.LIVE: self._on_live,
        }

    def _begin_at_zero(self) -> None:
        for outcome in FIRES.values():
            self._fires.labels(outcome)
        for result in LOCK_RESULTS:
            self._locks.labels(result)
        for operation in STORE_OPERATIONS:
            self.store_errors.labels(operation)
            self._store_calls.labels(operation)
        for transport in TRANSPORTS:
            self._live.labels(transport)
            self._live_dropped.labels(transport)

    def _on_tick(self, event: Event) -> None:
        tick: Tick = event.data["tick"]
        if tick.outcome in FIRES:
            self._fires.labels(FIRES[tick.outcome]).inc()
        if tick.outcome is TickOutcome.FIRED:
            self._lag.observe((tick.recorded_time - tick.instant).total_seconds())

    def _on_lock(self, event: Event) -> None:
        self._locks.labels(event.data["result"]).inc()
        if event.data["result"] == "acquired":
            self._lock_wait.observe(event.data["wait"])

    def _on_store_error(self, event: Event) -> None:
        self.store_errors.labels(event.data["operation"]).inc()

    def _on_store_call(self, event: Event) -> None:
        self._store_calls.labels(event.data["operation"]).observe(event.data["seconds"])

    def _on_live(self, event: Event) -> None:
        transport = event.data["transport"]
        self._live.labels(transport).set(event.data["connections"])
        self._live_dropped.labels(transport).inc(event.data["dropped"])
