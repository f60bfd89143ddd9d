"""Redis, which writes nothing to disk here: one worker beside peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.benchmarks.measuring import (
    PEERS_3_12,
    at_least,
    compare,
    in_turn,
    limit,
    measure,
    median,
    ours,
    peer,
    tell,
)

N = 10_000
CONCURRENCY = 10
SINGLES = 2_000  # of N, enqueued one by one


def test_drain_and_enqueue_beside_peers(empty: Callable[[str], str]) -> None:
    """Dramatiq, alone of the four, keeps neither states nor results."""
    programs: dict[str, Callable[[], Mapping[str, float]]] = {
        "ours": lambda: ours("ours_drain.py", empty("redis"), N, CONCURRENCY, SINGLES),
        "Dramatiq": lambda: peer("peer_dramatiq.py", empty("redis"), N, CONCURRENCY),
        "SAQ": lambda: peer("peer_saq.py", empty("redis"), N, CONCURRENCY),
    }
    if PEERS_3_12.exists():
        programs["ardiq"] = lambda: measure(
            PEERS_3_12, "peer_ardiq.py", empty("redis"), N, CONCURRENCY
        )
    else:
        tell("Redis, drain, ardiq: left out, there is no Python 3.12")
    runs = in_turn(**programs)
    goals = {"Dramatiq": 3.0, "SAQ": 3.0, "ardiq": 1.2}
    for name in [name for name in runs if name != "ours"]:
        compare(f"Redis, drain, {name}", runs["ours"], runs[name], goals.get(name))
        compare(f"Redis, single schedule_task, {name}", runs["ours"], runs[name], figure="enqueue")
    at_least("Redis, schedule_task_many", median(runs["ours"], "bulk"))


def test_idle_pick_up(empty: Callable[[str], str]) -> None:
    runs = in_turn(ours=lambda: ours("ours_pick_up.py", empty("redis")))["ours"]
    limit("Redis, idle pick-up p50", median(runs, "p50_ms"), "ms", 3.7)
