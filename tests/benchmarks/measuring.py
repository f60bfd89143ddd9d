"""Owns how the benchmarks measure: programs in processes of their own, medians, lines to read.

Nothing here fails because a machine is slow: a line that misses its goal says so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

RUNS = 5
"""How often each program is run; ``--repeats`` sets it before a test is collected."""

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = ROOT / ".venv-bench" / "bin" / "python"
PEERS_3_12: Final = ROOT / ".venv-bench-3.12" / "bin" / "python"
PROGRAMS: Final = Path(__file__).parent / "programs"
PATIENCE: Final = 3 * 3600.0  # seconds; a million executions take their time

Runs: TypeAlias = Sequence[Mapping[str, float]]
"""The figures of each run of one program."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure as it was printed; ``reached`` is None where there is no goal."""

    text: str
    reached: bool | None

    def __str__(self) -> str:
        return self.text if self.reached is None else f"{self.text} {self.verdict}"

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISSED``; empty without a goal."""
        return {True: "ok", False: "MISSED", None: ""}[self.reached]


LINES: Final[list[Line]] = []
"""All that was printed in this session."""


def measure(python: str | Path, program: str, *args: object) -> dict[str, float]:
    """The figures that ``program`` says, run by ``python`` in a process of its own."""
    command = [str(python), str(PROGRAMS / program), *map(str, args)]
    done = subprocess.run(
        command,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{program}: ended with {done.returncode}: {done.stderr[-2000:]}"
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def environment() -> dict[str, str]:
    """What a program needs to find what the programs share."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def ours(program: str, *args: object) -> dict[str, float]:
    """The figures of a program that runs in our environment."""
    return measure(sys.executable, program, *args)


def peer(program: str, *args: object) -> dict[str, float]:
    """The figures of a program that runs in the environment of the peers."""
    return measure(PEERS, program, *args)


def in_turn(**programs: Callable[[], Mapping[str, float]]) -> dict[str, Runs]:
    """The figures of ``RUNS`` rounds; in each round every program runs once, one by one."""
    rounds = [{name: run() for name, run in programs.items()} for _ in range(RUNS)]
    return {name: [figures[name] for figures in rounds] for name in programs}


def median(runs: Runs, figure: str) -> float:
    """The median of one figure over all runs."""
    return statistics.median(run[figure] for run in runs)


def compare(
    name: str, mine: Runs, theirs: Runs, goal: float | None = None, figure: str = "per_second"
) -> None:
    """A line about two rates and their ratio; without ``goal`` it is only told."""
    compare_rates(name, median(mine, figure), "peer", median(theirs, figure), goal)


def compare_rates(
    name: str, rate: float, other: str, reference: float, goal: float | None = None
) -> None:
    """A line about a rate of ours and one of a peer, or of another case of ours."""
    ratio = rate / reference
    text = f"{name}: ours {rate:,.0f}/s, {other} {reference:,.0f}/s, ratio {ratio:.2f}"
    if goal is None:
        tell(text)
    else:
        tell(f"{text} (goal {goal:g})", ratio >= goal)


def limit(name: str, value: float, unit: str, goal: float) -> None:
    """A line about something that should stay under ``goal``."""
    tell(f"{name}: ours {value:,.2f} {unit} (goal under {goal:g} {unit})", value < goal)


def at_least(name: str, rate: float, goal: float | None = None) -> None:
    """A line about a rate that should reach ``goal``, which no peer has measured."""
    text = f"{name}: ours {rate:,.0f}/s"
    if goal is None:
        tell(text)
    else:
        tell(f"{text} (goal {goal:,.0f}/s)", rate >= goal)


def tell(text: str, reached: bool | None = None) -> None:
    """Print a line, with the load: what other programs take, a figure cannot show."""
    LINES.append(line := Line(text, reached))
    print(f"\n{line} [load {os.getloadavg()[0]:.1f}]", flush=True)
