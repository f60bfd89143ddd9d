"""Speed as ratios: each line measures ours and a peer in turn, five times, and takes the medians.

Nothing here fails because a machine is slow: a line that misses its goal says so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-bench" / "bin" / "python"
RUNS = 5


def measure(python: str | Path, program: str, *args: object) -> dict[str, float]:
    command = [str(python), str(PROGRAMS / program), *map(str, args)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def ours(*args: object) -> dict[str, float]:
    return measure(sys.executable, "ours.py", *args)


def median(figures: list[dict[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in figures)


def compare(name: str, mine: list[float], peer: list[float], goal: float) -> None:
    ours_, theirs = statistics.median(mine), statistics.median(peer)
    ratio = ours_ / theirs
    verdict = "reached" if ratio >= goal else "MISSED"
    print(
        f"\n{name}: {ours_:,.0f}/s against {theirs:,.0f}/s: "
        f"{ratio:.2f} x (goal {goal:g} x: {verdict})"
    )
    assert ratio > 0


def limit(name: str, value: float, unit: str, goal: float) -> None:
    verdict = "reached" if value < goal else "MISSED"
    print(f"\n{name}: {value:,.2f} {unit} (goal under {goal:g} {unit}: {verdict})")
    assert value > 0


@pytest.mark.parametrize(("peer", "goal"), [("peer_taskiq.py", 1.0), ("peer_apscheduler4.py", 1.5)])
def test_memory_throughput(peer: str, goal: float) -> None:
    mine, theirs = [], []
    for _ in range(RUNS):
        mine.append(ours(10_000, "throughput", "memory://")["per_second"])
        theirs.append(measure(PEERS, peer, 10_000)["per_second"])
    compare(f"memory, 10,000 executions, {peer}", mine, theirs, goal)


def test_sqlite_throughput(tmp_path: Path) -> None:
    bulk, single, theirs = [], [], []
    for run in range(RUNS):
        url = f"sqlite:///{tmp_path}/{run}"
        bulk.append(ours(10_000, "bulk", f"{url}-bulk.db")["per_second"])
        single.append(ours(2_000, "throughput", f"{url}-single.db")["per_second"])
        peer = measure(sys.executable, "peer_apscheduler3.py", 2_000, "-", f"{url}-peer.db")
        theirs.append(peer["per_second"])
    compare("SQLite, schedule_task_many of 10,000, APScheduler 3.11", bulk, theirs, 8)
    compare("SQLite, 2,000 single schedule_task, APScheduler 3.11", single, theirs, 1)


@pytest.mark.parametrize(("store", "goal"), [("memory", 1.0), ("sqlite", 5.0)])
def test_idle_pick_up(store: str, goal: float, tmp_path: Path) -> None:
    figures = []
    for run in range(RUNS):
        url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/{run}.db"
        figures.append(ours(0, "pick_up", url))
    limit(f"{store}, idle pick-up p50", median(figures, "p50_ms"), "ms", goal)
    limit(f"{store}, idle pick-up p99", median(figures, "p99_ms"), "ms", 10 * goal)


def test_memory_of_a_waiting_execution() -> None:
    figures = [ours(100_000, "memory", "memory://") for _ in range(3)]
    limit("memory of a waiting execution", median(figures, "bytes_each"), "bytes", 2048)
