"""Processes: one to four nodes on one server, until it or the cores are full."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import IO

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ScheduleOptions
from advanced_scheduler.lifecycle import OPEN
from tests.benchmarks.measuring import (
    PROGRAMS,
    at_least,
    environment,
    in_turn,
    limit,
    median,
    tell,
)
from tests.benchmarks.programs.opening import opened

N = 20_000
CONCURRENCY = 100
MOST = 4
LEAD = timedelta(seconds=8)  # from the first call until all are due: time to enqueue them
CONVOY = 1.1  # how much longer more nodes may take than fewer


@pytest.mark.parametrize(("kind", "goal"), [("postgresql", 15_000), ("redis", None)])
def test_one_to_four_nodes(kind: str, goal: float | None, empty: Callable[[str], str]) -> None:
    programs = {str(nodes): _fleet(nodes, kind, empty) for nodes in range(1, MOST + 1)}
    runs = in_turn(**programs)
    rates = [median(figures, "per_second") for figures in runs.values()]
    curve = ", ".join(f"{rate:,.0f}/s" for rate in rates)
    tell(f"processes, {kind}, 1 to {MOST} nodes: {curve}")
    cores = ", ".join(f"{median(figures, 'cores'):.2f}" for figures in runs.values())
    tell(f"processes, {kind}, 1 to {MOST} nodes: cores that the nodes kept busy: {cores}")
    at_least(f"processes, {kind}, {MOST} nodes", rates[-1], goal)
    convoy = max(max(rates[:more]) / rates[more] for more in range(1, MOST))
    limit(f"processes, {kind}, time with more nodes, to the best of fewer", convoy, "x", CONVOY)


def _fleet(nodes: int, kind: str, empty: Callable[[str], str]) -> Callable[[], dict[str, float]]:
    return lambda: fleet(nodes, empty(kind), N)


def fleet(nodes: int, url: str, n: int, lead: timedelta = LEAD) -> dict[str, float]:
    """Executions a second from the first start to the last end on any of so many nodes.

    They start before; the executions are all due at the same time.
    """
    scheduler = opened(url)
    command = [sys.executable, str(PROGRAMS / "ours_node.py"), url, str(CONCURRENCY)]
    started = [_spawn(command) for _ in range(nodes)]
    try:
        for process in started:
            assert _pipe(process.stdout).readline() == "ready\n"
        due = datetime.now(UTC) + lead
        scheduler.schedule_task_many("noop", [(0,)] * n, options=ScheduleOptions(at=due))
        assert datetime.now(UTC) < due, "the executions were not enqueued in time"
        while _open(scheduler):
            time.sleep(0.25)  # a question now and then costs the nodes nothing
        said = [json.loads(process.communicate()[0]) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
        scheduler.close()
    assert sum(figures["count"] for figures in said) == n
    took = max(figures["last"] for figures in said) - min(figures["first"] for figures in said)
    return {"per_second": n / took, "cores": sum(figures["cpu"] for figures in said) / took}


def _open(scheduler: AdvancedTaskScheduler) -> int:
    return sum(count for (status, _), count in scheduler.store.counts().items() if status in OPEN)


def _spawn(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
