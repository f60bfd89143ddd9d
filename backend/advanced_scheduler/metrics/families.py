"""Makes the families of metrics, and writes out those of this process, or of all workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ..forks import free_in_child

PREFIX: Final = "advanced_scheduler"
TASKS_NAMED: Final = 200
OTHER: Final = "other"
SHARED: Final = values.ValueClass is not values.MutexValue
"""Whether the workers of a server count into files of one directory: the variable
``PROMETHEUS_MULTIPROC_DIR`` was there when prometheus-client was loaded."""

SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
STORE_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Merge: TypeAlias = Literal["livesum", "livemax", "max"]
"""How a gauge of many workers becomes one."""


class Families:
    """A registry of its own, whose first collector is ``scrape``."""

    def __init__(self, scrape: Collector) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(scrape)  # first, so that its errors show in that very scrape
        self._kept = self.registry
        if SHARED:
            MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call]
            self._kept = CollectorRegistry()  # what this worker alone has counted, read by nobody

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter; ``_total`` is added to its name."""
        return Counter(name, text, labels, namespace=PREFIX, registry=self._kept)

    def gauge(self, name: str, text: str, *labels: str, merge: Merge) -> Gauge:
        """A gauge that is set when something happens."""
        return Gauge(
            name, text, labels, namespace=PREFIX, registry=self._kept, multiprocess_mode=merge
        )

    def histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS
    ) -> Histogram:
        """A histogram of seconds; ``_seconds`` is added to its name."""
        return Histogram(
            f"{name}_seconds",
            text,
            labels,
            namespace=PREFIX,
            registry=self._kept,
            buckets=buckets,
        )

    def render(self, accept: str | None = None) -> tuple[bytes, str]:
        """The text of one scrape and its content type: OpenMetrics if ``accept`` asks for it."""
        encode, content_type = choose_encoder(accept or "")
        return encode(_Plain(self.registry)), content_type


class Names:
    """The first 200 task ids are values of labels; the others share ``other``."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lock = free_in_child(threading.Lock())

    def of(self, task_id: str) -> str:
        """The value for this task."""
        return self._known.get(task_id) or self._new(task_id)

    def _new(self, task_id: str) -> str:
        with self._lock:
            if len(self._known) >= TASKS_NAMED:
                return self._known.get(task_id, OTHER)
            return self._known.setdefault(task_id, task_id)


class _Plain(Collector):
    """A registry without the ``_created`` samples, which would double every counter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family
