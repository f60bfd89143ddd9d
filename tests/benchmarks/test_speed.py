"""Speed in one process: each line measures ours and a peer in turn, and takes the medians."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.measuring import PEERS, RUNS, compare, limit, measure, median, ours


@pytest.mark.parametrize(("peer", "goal"), [("peer_taskiq.py", 1.0), ("peer_apscheduler4.py", 1.5)])
def test_memory_throughput(peer: str, goal: float) -> None:
    mine, theirs = [], []
    for _ in range(RUNS):
        mine.append(ours("ours.py", 10_000, "throughput", "memory://"))
        theirs.append(measure(PEERS, peer, 10_000))
    compare(f"memory, 10,000 executions, {peer}", mine, theirs, goal)


def test_sqlite_throughput(tmp_path: Path) -> None:
    bulk, single, theirs = [], [], []
    for run in range(RUNS):
        url = f"sqlite:///{tmp_path}/{run}"
        bulk.append(ours("ours.py", 10_000, "bulk", f"{url}-bulk.db"))
        single.append(ours("ours.py", 2_000, "throughput", f"{url}-single.db"))
        peer = measure(sys.executable, "peer_apscheduler3.py", 2_000, "-", f"{url}-peer.db")
        theirs.append(peer)
    compare("SQLite, schedule_task_many of 10,000, APScheduler 3.11", bulk, theirs, 8)
    compare("SQLite, 2,000 single schedule_task, APScheduler 3.11", single, theirs, 1)


@pytest.mark.parametrize(("store", "goal"), [("memory", 1.0), ("sqlite", 5.0)])
def test_idle_pick_up(store: str, goal: float, tmp_path: Path) -> None:
    figures = []
    for run in range(RUNS):
        url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/{run}.db"
        figures.append(ours("ours.py", 0, "pick_up", url))
    limit(f"{store}, idle pick-up p50", median(figures, "p50_ms"), "ms", goal)
    limit(f"{store}, idle pick-up p99", median(figures, "p99_ms"), "ms", 10 * goal)


def test_memory_of_a_waiting_execution() -> None:
    figures = [ours("ours.py", 100_000, "memory", "memory://") for _ in range(3)]
    limit("memory of a waiting execution", median(figures, "bytes_each"), "bytes", 2048)
