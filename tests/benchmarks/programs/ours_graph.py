"""advanced-scheduler: n tasks of a graph, from one schedule_workflow to the last record.

``python ours_graph.py URL SHAPE N``; the tasks are registered before.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from advanced_scheduler import TaskDefinition, TaskDependency
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import Ends, check_completed, noop, opened

LAYER: Final = 100  # tasks that need nothing of each other


def independent(_: int) -> Iterable[int]:
    return ()


def chain(number: int) -> Iterable[int]:
    """Each needs the one before."""
    return (number - 1,) if number else ()


def layered(number: int) -> Iterable[int]:
    """Each needs two of the layer before."""
    layer, column = divmod(number, LAYER)
    above = (layer - 1) * LAYER
    return (above + column, above + (column + 1) % LAYER) if layer else ()


SHAPES: Final[Mapping[str, Callable[[int], Iterable[int]]]] = {
    "independent": independent,
    "chain": chain,
    "layered": layered,
}


def needs(shape: str, n: int) -> list[Iterable[int]]:
    """What each of n tasks needs; ``fan_in``: the last one needs all others."""
    if shape == "fan_in":
        return [*[()] * (n - 1), range(n - 1)]
    return [SHAPES[shape](number) for number in range(n)]


async def main(url: str, shape: str, n: int) -> None:
    scheduler = opened(url)
    names = [f"t{number}" for number in range(n)]
    for name, needed in zip(names, needs(shape, n), strict=True):
        after = [TaskDependency(names[number]) for number in needed]
        scheduler.register_task(TaskDefinition(name, name, noop, dependencies=after))
    ends = Ends(scheduler)
    await scheduler.start()
    begun = time.perf_counter()
    await asyncio.to_thread(scheduler.schedule_workflow, names)
    called = time.perf_counter()
    await ends.more(n)
    ended = time.perf_counter()
    say(per_second=n / (ended - begun), call_s=called - begun)
    await scheduler.stop()
    check_completed(scheduler, n)
    scheduler.close()


if __name__ == "__main__":
    place, kind, count = sys.argv[1:]
    asyncio.run(main(place, kind, int(count)))
