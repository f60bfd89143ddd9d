"""PostgreSQL as it comes, fsync on: one worker beside peers, and how fast executions enter."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.measuring import at_least, compare, in_turn, limit, median, ours, peer

N = 10_000
SINGLES = 1_000  # of N, enqueued one by one


def test_drain_and_enqueue_beside_peers(empty: Callable[[str], str]) -> None:
    runs = in_turn(
        ours10=lambda: ours("ours_drain.py", empty("postgresql"), N, 10, SINGLES),
        pgqueuer10=lambda: peer("peer_pgqueuer.py", empty("postgresql"), N, 10, SINGLES),
        procrastinate=lambda: peer("peer_procrastinate.py", empty("postgresql"), N, 10, SINGLES),
        ours100=lambda: ours("ours_drain.py", empty("postgresql"), N, 100, SINGLES),
        pgqueuer100=lambda: peer("peer_pgqueuer.py", empty("postgresql"), N, 100, SINGLES),
    )
    for slots in (10, 100):
        mine, theirs = runs[f"ours{slots}"], runs[f"pgqueuer{slots}"]
        compare(f"PostgreSQL, drain, concurrency {slots}, PgQueuer", mine, theirs, 1.3)
    mine, theirs = runs["ours10"], runs["procrastinate"]
    compare("PostgreSQL, drain, concurrency 10, Procrastinate", mine, theirs, 5)
    compare("PostgreSQL, single schedule_task, Procrastinate", mine, theirs, figure="enqueue")
    theirs = runs["pgqueuer10"]
    compare("PostgreSQL, single schedule_task, PgQueuer", mine, theirs, 1, "enqueue")
    compare("PostgreSQL, schedule_task_many, PgQueuer", mine, theirs, figure="bulk")
    at_least("PostgreSQL, schedule_task_many", median(mine, "bulk"), 30_000)


def test_idle_pick_up(empty: Callable[[str], str]) -> None:
    runs = in_turn(ours=lambda: ours("ours_pick_up.py", empty("postgresql")))["ours"]
    limit("PostgreSQL, idle pick-up p50", median(runs, "p50_ms"), "ms", 5.7)
