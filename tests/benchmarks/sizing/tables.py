"""The tables of the sizing guide, from the costs that were measured.

``python -m tests.benchmarks.sizing.tables [--write]`` takes a few minutes, and with ``--write``
puts them where ``backend/docs/performance.md`` has its marks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

from tests.benchmarks.sizing.cluster import Cluster, Deployment, Load, Outcome
from tests.benchmarks.sizing.costs import Costs, curves, load

GUIDE: Final = Path(__file__).parents[3] / "backend" / "docs" / "performance.md"
BEGIN: Final = "<!-- sizing: {} -->"
END: Final = "<!-- sizing ends -->"
NAMES: Final = {"postgresql": "PostgreSQL", "redis": "Redis", "sqlite": "SQLite"}
SHARED: Final = tuple(NAMES)[:2]  # the stores that nodes of several machines share
MACHINE_CORES: Final = 2
FLEET: Final = 20_000
INTERVAL: Final = 3600.0  # seconds from one firing of a schedule to its next

Row = Sequence[object]
_costs: Final = cache(load)


def deployment(kind: str, nodes: int, **more: float) -> Deployment:
    """Nodes of ten slots with a core each; a server with eight, of which Redis uses one."""
    return Deployment(costs=_costs()[kind], nodes=nodes, serial=kind == "redis", **more)  # type: ignore[arg-type]


def run(kind: str, nodes: int, load: Load, **more: float) -> Outcome:
    """What becomes of a load."""
    return Cluster(deployment(kind, nodes, **more), load).run()


def fleet(kind: str, nodes: int, costs: Costs) -> float:
    """Executions a second as ``test_processes_speed.py`` measures them, on as many cores."""
    load = Load(backlog=FLEET, seconds=60, warm=0)
    options = {"slots": 100, "shared": MACHINE_CORES, "serial": kind == "redis", "trip": 0.0}
    outcome = Cluster(Deployment(costs=costs, nodes=nodes, **options), load).run()  # type: ignore[arg-type]
    return outcome.ended / outcome.drained


def curve() -> Iterator[Row]:
    """The nodes that were measured beside those that were simulated."""
    yield "store", "nodes", "measured", "simulated", "off by"
    for kind, measured in curves().items():
        for nodes, rate in measured.items():
            ours = fleet(kind, nodes, _costs()[kind])
            yield NAMES[kind], nodes, f"{rate:,.0f}/s", f"{ours:,.0f}/s", f"{ours / rate - 1:+.0%}"


def throughput() -> Iterator[Row]:
    """Executions of no-ops from a backlog that does not end."""
    yield "store", "nodes", "executions", "server", "a node", "is full"
    load = Load(backlog=1_000_000, seconds=2.0, warm=0.5)
    for kind, nodes in product(SHARED, (1, 4, 10, 30, 100, 300, 1000)):
        seen = run(kind, nodes, load)
        full = seen.fullest if seen.used[seen.fullest] > 0.9 else "nothing: the way there and back"
        yield NAMES[kind], nodes, f"{seen.per_second:,.0f}/s", *_used(seen), full


def idle() -> Iterator[Row]:
    """Nodes that hardly have anything to do, while somebody makes single calls."""
    yield "store", "nodes", "calls of applications", "calls on the store", "server", "p50", "p99"
    for kind, (nodes, rate) in product(
        SHARED,
        ((10, 0), (10, 100), (10, 500), (100, 0), (100, 10), (100, 100), (1000, 0), (1000, 10)),
    ):
        seen = run(kind, nodes, Load(rate=rate, seconds=5))
        asked = f"{sum(seen.calls.values()):,.0f}/s"
        used = f"{seen.used['server']:.0%}"
        yield NAMES[kind], nodes, f"{rate}/s", asked, used, *_waits(seen)


def polls() -> Iterator[Row]:
    """What a longer poll spares."""
    yield "store", "nodes", "poll_seconds", "calls on the store", "server"
    for kind, poll in product(SHARED, (1, 5, 30)):
        seen = run(kind, 1000, Load(seconds=2 + 2 * poll), poll=poll)
        asked = f"{sum(seen.calls.values()):,.0f}/s"
        yield NAMES[kind], 1000, poll, asked, f"{seen.used['server']:.0%}"


def schedules() -> Iterator[Row]:
    """Schedules that are due once an hour, a tenth of them on the hour."""
    yield "store", "nodes", "schedules", "on the hour", "the last of these starts after", "fired"
    for kind, (nodes, count) in product(
        SHARED, ((10, 10_000), (10, 100_000), (10, 1_000_000), (100, 1_000_000), (10, 10_000_000))
    ):
        yield NAMES[kind], nodes, f"{count:,}", f"{count // 10:,}", *_hour(kind, nodes, count)


def partitions() -> Iterator[Row]:
    """A thousand nodes and ten million schedules on one store, or spread over several."""
    yield (
        *("store", "stores", "nodes of each", "executions of all"),
        *("server, idle", "the last of the hour starts after", "fired by each"),
    )
    for kind, stores in product(SHARED, (1, 10, 50, 100)):
        nodes = 1000 // stores
        full = run(kind, nodes, Load(backlog=500_000, seconds=1.5, warm=0.5))
        rest = run(kind, nodes, Load(seconds=4))
        rate = f"{stores * full.per_second:,.0f}/s"
        hour = _hour(kind, nodes, 10_000_000 // stores)
        yield NAMES[kind], stores, nodes, rate, f"{rest.used['server']:.0%}", *hour


def _hour(kind: str, nodes: int, count: int) -> Iterator[str]:
    """When the last execution of a full hour starts, and how many schedules fire a second."""
    spike, steady = count // 10, count * 0.9 / INTERVAL
    seconds = min(5 + spike / 1000, 30.0 if nodes <= 100 else 8.0)
    load = Load(schedules=count, spike=spike, at=1, seconds=seconds, warm=1, interval=INTERVAL)
    seen = run(kind, nodes, load)
    if len(seen.waits) >= spike:
        took = max(seen.waits)
        yield f"{took:,.1f} s"
        yield f"{spike / took:,.0f}/s"
        return
    rate = len(seen.waits) / (seconds - load.warm)
    left = rate - steady  # what is due meanwhile has its turn as well
    took = spike / left if left > 0 else INTERVAL
    yield f"{took:,.0f} s" if took < INTERVAL else "more than an hour"
    yield f"{rate:,.0f}/s"


def readers() -> Iterator[Row]:
    """Calls that look at every schedule."""
    yield "call", "store", "100,000", "1,000,000", "10,000,000 schedules"
    whats = {
        "list": "`store.schedules()`: a list of all, what is parked",
        "census": "`store.scheduled_tasks()`: health, metrics",
    }
    for (name, what), kind in product(whats.items(), SHARED):
        cost = _costs()[kind].calls[name]
        took = (cost.on_server(n) + cost.on_client(n) for n in (10**5, 10**6, 10**7))
        yield what, NAMES[kind], *(f"{one:,.1f} s" for one in took)


def _used(seen: Outcome) -> Iterator[str]:
    yield f"{seen.used['server']:.0%}"
    yield f"{seen.used['nodes']:.0%}"


def _waits(seen: Outcome) -> Iterator[str]:
    for percent in (50, 99):
        yield f"{1e3 * seen.wait(percent):,.1f} ms" if seen.waits else "-"


TABLES: Final[Mapping[str, Callable[[], Iterator[Row]]]] = {
    "curve": curve,
    "throughput": throughput,
    "idle": idle,
    "polls": polls,
    "schedules": schedules,
    "partitions": partitions,
    "readers": readers,
}


def table(rows: Iterator[Row]) -> str:
    """As Markdown."""
    head, *body = [[str(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def written(guide: str, tables: Mapping[str, str]) -> str:
    """The guide with these tables between its marks."""
    for name, text in tables.items():
        before, mark, rest = guide.partition(BEGIN.format(name))
        assert mark, f"{GUIDE.name} has no mark for {name}"
        _, end, after = rest.partition(END)
        assert end, f"{GUIDE.name} has no end of {name}"
        guide = f"{before}{mark}\n\n{text}\n\n{end}{after}"
    return guide


def main(*options: str) -> None:
    """Print them, or write them."""
    found = {}
    for name, rows in TABLES.items():
        found[name] = table(rows())
        print(f"\n{name}\n\n{found[name]}", flush=True)
    if "--write" in options:
        GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
