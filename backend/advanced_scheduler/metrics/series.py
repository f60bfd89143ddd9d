"""Counts what happened: the metrics of one scheduler that its events feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..events import Event, EventType
from ..scheduler import AdvancedTaskScheduler
from .executions import ExecutionCounts
from .families import SHARED, Families, Names
from .node import NodeCollector, NodeWriter
from .operation import OperationCounts
from .runs import DagRuns
from .scrape import Scrape


class SchedulerMetrics:
    """The metrics of one scheduler, in a registry of their own, counted from now on.

    Where the workers of a server share files (prometheus-client's multiprocess mode), a scrape
    of one of them tells of all.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._families = families = Families(Scrape(scheduler, self._scrape_failed))
        self.registry = families.registry
        if SHARED:
            self._writer: NodeWriter | None = NodeWriter(scheduler, families)
        else:
            self._writer = None
            self.registry.register(NodeCollector(scheduler))
        self._operation = OperationCounts(families)
        names = Names()
        self._runs = DagRuns(scheduler.store, families, names)
        executions = ExecutionCounts(families, names, self._runs)
        executions.begin_at_zero(scheduler)
        self._handlers: Mapping[EventType, Callable[[Event], None]] = {
            **executions.handlers,
            **self._operation.handlers,
        }
        self._unsubscribe = scheduler.events.subscribe(self.listen, self._handlers)

    def listen(self, event: Event) -> None:
        """Count one event, of a type that counts; a listener of ``EventBus``."""
        self._handlers[event.type](event)

    def render(self, accept: str | None = None) -> tuple[bytes, str]:
        """The text of one scrape and its content type: OpenMetrics if ``accept`` asks for it."""
        if self._writer is not None:
            self._writer.write()
        return self._families.render(accept)

    def close(self) -> None:
        """Count no more."""
        self._unsubscribe()
        self._runs.close()
        if self._writer is not None:
            self._writer.close()

    def _scrape_failed(self) -> None:
        self._operation.store_errors.labels("scrape").inc()
