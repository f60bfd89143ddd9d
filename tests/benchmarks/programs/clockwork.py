"""What every measured program shares: count to n, then say how long it took, as one JSON line.

Runs in the environments of the peers too, so it imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time

TRIES = 200
GAP = 0.01


class Counter:
    """Counts calls of the task body on one event loop, and notes the time of each start."""

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.waits: list[float] = []
        self.done = asyncio.Event()

    def hit(self, sent: float = 0.0) -> None:
        self.count += 1
        if sent:
            self.waits.append(time.perf_counter() - sent)
        if self.count == self.wanted:
            self.done.set()


def say(**figures: float) -> None:
    """The one line that the driver reads."""
    print(json.dumps(figures))


def percentiles(waits: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(waits, n=100)
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


def size() -> int:
    """How many executions, from the command line."""
    return int(sys.argv[1])


def order() -> tuple[str, int, int, int]:
    """URL N CONCURRENCY SINGLES, from the command line of a program that drains a full store."""
    url, *numbers = sys.argv[1:]
    n, concurrency, singles = map(int, numbers)
    return url, n, concurrency, singles
