"""Simulates nodes on one store, as the engine works, and says what became of a load."""

from __future__ import annotations

import random
import statistics
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from itertools import repeat
from typing import Final

from tests.benchmarks.sizing.costs import Costs
from tests.benchmarks.sizing.events import Alarm, Command, Cores, Mutex, Process, Simulation
from tests.benchmarks.sizing.store import Store

TICKER_BATCH: Final = 500
TICKER_SECONDS: Final = 1.0
PRUNED: Final = 200  # executions in one call
KEPT: Final = 1000  # the history
APART: Final = 2  # connections of a node beside the pool: for leases, and for signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Nodes with a core each, and a server; ``shared`` cores are those of nodes and server alike.

    ``trip`` is what a round trip takes more than within one machine, in seconds.
    """

    costs: Costs
    nodes: int
    slots: int = 10
    serial: bool = False
    cores: int = 8
    shared: int | None = None
    trip: float = 0.0002
    poll: float = 1.0
    renewal: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``backlog`` executions due from the beginning, and what comes; times in seconds.

    ``rate`` calls a second add ``batch`` executions each. Of the ``schedules`` each is due once
    in an ``interval``, and ``spike`` of them at the same moment, ``at``.
    """

    backlog: int = 0
    rate: float = 0.0
    batch: int = 1
    schedules: int = 0
    interval: float = 3600.0
    spike: int = 0
    at: float = 2.0
    duration: float = 0.0
    seconds: float = 10.0
    warm: float = 2.0  # that are not counted


@dataclass(slots=True)
class Outcome:
    """What was seen after the warm-up; ``used`` is how busy each part was, from 0 to 1."""

    arrived: int = 0
    started: int = 0
    ended: int = 0
    per_second: float = 0.0
    waits: list[float] = field(default_factory=list)
    drained: float = 0.0  # when the last of all ended
    connections: int = 0
    calls: Mapping[str, float] = field(default_factory=dict)  # a second
    used: Mapping[str, float] = field(default_factory=dict)

    def wait(self, percent: int) -> float:
        """Seconds from when an execution was due to the start of its function."""
        if len(self.waits) < 2:
            return 0.0
        return statistics.quantiles(self.waits, n=100)[percent - 1]

    @property
    def fullest(self) -> str:
        """The part that is the busiest, but for the disk: any number can wait for one write."""
        return max(self.used.keys() - {"disk"}, key=lambda name: self.used[name])


class Application:
    """Whoever schedules; its CPU is nobody's concern here."""

    def compute(self, seconds: float) -> Generator[float | Command, None, None]:
        """Take no time."""
        yield from ()

    def hear(self) -> None:
        """Nothing: it only schedules."""

    def connected(self, more: int) -> None:
        """Nothing: its connections are its own."""


class Node:
    """One process: a dispatcher, a ticker, a housekeeper and a heartbeat."""

    def __init__(self, cluster: Cluster, cores: Cores) -> None:
        self.most_connections = 0
        self._cores = cores
        self.python = Mutex(cluster.simulation)  # one thread of a process at a time
        self._cluster = cluster
        self._simulation = cluster.simulation
        self._deployment = cluster.deployment
        self._store = cluster.store
        self._running = 0
        self._outbox = 0
        self._debt = 0.0
        self._connections = 0
        self._alarm = Alarm(self._simulation)

    def compute(self, seconds: float) -> Generator[float | Command, None, None]:
        """Take its own CPU for so long."""
        seconds, self._debt = seconds + self._debt, 0.0
        if seconds <= 0:
            return
        yield self.python.take
        yield self._cores.use(seconds)
        self.python.release()

    def hear(self) -> None:
        """Be told of work."""
        self._debt += self._deployment.costs.hear / 1e6
        self._alarm.wake()

    def connected(self, more: int) -> None:
        """Note that a connection is taken, or given back."""
        self._connections += more
        self.most_connections = max(self.most_connections, self._connections)

    def dispatch(self) -> Process:
        """Store what ended, claim what fits, wait: ``engine/dispatcher.py``."""
        store, alarm, poll = self._store, self._alarm, self._deployment.poll
        while True:
            alarm.woken = False
            ends, self._outbox = self._outbox, 0
            free = self._deployment.slots - self._running
            claimed: list[float] = []
            if ends or free:
                claimed = yield from store.exchange(self, ends, free)
                self._cluster.note_ends(ends)
            if claimed:
                yield from self._start(claimed)
            if self._outbox:
                continue
            if len(claimed) < free:
                yield from store.call(self, "next_due")
            yield alarm.wait(poll)

    def tick(self) -> Process:
        """Fire what is due, or wait: ``engine/ticker.py`` and ``timer.py``."""
        plan, poll = self._deployment.costs.plan / 1e6, self._deployment.poll
        simulation, store = self._simulation, self._store
        while True:
            began = simulation.now
            while True:
                seen = yield from store.due(self, TICKER_BATCH)
                won = 0
                if seen.last > seen.first:
                    yield from self.compute(plan * (seen.last - seen.first))
                    won = yield from store.fire(self, seen)
                    self._alarm.wake()
                if not won or simulation.now - began > TICKER_SECONDS:
                    break
            if won:
                continue
            following = yield from store.next_fire(self)
            late = following is None or following <= began
            yield min(poll, max((following or 0.0) - simulation.now, 0.0)) if not late else poll

    def sweep(self) -> Process:
        """Look for lost leases, delete old history: ``engine/housekeeper.py``."""
        while True:
            yield from self._store.call(self, "sweep")
            while (yield from self._store.prune(self, KEPT, PRUNED)):
                pass
            yield self._deployment.poll

    def beat(self) -> Process:
        """Renew the leases: ``engine/heartbeat.py``."""
        while True:
            yield from self._store.call(self, "extend", self._running, writes=self._running > 0)
            yield self._deployment.renewal

    def _start(self, claimed: list[float]) -> Generator[float | Command, None, None]:
        each = self._deployment.costs.run / 1e6
        self._running += len(claimed)
        yield from self.compute(each * len(claimed))
        began = self._simulation.now - each * len(claimed)
        self._cluster.note_starts(began + number * each - due for number, due in enumerate(claimed))
        if duration := self._cluster.load.duration:
            for _ in claimed:
                self._simulation.after(duration, partial(self._end, 1))
        else:
            self._end(len(claimed))

    def _end(self, count: int) -> None:
        self._running -= count
        self._outbox += count
        self._alarm.wake()


class Cluster:
    """A deployment under a load; ``seed`` is for when things happen that happen on their own."""

    def __init__(self, deployment: Deployment, load: Load, *, seed: int = 1) -> None:
        self.deployment = deployment
        self.load = load
        self.simulation = Simulation()
        self.outcome = Outcome()
        self._random = random.Random(seed)
        shared = deployment.shared and Cores(self.simulation, deployment.shared)
        count = 1 if deployment.serial else deployment.cores
        self.store = Store(
            self.simulation,
            deployment.costs,
            cores=shared or Cores(self.simulation, count),
            serial=deployment.serial,
            trip=deployment.trip,
            due=self._instants(),
        )
        self.nodes = [Node(self, shared or Cores(self.simulation)) for _ in range(deployment.nodes)]
        self.store.nodes = self.nodes
        self._called = 0

    def run(self) -> Outcome:
        """From the beginning to the end of the load's time."""
        simulation, load, outcome = self.simulation, self.load, self.outcome
        self.store.pending.extend(repeat(0.0, load.backlog))
        for node in self.nodes:
            for process in (node.dispatch(), node.tick(), node.sweep()):
                simulation.spawn(process, self._random.random() * self._first_look())
            simulation.spawn(node.beat(), self._random.random() * self.deployment.renewal)
        if load.rate:
            simulation.spawn(self._arrivals())
        simulation.run(load.warm)
        before = self._busy()
        outcome.waits.clear()
        counted, calls = outcome.ended, self.store.calls.copy()
        simulation.run(load.seconds)
        window = load.seconds - load.warm
        outcome.per_second = (outcome.ended - counted) / window
        outcome.calls = {name: (n - calls[name]) / window for name, n in self.store.calls.items()}
        outcome.used = {name: (busy - before[name]) / window for name, busy in self._busy().items()}
        most = max(node.most_connections for node in self.nodes)
        outcome.connections = most + APART
        outcome.arrived = self.arrived
        return outcome

    @property
    def arrived(self) -> int:
        """How many executions somebody asked for so far, or a schedule did."""
        return self.load.backlog + self._called + self.store.fired

    def note_ends(self, count: int) -> None:
        """So many ends are stored."""
        self.outcome.ended += count
        if count:
            self.outcome.drained = self.simulation.now

    def note_starts(self, waits: Iterator[float]) -> None:
        """Executions have started, so long after they were due."""
        before = len(self.outcome.waits)
        self.outcome.waits.extend(waits)
        self.outcome.started += len(self.outcome.waits) - before

    def _first_look(self) -> float:
        """Nodes that are told of work look at once; others are spread over a poll."""
        return 0.001 if self.load.backlog else self.deployment.poll

    def _busy(self) -> dict[str, float]:
        """Seconds for each part, divided by how many there are of it."""
        store = self.store
        return {
            "server": store.cores.busy / store.cores.count,
            "disk": store.disk.busy,
            "signals": store.telling.busy,
            "nodes": sum(node.python.busy for node in self.nodes) / len(self.nodes),
        }

    def _arrivals(self) -> Process:
        application, load = Application(), self.load
        while True:
            yield self._random.expovariate(load.rate)
            self._called += load.batch
            self.simulation.spawn(self.store.add(application, load.batch))

    def _instants(self) -> Iterator[float]:
        """When schedules are due."""
        load = self.load
        spike = repeat(load.at, load.spike)
        rate = (load.schedules - load.spike) / load.interval
        return merge(_times(self._random, rate), spike) if rate > 0 else spike


def _times(chance: random.Random, rate: float) -> Iterator[float]:
    now = 0.0
    while True:
        now += chance.expovariate(rate)
        yield now
