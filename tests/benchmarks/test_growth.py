"""Growth: with much history, many waiting executions, and after many executions.

``--full`` takes the sizes that the goals speak of; else a fifth or less. Each program runs once,
and measures the store that has grown and an empty one in turn.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import compare_rates, limit, ours

DURABLE = pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
PROBE = 2_000


def two(kind: str, empty: Callable[[str], str]) -> tuple[str, str]:
    """The URLs of two stores on the same server, or disk."""
    first = empty(kind)
    return first, f"{first}?prefix=second" if kind == "redis" else empty(kind)


@DURABLE
def test_rate_with_much_history(kind: str, full: bool, empty: Callable[[str], str]) -> None:
    history = 1_000_000 if full else 50_000
    figures = ours("ours_growth.py", *two(kind, empty), history, PROBE)
    name = f"growth, {kind}, with {history:,} in the history"
    compare_rates(name, figures["per_second"], "empty", figures["empty"], 0.8)


@DURABLE
def test_claims_with_many_waiting(kind: str, full: bool, empty: Callable[[str], str]) -> None:
    waiting = 100_000 if full else 20_000
    figures = ours("ours_claims.py", *two(kind, empty), waiting)
    name = f"growth, {kind}, claim p95 {figures['p95_ms']:.2f} ms with {waiting:,} waiting"
    limit(f"{name}, to an empty queue", figures["p95_ms"] / figures["empty_ms"], "x", 2)


def test_memory_of_a_process_that_runs_long(full: bool) -> None:
    n = 1_000_000 if full else 100_000
    figures = ours("ours_flat.py", n)
    name = f"growth, memory after {n:,} executions ({figures['mebibytes']:.0f} MiB)"
    limit(f"{name}, to that after a tenth", figures["growth"], "x", 1.05)
    limit(f"{name}, blocks of it in use, to those after a tenth", figures["blocks"], "x", 1.05)
