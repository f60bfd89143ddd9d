"""Graphs: what dependencies cost, and that no shape costs more than in proportion to its size."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import compare_rates, in_turn, limit, median, ours

KINDS = pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql", "redis"])
N = 10_000
LINEAR = 1.25  # the time of each of twice as many, against that of half of them


@KINDS
def test_layers_beside_independent_ones(kind: str, empty: Callable[[str], str]) -> None:
    runs = in_turn(
        layered=lambda: ours("ours_graph.py", empty(kind), "layered", N),
        independent=lambda: ours("ours_graph.py", empty(kind), "independent", N),
    )
    linked, free = (median(runs[name], "per_second") for name in ("layered", "independent"))
    compare_rates(f"graphs, {kind}, {N:,} in layers", linked, "independent", free, 0.5)


@KINDS
@pytest.mark.parametrize(("shape", "n"), [("chain", 5_000), ("fan_in", 2_000)])
def test_time_is_linear(kind: str, shape: str, n: int, empty: Callable[[str], str]) -> None:
    runs = in_turn(
        half=lambda: ours("ours_graph.py", empty(kind), shape, n // 2),
        whole=lambda: ours("ours_graph.py", empty(kind), shape, n),
    )
    half, whole = (median(runs[name], "per_second") for name in ("half", "whole"))
    name = f"graphs, {kind}, {shape} of {n:,} ({whole:,.0f}/s), time of each, to half as many"
    limit(name, half / whole, "x", LINEAR)
