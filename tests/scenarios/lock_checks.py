"""Owns the checks of the lock scenarios, and the watch over the time that a lock has to live."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock

from .harness import Cluster

EVERY: Final = 0.02  # seconds between two samples
SIGNS_OF_LIFE: Final = frozenset({"start", "beat", "end", "lost"})


@dataclass(frozen=True, slots=True)
class Interval:
    """From the first to the last line of one grant, cut where the body heard of its loss."""

    start: float
    end: float
    execution: str
    fence: int


def intervals(cluster: Cluster, task_id: str) -> list[Interval]:
    """Who held the lock of the task, by the lines that they wrote, in order of their start."""
    lines: dict[tuple[str, int], list[float]] = {}
    for line in cluster.lines():
        if line["event"] in SIGNS_OF_LIFE and line["task"] == task_id:
            grant = line["execution"], line["lock_fence"] or 0
            lines.setdefault(grant, []).append(line["at"])
    found = (Interval(at[0], at[-1], *grant) for grant, at in lines.items())
    return sorted(found, key=lambda one: one.start)


def disjoint(cluster: Cluster, task_id: str) -> list[str]:
    """I7: at most one holder at a time."""
    violations, last = [], None
    for one in intervals(cluster, task_id):
        if last is not None and one.start < last.end:
            violations.append(f"I7: {one.execution} began {last.end - one.start:.3f} s too early")
        if last is None or one.end > last.end:
            last = one
    return violations


def fences_increase(cluster: Cluster, task_id: str) -> list[str]:
    """I8: each grant has a greater fence than the one before."""
    fences = [one.fence for one in intervals(cluster, task_id)]
    return [f"I8: fence {b} after {a}" for a, b in pairwise(fences) if not b > a]


@dataclass(slots=True)
class Sample:
    """An answer of ``get_lock_ttl``, and between which two moments it was true."""

    asked: float
    ttl: float | None
    answered: float


@dataclass(slots=True)
class Watch:
    """Asks ``get_lock_ttl`` from a thread, every 0.02 s."""

    locks: DistributedTaskLock
    task_id: str
    samples: list[Sample] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def within(self, start: float, end: float) -> list[Sample]:
        """The samples that were asked for and answered between two moments."""
        return [one for one in self.samples if start <= one.asked and one.answered <= end]

    def run(self) -> None:
        """Until stopped; an outage leaves a gap."""
        while not self._stop.wait(EVERY):
            asked = time.time()
            try:
                ttl = self.locks.get_lock_ttl(self.task_id)
            except LockUnavailable:
                continue
            self.samples.append(Sample(asked, ttl, time.time()))

    def stop(self) -> None:
        """After the sample in hand."""
        self._stop.set()


@contextmanager
def watched(locks: DistributedTaskLock, task_id: str) -> Iterator[Watch]:
    """A watch over the lock of a task, as long as the block lasts."""
    watch = Watch(locks, task_id)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def out_of_range(samples: list[Sample], longest: float) -> list[str]:
    """The time to live of a lock that is held is above 0, and at most what was asked for."""
    if len(samples) < 10:
        return [f"only {len(samples)} samples of the time to live"]
    return [
        f"the time to live was {one.ttl} at {one.asked:.2f}"
        for one in samples
        if one.ttl is None or not 0 < one.ttl <= longest
    ]
