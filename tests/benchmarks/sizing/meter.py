"""Measures calls: CPU of this process and of a server, round trips, time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import redis.connection

from advanced_scheduler.stores.sql_postgresql import PatientConnection
from tests.benchmarks.sizing.costs import Cost

_Watch: TypeAlias = Callable[[Generator[Any, Any, Any], "Meter"], Generator[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one call with so many rows took, in microseconds; round trips are counted."""

    rows: int
    server: float
    client: float
    trips: float
    elapsed: float

    @property
    def rest(self) -> float:
        """What it waited for beside the CPU: the way to the server and back, the disk."""
        return self.elapsed - self.client - self.server

    @staticmethod
    def least_rest(samples: Sequence[Sample]) -> float:
        """The wait of the fastest tenth: a busy machine makes all others longer."""
        return max(statistics.quantiles([one.rest for one in samples], n=10)[0], 0.0)

    @staticmethod
    def median(rows: int, samples: Sequence[Sample]) -> Sample:
        """The median of each figure."""
        figures = ([one.server, one.client, one.trips, one.elapsed] for one in samples)
        return Sample(rows, *map(statistics.median, zip(*figures, strict=True)))


class Meter:
    """Measures, with the CPU of the process ``server`` and its children."""

    def __init__(self, server: int | None) -> None:
        self._server = server
        self.trips = 0
        _count(PatientConnection, "_limited", self, _waiting)
        _count(redis.connection.Connection, "send_packed_command", self, None)

    def measure(self, rows: int, calls: Sequence[Callable[[], object]]) -> Sample:
        """What one of the calls takes."""
        processes = list(self._processes())
        before = (_cpu(processes), time.process_time(), self.trips, time.perf_counter())
        for call in calls:
            call()
        elapsed = time.perf_counter() - before[3]
        client, trips = time.process_time() - before[1], self.trips - before[2]
        after = _cpu({*processes, *self._processes()})
        took = [after - before[0], client, trips / 1e6, elapsed]
        return Sample(rows, *(figure * 1e6 / len(calls) for figure in took))

    def _processes(self) -> Iterable[int]:
        if self._server is None:
            return
        yield self._server
        tasks = Path(f"/proc/{self._server}/task").iterdir()
        for task in tasks:
            yield from map(int, (task / "children").read_text(encoding="utf-8").split())


def _cpu(processes: Iterable[int]) -> float:
    """Seconds, by the clock that Linux has for each process."""
    used = 0.0
    for process in processes:
        try:
            used += time.clock_gettime((~process << 3) | 2)
        except OSError:
            continue  # it has ended
    return used


def _count(kind: type, name: str, meter: Meter, waiting: _Watch | None) -> None:
    plain = getattr(kind, name)

    def counted(self: object, asked: Any, *args: object, **options: object) -> Any:
        if waiting is not None:
            return plain(self, waiting(asked, meter), *args, **options)
        meter.trips += 1
        return plain(self, asked, *args, **options)

    setattr(kind, name, counted)


def _waiting(asked: Generator[Any, Any, Any], meter: Meter) -> Generator[Any, Any, Any]:
    """The same operation; it is a round trip if it waits at all."""
    try:
        wanted = next(asked)
        meter.trips += 1
        while True:
            ready = yield wanted
            wanted = asked.send(ready)
    except StopIteration as done:
        return done.value


def fit(samples: Sequence[Sample]) -> Cost:
    """The straight lines through the samples; each weighs by its size, not by its number."""
    server, server_row = _line([(one.rows, one.server) for one in samples])
    client, client_row = _line([(one.rows, one.client) for one in samples])
    trips = statistics.median(one.trips for one in samples)
    return Cost(server, server_row, client, client_row, trips)


def _line(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Height at 0 and slope, neither below 0, with the least relative errors."""
    if len({x for x, _ in points}) < 2:
        return max(statistics.fmean(y for _, y in points), 0.0), 0.0
    weighted = [(x, y, 1 / max(y, 1.0) ** 2) for x, y in points]
    total = sum(w for *_, w in weighted)
    mean_x = sum(w * x for x, _, w in weighted) / total
    mean_y = sum(w * y for _, y, w in weighted) / total
    spread = sum(w * (x - mean_x) ** 2 for x, _, w in weighted)
    slope = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in weighted) / spread
    height = mean_y - slope * mean_x
    if height < 0:
        through = sum(w * x * y for x, y, w in weighted) / sum(w * x * x for x, _, w in weighted)
        return 0.0, through
    return (height, slope) if slope > 0 else (mean_y, 0.0)
