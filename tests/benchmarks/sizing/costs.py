"""What each call of a node costs on each store, as ``measure_costs.py`` found it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

COSTS: Final = Path(__file__).with_name("costs.json")
OPERATIONS: Final = {
    "add": "store.add of n executions that are due, which tells all nodes of work",
    "exchange": "store.exchange of n ends for n claims; with `run`, all that an execution costs",
    "poll": "store.exchange that finds nothing",
    "next_due": "store.next_due, after each claim that left slots free",
    "extend": "store.time and store.extend of n leases: a heartbeat",
    "sweep": "store.expired, stranded and prune with nothing to do: a round of the housekeeper",
    "prune": "store.prune of n ended executions",
    "due": "store.due of n schedules",
    "fire": "store.fire of n schedules, each with one tick and one execution",
    "next_fire": "store.next_fire",
    "list": "store.schedules() of n schedules: a list of all, and what is parked",
    "census": "store.scheduled_tasks() of n schedules: health and metrics",
    "backlog": "what a health report asks",
}
"""The calls that are measured, and how."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call with n rows, in microseconds: a fixed part, and a part for each row."""

    server: float = 0.0  # CPU of the server's processes
    server_row: float = 0.0
    client: float = 0.0  # CPU of the process that calls
    client_row: float = 0.0
    trips: float = 0.0  # round trips

    def on_server(self, rows: int) -> float:
        """Seconds of the server's CPU."""
        return (self.server + rows * self.server_row) / 1e6

    def on_client(self, rows: int) -> float:
        """Seconds of the caller's CPU."""
        return (self.client + rows * self.client_row) / 1e6


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one store, in microseconds.

    ``run`` is what the engine does for an execution beside the store, ``plan`` for a schedule
    that fires, and ``refused`` is the server's for one that another node has fired; ``commit``
    is how long a commit waits for the disk, ``hop`` how long a round trip takes beside the CPU,
    ``told`` the server's CPU for each node that hears a signal and ``hear`` that of the node;
    ``skipped`` is the server's for each row that a claim passes over.
    """

    calls: Mapping[str, Cost] = field(default_factory=dict)
    run: float = 0.0
    plan: float = 0.0
    refused: float = 0.0
    commit: float = 0.0
    hop: float = 0.0
    told: float = 0.0
    hear: float = 0.0
    skipped: float = 0.0


def load(path: Path = COSTS) -> dict[str, Costs]:
    """The costs of each store."""
    found = json.loads(path.read_text(encoding="utf-8"))["stores"]
    return {
        store: Costs(
            **{name: number for name, number in figures.items() if name != "calls"},
            calls={name: Cost(**cost) for name, cost in figures["calls"].items()},
        )
        for store, figures in found.items()
    }


def curves(path: Path = COSTS) -> dict[str, dict[int, float]]:
    """Executions a second of so many nodes on one machine, as measured, for each store."""
    found = json.loads(path.read_text(encoding="utf-8"))["curves"]
    return {
        store: {int(nodes): rate for nodes, rate in rates.items()} for store, rates in found.items()
    }


def save(
    measured: Mapping[str, Costs],
    rates: Mapping[str, Mapping[int, float]],
    machine: str,
    path: Path = COSTS,
) -> None:
    """Write them, with where and how they were measured."""
    content = {
        "machine": machine,
        "unit": "microseconds; trips are counted",
        "how": OPERATIONS,
        "curves": _rounded({store: dict(found) for store, found in rates.items()}),
        "stores": {store: _rounded(asdict(costs)) for store, costs in measured.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 2) if isinstance(value, float) else value
