"""Locks in Redis: locked executions a second, and the round trips that a lock costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import at_least, in_turn, limit, median, ours

N = 5_000
CONCURRENCY = 50
ROUND_TRIPS = 2.05  # one to take, one to give back; the rest is for connections and renewals
OWN = "-"


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_locked_executions(kind: str, empty: Callable[[str], str]) -> None:
    """Locks in Redis; the store is ``kind``, and takes round trips of its own if that is Redis."""

    def run(locked: int) -> dict[str, float]:
        server = empty("redis")
        return ours("ours_locks.py", empty(kind), server, N, CONCURRENCY, locked)

    runs = in_turn(locked=lambda: run(1), free=lambda: run(0))
    locked, free = runs["locked"], runs["free"]
    name = f"locks in Redis, executions in {kind}"
    at_least(f"{name}, locked, concurrency 50", median(locked, "per_second"), 5_000)
    at_least(f"{name}, without locks", median(free, "per_second"))
    extra = median(locked, "round_trips") - median(free, "round_trips")
    limit(f"{name}, extra of a locked one", extra, "round trips", ROUND_TRIPS)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_locks_of_the_store(kind: str, empty: Callable[[str], str]) -> None:
    """Without Redis: within this process, or in the database, where each change is a commit."""

    def run(locked: int) -> dict[str, float]:
        return ours("ours_locks.py", empty(kind), OWN, N, CONCURRENCY, locked)

    runs = in_turn(locked=lambda: run(1), free=lambda: run(0))
    name = f"locks and executions in {kind}"
    at_least(f"{name}, locked, concurrency 50", median(runs["locked"], "per_second"))
    at_least(f"{name}, without locks", median(runs["free"], "per_second"))
