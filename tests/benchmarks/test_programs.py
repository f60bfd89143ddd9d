"""That the programs of the benchmarks still run: each once, with next to nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import measuring
from tests.benchmarks.measuring import LINES, PROGRAMS, Line, at_least, compare, limit, ours, tell

TWO = ("sqlite:///{folder}/1.db", "sqlite:///{folder}/2.db")
SMALL = {
    "ours_burst.py": ("memory://", 20, 10),
    "ours_claims.py": (*TWO, 20, 8),
    "ours_cron.py": ("15 * * * *", 0.01),
    "ours_drain.py": ("sqlite:///{folder}/jobs.db", 20, 10, 5, 10),
    "ours_flat.py": (100,),
    "ours_graph.py": ("memory://", "layered", 120),
    "ours_growth.py": (*TWO, 20, 10),
    "ours_interval.py": (2,),
    "ours_lateness.py": (100, 1),
    "ours_lists.py": ("sqlite:///{folder}/jobs.db", 3000),
    "ours_listeners.py": ("sqlite:///{folder}/jobs.db", 20, 10, 3, 1),
    "ours_live.py": ("memory://", 20, 10),
    "ours_locks.py": ("sqlite:///{folder}/jobs.db", "-", 20, 5, 1),
    "ours_pick_up.py": ("memory://", 5),
    "ours_schedules.py": ("memory://", 20, 0.1, 0.1),
    "ours_timestamps.py": (5,),
    "ours_waiting.py": (20,),
    "peer_apscheduler3.py": ("memory://", 20, 0),
    "peer_cronsim.py": ("15 * * * *", 0.01),
    "sqlite_core.py": ("sqlite:///{folder}/jobs.db", 20, 10),
}
"""What ``make test`` has all that they need for; the others need a server or another peer."""


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[Line]]:
    """The lines of one test, which no report shall show."""
    before = LINES.copy()
    LINES.clear()
    yield LINES
    LINES[:] = before


@pytest.mark.parametrize("program", SMALL)
def test_a_program_says_figures(program: str, tmp_path: Path) -> None:
    given = [str(one).format(folder=tmp_path) for one in SMALL[program]]
    figures = ours(program, *given)
    assert figures
    assert all(isinstance(value, float | int) for value in figures.values())


def test_locked_executions_are_counted_with_their_round_trips(redis_url: str) -> None:
    figures = ours("ours_locks.py", "memory://", redis_url, 20, 5, 1)
    assert figures["round_trips"] > 0


def test_every_program_of_ours_is_tried() -> None:
    known = {path.name for path in PROGRAMS.glob("ours_*.py")}
    assert known - SMALL.keys() == {"ours_node.py"}


def test_a_line_says_whether_its_goal_was_reached(lines: list[Line]) -> None:
    mine, theirs = [{"per_second": 3000.0}], [{"per_second": 2000.0}]
    compare("memory", mine, theirs, 1.5)
    compare("memory", mine, theirs, 2)
    compare("memory", mine, theirs)
    limit("lateness", 5, "ms", 5)
    at_least("bulk", 30_000, 30_000)
    tell("left out")
    assert [str(line) for line in lines] == [
        "memory: ours 3,000/s, peer 2,000/s, ratio 1.50 (goal 1.5) ok",
        "memory: ours 3,000/s, peer 2,000/s, ratio 1.50 (goal 2) MISSED",
        "memory: ours 3,000/s, peer 2,000/s, ratio 1.50",
        "lateness: ours 5.00 ms (goal under 5 ms) MISSED",
        "bulk: ours 30,000/s (goal 30,000/s) ok",
        "left out",
    ]


def test_programs_run_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "RUNS", 2)
    order: list[str] = []

    def run(name: str) -> dict[str, float]:
        order.append(name)
        return {"at": len(order)}

    runs = measuring.in_turn(ours=lambda: run("ours"), peer=lambda: run("peer"))
    assert order == ["ours", "peer", "ours", "peer"]
    assert runs == {"ours": [{"at": 1}, {"at": 3}], "peer": [{"at": 2}, {"at": 4}]}
