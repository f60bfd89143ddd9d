"""Live events: what listeners cost the node that serves them."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.measuring import compare_rates, in_turn, limit, median, ours

N = 20_000
CONCURRENCY = 10
CLIENTS = 5_000
ROUNDS = 3  # in one process, where nobody and everybody listens in turn


def test_five_thousand_clients_slow_dispatch_by_a_tenth_at_most(
    empty: Callable[[str], str],
) -> None:
    program = "ours_listeners.py"
    order = (N, CONCURRENCY, CLIENTS, ROUNDS)
    runs = in_turn(ours=lambda: ours(program, empty("sqlite"), *order))["ours"]
    name = f"SQLite, {CLIENTS:,} clients of server-sent events"
    compare_rates(name, median(runs, "listened"), "nobody", median(runs, "alone"), 0.9)
    more = median(runs, "cpu_listened") / median(runs, "cpu_alone")
    limit(f"{name}, CPU of the node", more, "times", 1.1)
