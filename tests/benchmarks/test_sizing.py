"""Sizing: the nodes that the guide simulates, beside those that this machine can run."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measuring import limit, tell
from tests.benchmarks.sizing import costs, measure_costs, tables

MOST_OFF = 25.0  # percent


def test_the_simulation_is_close_to_what_was_measured(tmp_path: Path) -> None:
    found = tmp_path / "costs.json"
    measure_costs.main(str(found))
    measured = costs.load(found)
    for kind, rates in costs.curves(found).items():
        for nodes, rate in rates.items():
            simulated = tables.fleet(kind, nodes, measured[kind])
            name = f"sizing, {kind}, {nodes} nodes"
            tell(f"{name}: measured {rate:,.0f}/s, simulated {simulated:,.0f}/s")
            limit(f"{name}, off by", 100 * abs(simulated / rate - 1), "%", MOST_OFF)


def test_the_tables_of_the_guide() -> None:
    for name, rows in tables.TABLES.items():
        tell(f"sizing, {name}:\n{tables.table(rows())}")
