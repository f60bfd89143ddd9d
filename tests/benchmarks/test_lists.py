"""Lists and filters beside a long history, and the steps in which it is trimmed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import limit, ours

MOST = 200.0  # milliseconds


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_list_is_there_at_once(kind: str, full: bool, empty: Callable[[str], str]) -> None:
    rows = 1_000_000 if full else 50_000
    figures = ours("ours_lists.py", empty(kind), rows)
    longest = figures.pop("prune_ms")
    for name, took in figures.items():
        limit(f"lists, {kind}, {rows:,} executions, {name}, p95", took, "ms", MOST)
    limit(f"lists, {kind}, the longest transaction of a trim", longest, "ms", MOST / 2)
