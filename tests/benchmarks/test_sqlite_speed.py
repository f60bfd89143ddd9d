"""SQLite, on disk at every commit: one worker beside peers, and beside bare SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.measuring import at_least, compare, in_turn, limit, median, ours, peer

N = 10_000
CONCURRENCY = 10
BATCH = 10  # executions in a commit of the program that does nothing else, and in a call of ours
SLOW = 2_000  # jobs of APScheduler, which commits one by one


def test_drain_and_life(empty: Callable[[str], str]) -> None:
    """All wait for the disk at every commit, but Huey where it is told not to."""
    runs = in_turn(
        ours=lambda: ours("ours_drain.py", empty("sqlite"), N, CONCURRENCY, 0, BATCH),
        huey=lambda: peer("peer_huey.py", empty("sqlite"), N, CONCURRENCY),
        unsynced=lambda: peer("peer_huey.py", empty("sqlite"), N, CONCURRENCY, "unsynced"),
        apscheduler3=lambda: ours("peer_apscheduler3.py", empty("sqlite"), SLOW, 0),
        core=lambda: ours("sqlite_core.py", empty("sqlite"), N, BATCH),
    )
    mine = runs["ours"]
    compare("SQLite, drain, Huey", mine, runs["huey"], 2)
    compare("SQLite, drain, Huey that does not wait for the disk", mine, runs["unsynced"])
    compare("SQLite, drain, APScheduler 3.11", mine, runs["apscheduler3"], 8)
    compare("SQLite, a whole life, Core with a commit per 10", mine, runs["core"], 0.5, "total")


def test_enqueue(empty: Callable[[str], str]) -> None:
    runs = in_turn(
        ours=lambda: ours("ours_drain.py", empty("sqlite"), N, CONCURRENCY, SLOW),
        apscheduler3=lambda: ours("peer_apscheduler3.py", empty("sqlite"), SLOW, 0),
    )
    name = "SQLite, single schedule_task, APScheduler 3.11"
    compare(name, runs["ours"], runs["apscheduler3"], figure="enqueue")
    at_least("SQLite, schedule_task_many", median(runs["ours"], "bulk"))


def test_idle_pick_up(empty: Callable[[str], str]) -> None:
    runs = in_turn(ours=lambda: ours("ours_pick_up.py", empty("sqlite")))["ours"]
    limit("SQLite, idle pick-up p50", median(runs, "p50_ms"), "ms", 5)
