"""Measures what each call of a node costs on this machine, and writes ``costs.json``.

``python -m tests.benchmarks.sizing.measure_costs [FILE [STORE ...]]`` takes three minutes. CPU
is that of the processes, so what else the machine does hardly matters; it does for the waits.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
import redis

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, TaskExecution
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.backlog import backlog_of
from advanced_scheduler.engine.intake import Request
from advanced_scheduler.lifecycle import complete
from advanced_scheduler.stores.abilities import Signal, SignalStore
from advanced_scheduler.stores.base import Claim
from tests.benchmarks.machine import described
from tests.benchmarks.programs.opening import SETTINGS, Ends, noop, opened
from tests.benchmarks.sizing.costs import COSTS, Cost, Costs, save
from tests.benchmarks.sizing.meter import Meter, Sample, fit
from tests.benchmarks.test_processes_speed import fleet
from tests.support.servers import PostgresServer, RedisServer

BATCHES: Final = {1: 150, 10: 80, 50: 30, 100: 20}  # rows -> calls
REPEATS: Final = 60  # calls without rows
WAITING: Final = 20_000  # executions that are not due yet: an empty store fits into a cache
LISTENERS: Final = 40
SKIPPED: Final = 1000
NODE: Final = 4000  # executions of one whole node
FLEETS: Final = (1, 2, 4)
FLEET: Final = 20_000
LEAD: Final = timedelta(seconds=6)
LEASE: Final = timedelta(hours=1)
HOURS: Final = 6  # each group of schedules fires once in each
DAY: Final = timedelta(days=1)


class Bench:
    """One empty store, and the calls that are measured on it."""

    def __init__(self, url: str, meter: Meter) -> None:
        self.scheduler = opened(url, 100)
        self.store = self.scheduler.store
        self.meter = meter
        self._running: list[TaskExecution] = []
        later = datetime.now(UTC) + DAY
        self.store.add([one.with_changes({"due_time": later}) for one in self._rows(WAITING)])

    def executions(self) -> dict[str, Cost]:
        """The calls about executions."""
        samples: dict[str, list[Sample]] = defaultdict(list)
        for rows, calls in BATCHES.items():
            made = [self._rows(rows) for _ in range(calls)]
            samples["add"] += [self._many(rows, [partial(self.store.add, rows_) for rows_ in made])]
            self._exchange(rows)
            samples["exchange"] += [self._many(rows, [partial(self._exchange, rows)] * calls)]
            self._settle()
            self._drain()
        for rows, calls in BATCHES.items():
            samples["prune"] += [self._many(rows, [partial(self._prune, rows)] * calls)]
        for rows, calls in BATCHES.items():
            self.store.add(self._rows(rows))
            self._exchange(rows)
            samples["extend"] += [self._many(rows, [self._extend] * min(calls, 40))]
            self._settle()
        once: dict[str, Callable[[], object]] = {
            "poll": lambda: self._claim([], 100),
            "next_due": self.store.next_due,
            "sweep": self._sweep,
            "backlog": lambda: backlog_of(self.store, self.scheduler.clock, SETTINGS),
        }
        for name, call in once.items():
            call()
            samples[name] += [self._many(0, [call] * REPEATS)]
        return {name: fit(found) for name, found in samples.items()}

    def _many(self, rows: int, calls: Sequence[Callable[[], object]]) -> Sample:
        return self.meter.measure(rows, calls)

    def _rows(self, count: int) -> list[TaskExecution]:
        parts = self.scheduler._parts
        request = Request(parts.registry.get("noop"), (0,))
        return parts.intake.prepare([request] * count, datetime.now(UTC))

    def _claim(self, ended: Sequence[TaskExecution], limit: int) -> list[TaskExecution]:
        now = datetime.now(UTC)
        moves = [complete(row, result=None, metrics={}, now=now) for row in ended]
        claim = Claim(node="bench", limit=limit, now=now, lease_until=now + LEASE)
        return list(self.store.exchange(moves, claim).claimed)

    def _exchange(self, rows: int) -> None:
        self._running = self._claim(self._running, rows)

    def _settle(self) -> None:
        self._running = self._claim(self._running, 0)

    def _drain(self) -> None:
        while True:
            self._running = self._claim(self._running, 500)
            if not self._running:
                return

    def _extend(self) -> None:
        self.store.time()
        held = {row.execution_id: row.fence for row in self._running}
        self.store.extend("bench", held, datetime.now(UTC) + LEASE)

    def _prune(self, limit: int) -> None:
        now = datetime.now(UTC) + DAY
        self.store.prune(keep=0, before=now, older_than=now - 60 * DAY, limit=limit)

    def _sweep(self) -> None:
        now = datetime.now(UTC)
        self.store.expired(now, 200)
        self.store.stranded(now, 200)
        kept = {"before": now - timedelta(seconds=5), "older_than": now - 30 * DAY}
        self.store.prune(keep=10_000_000, limit=200, **kept)

    def skipped(self, url: str) -> float:
        """Server's microseconds for each row that somebody else is claiming."""
        if not url.startswith("postgresql"):
            return 0.0
        self.store.add(self._rows(SKIPPED))
        free = self._many(0, [lambda: self._claim([], 1)] * 20)
        lock = "SELECT 1 FROM advanced_scheduler.executions WHERE status = 'pending' "
        with psycopg.connect(url) as other:
            other.execute(f"{lock} ORDER BY due_time LIMIT {SKIPPED // 2} FOR UPDATE".encode())
            locked = self._many(0, [lambda: self._claim([], 1)] * 20)
        return max(locked.server - free.server, 0.0) / (SKIPPED // 2)


def fan_out(url: str, bench: Bench) -> tuple[float, float]:
    """Microseconds for each listener: of the server, and of the one that hears."""
    if not isinstance(bench.store, SignalStore):
        return 0.0, 0.0

    def publish() -> None:
        assert isinstance(bench.store, SignalStore)
        bench.store.publish(Signal.WORK)
        time.sleep(0.003)  # or several signals would be told at once

    calls = [publish] * 100
    alone = bench.meter.measure(0, calls)
    with listeners(url, LISTENERS):
        heard = bench.meter.measure(0, calls)
    end = bench.store.subscribe(lambda _: None)
    time.sleep(0.5)  # it connects
    ours = bench.meter.measure(0, calls)
    end()
    told = max(heard.server - alone.server, 0.0) / LISTENERS
    return told, max(ours.client - alone.client, 0.0)


@contextmanager
def listeners(url: str, count: int) -> Iterator[None]:
    """Connections that listen as those of nodes do."""
    if url.startswith("redis"):
        clients: list[Any] = [redis.Redis.from_url(url) for _ in range(count)]
        subscribed = [one.pubsub() for one in clients]
        for one in subscribed:
            one.subscribe("{advanced_scheduler}:signals")
            one.get_message(timeout=1)
        yield
        for ear, client in zip(subscribed, clients, strict=True):
            ear.close()
            client.close()
        return
    opened_ = [psycopg.connect(url, autocommit=True) for _ in range(count)]
    for connection in opened_:
        connection.execute('LISTEN "as:advanced_scheduler"')
    yield
    for connection in opened_:
        connection.close()


def node(bench: Bench, exchange: Cost) -> float:
    """The engine's microseconds for each execution of a node with 100 slots."""

    async def drain() -> float:
        scheduler = bench.scheduler
        ends = Ends(scheduler)
        await scheduler.start()
        due = datetime.now(UTC) + timedelta(seconds=1.5)
        rows = [one.with_changes({"due_time": due}) for one in bench._rows(NODE)]
        bench.store.add(rows)
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() - 0.2)
        begun = time.process_time()
        await asyncio.wait_for(ends.more(NODE), 30)
        took = time.process_time() - begun
        await scheduler.stop()
        return took

    cpu = asyncio.run(drain()) * 1e6
    return max((cpu - NODE / 100 * (exchange.client + 100 * exchange.client_row)) / NODE, 0.0)


@dataclass(slots=True)
class Timed:
    """A call of a store that notes what it cost."""

    meter: Meter
    call: Callable[..., Any]
    samples: list[Sample]
    last: tuple[Any, ...] = ()

    def __call__(self, *args: Any) -> Any:
        self.last = args
        answers: list[Any] = []
        sample = self.meter.measure(0, [lambda: answers.append(self.call(*args))])
        rows = len(args[0]) if isinstance(args[0], list) else len(answers[0])
        self.samples.append(replace(sample, rows=rows))
        return answers[0]


def schedules(url: str, meter: Meter) -> tuple[dict[str, Cost], float, float]:
    """The calls about schedules; microseconds of the ticker for each, of the server for a late one.

    That is one which another node has fired meanwhile.
    """
    clock = ManualClock((datetime.now(UTC) - DAY).replace(minute=50, second=0, microsecond=0))
    scheduler = AdvancedTaskScheduler(store=url, settings=SETTINGS, clock=clock)
    scheduler.register_task(TaskDefinition("noop", "No-op", noop))
    minutes = {1: 5, 10: 15, 50: 25, 100: 35}
    for count, minute in minutes.items():
        for number in range(count):
            scheduler.schedule_cron_task("noop", f"{minute} * * * *", args=(count * 1000 + number,))
    store, ticker = scheduler.store, scheduler._parts.ticker
    due, fire = Timed(meter, store.due, []), Timed(meter, store.fire, [])
    for name, timed in (("due", due), ("fire", fire)):
        setattr(store, name, timed)
    whole: list[Sample] = []
    for hour in range(HOURS):
        clock.advance(minutes=60 - clock.now().minute)
        for count, minute in minutes.items():
            clock.advance(minutes=minute - clock.now().minute)
            sample = meter.measure(count, [ticker.tick])
            if hour:  # the first time everything is made, and remembered
                whole.append(sample)
    total = sum(sum(minutes) for _ in range(HOURS - 1))
    costs = {"due": _by_rows(due.samples), "fire": _by_rows(fire.samples)}
    beside = sum(
        costs["due"].client * 2 + costs["fire"].client
        + one.rows * (costs["due"].client_row + costs["fire"].client_row)
        for one in whole
    )  # fmt: skip
    plan = max((sum(one.client for one in whole) - beside) / total, 0.0)
    late = meter.measure(max(minutes), [partial(fire.call, *fire.last)] * 20)
    refused = max(late.server - costs["fire"].server, 0.0) / late.rows
    costs["next_fire"] = fit([meter.measure(0, [store.next_fire] * REPEATS)])
    count = sum(minutes)
    for name, call in (("list", store.schedules), ("census", store.scheduled_tasks)):
        found = [meter.measure(count, [call] * 20)]
        found.append(meter.measure(0, [store.next_fire] * 20))  # about what the call itself costs
        costs[name] = fit(found)
    scheduler.close()
    return costs, plan, refused


def _by_rows(samples: Sequence[Sample]) -> Cost:
    """One sample for each number of rows: the median, so that the first one does not count."""
    found: dict[int, list[Sample]] = defaultdict(list)
    for one in samples:
        found[one.rows].append(one)
    return fit([Sample.median(rows, some) for rows, some in found.items()])


def measured(url: str, other: str, meter: Meter) -> Costs:
    """All costs of one store; ``other`` is the URL of another empty one of this kind."""
    bench = Bench(url, meter)
    calls = bench.executions()
    told, hear = fan_out(url, bench)
    run = statistics.median(node(bench, calls["exchange"]) for _ in range(3))
    skipped = bench.skipped(url)
    reads = [meter.measure(0, [bench.store.next_due]) for _ in range(REPEATS)]
    adding = [bench._rows(1) for _ in range(REPEATS)]
    writes = [meter.measure(1, [partial(bench.store.add, rows)]) for rows in adding]
    bench.scheduler.close()
    about_schedules, plan, refused = schedules(other, meter)
    hop = Sample.least_rest(reads) / max(calls["next_due"].trips, 1.0)
    if not calls["next_due"].trips:
        hop = 0.0
    return Costs(
        calls=calls | about_schedules,
        run=run,
        plan=plan,
        refused=refused,
        hop=hop,
        commit=max(Sample.least_rest(writes) - calls["add"].trips * hop, 0.0),
        told=told,
        hear=hear,
        skipped=skipped,
    )


@contextmanager
def servers(kind: str) -> Iterator[tuple[str, str, Meter]]:
    """The URLs of two empty stores of this kind, and what measures them."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "memory":
            yield "memory://", "memory://", Meter(None)
        elif kind == "sqlite":
            yield f"sqlite:///{folder}/1.db", f"sqlite:///{folder}/2.db", Meter(None)
        elif kind == "redis":
            server = RedisServer(Path(folder))
            try:
                server.start()
                yield server.url, f"{server.url}?prefix=other", Meter(server.pid)
            finally:
                server.kill()
        else:
            database = PostgresServer(persistent=True)
            try:
                database.start()
                yield database.url, f"{database.url}?schema=other", Meter(database.pid)
            finally:
                database.remove()


def fleet_of(kind: str, nodes: int) -> float:
    """Executions a second of so many nodes that share this machine with their server."""
    with servers(kind) as (url, _, _):
        return fleet(nodes, url, FLEET, lead=LEAD)["per_second"]


def main(path: str = str(COSTS), *kinds: str) -> None:
    found: dict[str, Costs] = {}
    rates: dict[str, dict[int, float]] = {}
    for kind in kinds or ("memory", "sqlite", "postgresql", "redis"):
        begun = time.perf_counter()
        with servers(kind) as (url, other, meter):
            found[kind] = measured(url, other, meter)
        if kind in {"postgresql", "redis"}:
            rates[kind] = {nodes: fleet_of(kind, nodes) for nodes in FLEETS}
        print(f"{kind}: measured in {time.perf_counter() - begun:.0f} s", flush=True)
    save(found, rates, next(described()), Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
