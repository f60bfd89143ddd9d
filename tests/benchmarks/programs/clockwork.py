"""What every measured program shares: count to n, then say how long it took, as one JSON line.

Runs in the environments of the peers too, so it imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice, product
from operator import add

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
    """p50, p95 and p99 in milliseconds."""
    cuts = statistics.quantiles(waits, n=100)
    return {"p50_ms": cuts[49] * 1e3, "p95_ms": cuts[94] * 1e3, "p99_ms": cuts[98] * 1e3}


def rates(n: int, begun: float, full: float, ended: float) -> dict[str, float]:
    """What a program says that enqueues n, from ``begun`` to ``full``, and then drains them."""
    return {
        "enqueue": n / (full - begun),
        "per_second": n / (ended - full),
        "total": n / (ended - begun),
    }


def size() -> int:
    """How many executions, from the command line."""
    return int(sys.argv[1])


def order() -> tuple[str, int, int]:
    """URL N CONCURRENCY, from the command line of a program that drains a full store."""
    url, n, concurrency = sys.argv[1:4]
    return url, int(n), int(concurrency)


def calls_per_second(call: Callable[[], object], seconds: float) -> float:
    """How often ``call`` can be called, tried for so long."""
    count, begun = 0, time.perf_counter()
    end = begun + seconds
    while time.perf_counter() < end:
        for _ in range(10):
            call()
        count += 10
    return count / (time.perf_counter() - begun)


def spellings(text: str) -> Iterator[str]:
    """The cron text with other blanks each time, 10,000 in turn: too many to remember."""
    blanks = ["".join(some) for some in product(" \t", repeat=4)]
    several = islice(product(blanks, repeat=4), 10_000)
    minute, *rest = text.split()
    return cycle(minute + "".join(map(add, some, rest)) for some in several)
