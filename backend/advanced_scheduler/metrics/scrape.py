"""Reads what is only known when somebody looks: the state of the node, and of the queue."""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Final, TypeVar

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ..engine.probe import HURRY, Probe
from ..lifecycle import CLAIMABLE
from ..models import SCHEDULE_STATES, ExecutionFilter, TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from ..stores.base import Store
from .recent import Recent

T = TypeVar("T", bound=str)

logger = logging.getLogger(__name__)

PREFIX: Final = "advanced_scheduler"
QUEUE_STATES: Final = ("ready", "delayed", "blocked", "retrying")
PARKED_KINDS: Final = ("task", "execution", "schedule")
ROWS_LOOKED_AT: Final = 500
"""Of each priority, to tell the states of the queue; the rest counts like the last of them."""
SECONDS: Final = 1.0
"""How long a scrape waits for the store."""
REST: Final = 20.0
"""How much longer than to count the schedules the next count is waited for."""


class Scrape(Collector):
    """Never fails: what the store does not tell within a second is left out, and counted."""

    def __init__(self, scheduler: AdvancedTaskScheduler, store_failed: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._store_failed = store_failed
        self._build = {
            "version": version("advanced-scheduler"),
            "python": platform.python_version(),
            "store": type(scheduler.store).__name__.removesuffix("Store").lower(),
        }
        store = scheduler.store
        self._states = Probe(
            store.schedule_counts,
            scheduler.clock,
            patience=SECONDS / 2 if store.blocking else None,
            rest=REST,
            hurry=HURRY,
        )
        self._cluster = Recent(self._read_cluster, scheduler.clock, keep=5, wait=SECONDS)

    def collect(self) -> Iterable[Metric]:
        """All families, read now or (those of the cluster) at most 5 s ago."""
        yield InfoMetricFamily(f"{PREFIX}_build", "What runs here.", self._build)
        yield from self._node()
        try:
            yield from self._cluster.get()
        except Exception as error:
            self._store_failed()
            logger.warning("the store did not tell the state of the queue: %r", error)

    def _node(self) -> Iterable[Metric]:
        scheduler, facts = self._scheduler, self._scheduler.health_facts(ask=False)
        yield _gauge("executions_running", "Executions that run here.", scheduler.running_tasks)
        yield _gauge("concurrency_limit", "How many may run here.", scheduler.max_concurrent_tasks)
        yield _gauge("event_loop_lag_seconds", "How late the event loop is.", facts.loop_lag)
        gaps = "Instants of schedules that were passed over without a record; never any."
        yield _gauge("tick_ledger_gaps", gaps, facts.gaps_found)
        if facts.seconds_since_pass is not None:
            passed = scheduler.clock.now().timestamp() - facts.seconds_since_pass
            yield _gauge("last_tick_timestamp_seconds", "When the engine last went round.", passed)

    def _read_cluster(self) -> list[Metric]:
        store, now = self._scheduler.store, self._scheduler.clock.now()
        depth = GaugeMetricFamily(
            f"{PREFIX}_queue_depth", "Executions that wait.", labels=("priority", "state")
        )
        age = GaugeMetricFamily(
            f"{PREFIX}_queue_oldest_ready_age_seconds",
            "For how long the first in line has been due.",
            labels=("priority",),
        )
        for priority, waiting in _waiting(store).items():
            states, oldest = _queue(store, priority, waiting, now)
            word = priority.name.lower()
            age.add_metric((word,), oldest)
            for state in QUEUE_STATES:
                depth.add_metric((word, state), states[state])
        return [depth, age, *self._census()]

    def _census(self) -> Iterable[Metric]:
        """What takes as long as there are schedules; left out while the first count is slow."""
        states, _ = self._states.answer()
        if states is not None:
            yield _gauges("schedules", "Schedules.", "state", SCHEDULE_STATES, states)
        parked, text = self._scheduler.parked_counts(), "What is stored, and this node cannot use."
        if parked is not None:
            yield _gauges("parked", text, "kind", PARKED_KINDS, parked)


def _gauges(name: str, text: str, label: str, words: Iterable[T], found: Mapping[T, int]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=(label,))
    for word in words:
        family.add_metric((word,), found.get(word, 0))
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value)


def _waiting(store: Store) -> dict[TaskPriority, int]:
    waiting = dict.fromkeys(TaskPriority, 0)
    for (_, priority), number in store.counts(CLAIMABLE).items():
        waiting[priority] += number
    return waiting


def _queue(
    store: Store, priority: TaskPriority, waiting: int, now: datetime
) -> tuple[Counter[str], float]:
    """How many of the ``waiting`` rows are in which state, and how old the first ready one is."""
    if not waiting:
        return Counter(), 0.0
    rows = store.find(
        ExecutionFilter(statuses=CLAIMABLE, priority=priority, order="claim", limit=ROWS_LOOKED_AT)
    )
    states = Counter(_state(row, now) for row in rows)
    if rows:
        states[_state(rows[-1], now)] += max(waiting - len(rows), 0)
    ready = (row.due for row in rows if not row.blocked_by and row.due <= now)
    return states, (now - min(ready, default=now)).total_seconds()


def _state(row: TaskExecution, now: datetime) -> str:
    if row.status is TaskStatus.RETRYING:
        return "retrying"
    if row.blocked_by:
        return "blocked"
    return "ready" if row.due <= now else "delayed"
