"""Reads what is only known when somebody looks: the state that all nodes share."""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Final, TypeVar

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ..engine.lanes import WAIT_STATES, lane_of
from ..engine.probe import HURRY, PATIENCE, Probe
from ..engine.store_times import StoreTimes
from ..models import (
    SCHEDULE_STATES,
    NodeState,
    ScheduleState,
    TaskStatus,
)
from ..scheduler import AdvancedTaskScheduler
from .families import PREFIX
from .recent import Recent

T = TypeVar("T", bound=str)

logger = logging.getLogger(__name__)

PARKED_KINDS: Final = ("task", "execution", "schedule")
ROWS_LOOKED_AT: Final = 500
"""Of each priority, to tell the states of the queue; the rest counts like the last of them."""
LOCKS_LOOKED_AT: Final = 200
REST: Final = 20.0
"""How much longer than to count schedules and failures the next count is waited for."""


class Scrape(Collector):
    """Never fails: what a server does not tell within a second is left out.

    That the store did not is counted.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler, store_failed: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._store_failed = store_failed
        self._build = {
            "version": version("advanced-scheduler"),
            "python": platform.python_version(),
            "store": type(scheduler.store).__name__.removesuffix("Store").lower(),
        }
        self._times = StoreTimes(scheduler.store, scheduler.events, scheduler.clock)
        self._counted = Probe(
            self._count,
            scheduler.clock,
            patience=PATIENCE / 2 if scheduler.store.blocking else None,
            rest=REST,
            hurry=HURRY,
        )
        self._cluster = Recent(self._read_cluster, scheduler.clock, keep=5, wait=PATIENCE)
        self._locks = Probe(self._held, scheduler.clock, rest=REST)

    def collect(self) -> Iterable[Metric]:
        """All families, read now or (those of the cluster) at most 5 s ago."""
        yield InfoMetricFamily(f"{PREFIX}_build", "What runs here.", self._build)
        locks = self._locks.begin()
        try:
            yield from self._cluster.get()
        except Exception as error:
            self._store_failed()
            logger.warning("the store did not tell the state of the queue: %r", error)
        held, _ = locks()
        if held is not None:
            yield _gauge("locks_held", "Locks of tasks that somebody holds.", held)

    def _held(self) -> int:
        """Apart from the rest: a lock server that is away is no fault of the store."""
        locks = self._scheduler.lock_manager
        tasks = list(self._scheduler.task_definitions.values())
        wanted = [one.task_id for one in tasks if one.require_lock]
        return sum(locks.is_locked(one) for one in wanted[:LOCKS_LOOKED_AT])

    def _count(self) -> tuple[dict[ScheduleState, int], int]:
        """The schedules by state, and the dead letters."""
        store = self._scheduler.store
        failed = store.counts(frozenset({TaskStatus.FAILED}))
        return store.schedule_counts(), sum(failed.values())

    def _read_cluster(self) -> list[Metric]:
        return self._times.call("scrape", lambda: [*self._queue(), self._nodes(), *self._census()])

    def _queue(self) -> Iterable[Metric]:
        store, now = self._scheduler.store, self._scheduler.clock.now()
        depth = GaugeMetricFamily(
            f"{PREFIX}_queue_depth", "Executions that wait.", labels=("priority", "state")
        )
        age = GaugeMetricFamily(
            f"{PREFIX}_queue_oldest_ready_age_seconds",
            "For how long the first in line has been due.",
            labels=("priority",),
        )
        for priority, waiting in self._scheduler.task_queue.by_priority().items():
            lane = lane_of(store, priority, waiting, now, look_at=ROWS_LOOKED_AT)
            word = priority.word
            age.add_metric((word,), lane.oldest_age)
            for state in WAIT_STATES:
                depth.add_metric((word, state), lane.states.get(state, 0))
        yield from (depth, age)

    def _nodes(self) -> Metric:
        nodes = Counter(one.state for one in self._scheduler.nodes())
        return _gauges("nodes", "Nodes of the store.", "state", NodeState, nodes)

    def _census(self) -> Iterable[Metric]:
        """What takes as long as there are rows; left out while the first count is slow."""
        told, _ = self._counted.answer()
        if told is not None:
            states, failed = told
            yield _gauges("schedules", "Schedules.", "state", SCHEDULE_STATES, states)
            yield _gauge("dead_letters", "Executions that failed for good, and are kept.", failed)
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
