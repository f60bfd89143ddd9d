"""Owns how the benchmarks measure: programs in processes of their own, medians, lines to read.

Nothing here fails because a machine is slow: a line that misses its goal says so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

RUNS: Final = 5
ROOT: Final = Path(__file__).parents[2]
PEERS: Final = ROOT / ".venv-bench" / "bin" / "python"
PROGRAMS: Final = Path(__file__).parent / "programs"

Runs: TypeAlias = Sequence[dict[str, float]]
"""The figures of each run of one program."""


def measure(python: str | Path, program: str, *args: object) -> dict[str, float]:
    """The figures that ``program`` says, run by ``python`` in a process of its own."""
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


def ours(program: str, *args: object) -> dict[str, float]:
    """The figures of a program of ours."""
    return measure(sys.executable, program, *args)


def median(runs: Runs, figure: str) -> float:
    """The median of one figure over all runs."""
    return statistics.median(run[figure] for run in runs)


def compare(
    name: str, mine: Runs, theirs: Runs, goal: float | None = None, figure: str = "per_second"
) -> None:
    """A line about two rates and their ratio; without ``goal`` it is only told."""
    rate, peer = median(mine, figure), median(theirs, figure)
    ratio = rate / peer
    wanted = "no goal" if goal is None else f"goal {goal:g} x: {_verdict(ratio >= goal)}"
    print(f"\n{name}: {rate:,.0f}/s against {peer:,.0f}/s: {ratio:.2f} x ({wanted}; {load()})")
    assert ratio > 0


def limit(name: str, value: float, unit: str, goal: float) -> None:
    """A line about something that should stay under ``goal``."""
    verdict = _verdict(value < goal)
    print(f"\n{name}: {value:,.2f} {unit} (goal under {goal:g} {unit}: {verdict}; {load()})")
    assert value > 0


def load() -> str:
    """How busy the machine is: what other programs take, a figure cannot show."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"
