"""Reads the state of this node: at each scrape, or every few seconds where workers share files."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..forks import renew_in_child
from ..models import Role
from ..scheduler import AdvancedTaskScheduler
from .families import PREFIX, Families, Merge

EVERY: Final = 5.0  # seconds

_GAUGES: Final[Mapping[str, tuple[str, Merge]]] = {
    "executions_running": ("Executions that run here.", "livesum"),
    "concurrency_limit": ("How many may run here.", "livesum"),
    "event_loop_lag_seconds": ("How late the event loop is.", "livemax"),
    "tick_ledger_gaps": (
        "Instants of schedules that were passed over without a record; never any.",
        "livesum",
    ),
    "last_tick_timestamp_seconds": ("When the engine last went round.", "livemax"),
}


def node_state(scheduler: AdvancedTaskScheduler) -> dict[str, float]:
    """The gauges of this process; an engine that never went round has no last time."""
    facts = scheduler.health_facts(ask=False)
    works = Role.WORKER in scheduler.duties.roles
    state = {
        "executions_running": scheduler.running_tasks,
        "concurrency_limit": scheduler.max_concurrent_tasks if works else 0,
        "event_loop_lag_seconds": facts.loop_lag,
        "tick_ledger_gaps": facts.gaps_found,
    }
    if facts.seconds_since_pass is not None:
        passed = scheduler.clock.now().timestamp() - facts.seconds_since_pass
        state["last_tick_timestamp_seconds"] = passed
    return state


class NodeCollector(Collector):
    """The state as it is when somebody looks."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def collect(self) -> Iterable[Metric]:
        """One family for each gauge."""
        for name, value in node_state(self._scheduler).items():
            yield GaugeMetricFamily(f"{PREFIX}_{name}", _GAUGES[name][0], value)


class NodeWriter:
    """Writes the state down for the worker that is scraped, on a thread of its own."""

    def __init__(self, scheduler: AdvancedTaskScheduler, families: Families) -> None:
        self._scheduler = scheduler
        self._gauges = {
            name: families.gauge(name, text, merge=merge) for name, (text, merge) in _GAUGES.items()
        }
        self._over = threading.Event()
        self._start()
        renew_in_child(self, NodeWriter._start)

    def write(self) -> None:
        """Say how it is now."""
        for name, value in node_state(self._scheduler).items():
            self._gauges[name].set(value)

    def close(self) -> None:
        """Write no more."""
        self._over.set()

    def _start(self) -> None:
        """Also in a forked process, where the thread is not."""
        if self._over.is_set():
            return
        name = "advanced-scheduler-gauges"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        self.write()
        while not self._over.wait(EVERY):
            self.write()
