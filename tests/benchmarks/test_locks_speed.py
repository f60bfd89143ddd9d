"""Locks in Redis: locked executions a second, and the round trips that a lock costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import at_least, in_turn, limit, median, ours

N = 5_000
CONCURRENCY = 50
ROUND_TRIPS = 2.05  # one to take, one to give back; the rest is for connections and renewals


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_locked_executions(kind: str, empty: Callable[[str], str]) -> None:
    """The store is ``kind``; on Redis the executions take round trips of their own."""

    def run(locked: int) -> dict[str, float]:
        server = empty("redis")
        return ours("ours_locks.py", empty(kind), server, N, CONCURRENCY, locked)

    runs = in_turn(locked=lambda: run(1), free=lambda: run(0))
    locked, free = runs["locked"], runs["free"]
    name = f"locks, executions in {kind}"
    at_least(f"{name}, locked, concurrency 50", median(locked, "per_second"), 5_000)
    at_least(f"{name}, without locks", median(free, "per_second"))
    extra = median(locked, "round_trips") - median(free, "round_trips")
    limit(f"{name}, extra of a locked one", extra, "round trips", ROUND_TRIPS)
