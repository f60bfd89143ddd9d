"""Runs several nodes in one thread, by chance from a seed, and checks what must always hold."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import format_exc
from typing import Any, Final

from ..models import ScheduleOptions, task_key
from .audit import audit, counters
from .cluster import AT_MOST_ONCE, LOCKED, TASKS, Cluster
from .nodes import settle
from .watch import OPEN

STEPS: Final = 120
CALM_ROUNDS: Final = 60
CALM_SECONDS: Final = 10  # a round: less than a lease
SHOWN: Final = 40  # lines of the story


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one seed: all is well if ``violations`` is empty.

    ``story`` says step by step what was done; ``executions`` is how many there were,
    ``starts`` how many bodies began.
    """

    seed: int
    violations: Sequence[str]
    story: Sequence[str]
    executions: int
    starts: int

    def __str__(self) -> str:
        if not self.violations:
            return f"seed {self.seed}: all well in {self.executions} executions"
        return "\n".join(
            [
                f"seed {self.seed} violates:",
                *(f"  {one}" for one in self.violations),
                f"the last {SHOWN} events:",
                *(f"  {one}" for one in self.story[-SHOWN:]),
                f"run it again: python -m advanced_scheduler.testing {self.seed}",
            ]
        )


def simulate(seed: int, *, steps: int = STEPS) -> Report:
    """Run one seed: ``steps`` of chance and faults, then a calm in which all must end.

    Takes no time but that of computing. Must not be called on a running event loop. Nothing
    below CRITICAL is logged meanwhile.
    """
    with _quiet():
        return asyncio.run(_Simulation(seed).run(steps))


@contextmanager
def _quiet() -> Iterator[None]:
    ours = logging.getLogger(__name__.partition(".")[0])
    before = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ours.setLevel(before)


class _Simulation:
    """One cluster and its fate, which follows from the seed alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random(seed)
        self._cluster = cluster = Cluster(self._rng)
        self._violations = cluster.watch.violations
        acts: dict[Callable[[], Awaitable[None] | None], int] = {
            cluster.work: 30,
            cluster.sweep: 8,
            cluster.tick: 8,
            cluster.beat: 12,
            cluster.end_body: 14,
            cluster.advance: 12,
            cluster.schedule: 12,
            cluster.cancel: 2,
            cluster.begin: 3,
            cluster.die: 2,
            cluster.leave: 2,
            cluster.suspend: 2,
            cluster.resume: 4,
            cluster.skew: 1,
            cluster.storm: 3,
            cluster.pause: 2,
            cluster.unpause: 3,
            cluster.edit: 2,
        }
        self._acts = self._rng.choices(list(acts), list(acts.values()), k=1000)

    async def run(self, steps: int) -> Report:
        """All of it."""
        cluster = self._cluster
        asyncio.get_running_loop().set_exception_handler(self._unnoticed)
        try:
            await self._chance(steps)
            await self._calm()
            self._violations += audit(
                cluster.store,
                cluster.journal,
                cluster.watch,
                accepted=cluster.accepted,
                at_most_once=AT_MOST_ONCE,
                locked=LOCKED,
            )
        except Exception as error:  # nothing but StoreUnavailable may leave a part of a node
            self._violations.append(f"the engine raised {error!r}")
            cluster.journal.story.extend(format_exc().splitlines())
        report = Report(
            seed=self._seed,
            violations=tuple(dict.fromkeys(self._violations)),
            story=tuple(cluster.journal.story),
            executions=len(cluster.store.rows),
            starts=sum(map(len, cluster.journal.starts().values())),
        )
        for node in cluster.there:
            node.die()
        return report

    def _unnoticed(self, _: asyncio.AbstractEventLoop, told: Mapping[str, Any]) -> None:
        """An exception in a callback, which nobody else would see."""
        self._violations.append(f"the engine raised {told.get('exception', told['message'])!r}")

    async def _chance(self, steps: int) -> None:
        cluster = self._cluster
        for _ in range(self._rng.choice([2, 3])):
            cluster.begin()
        for _ in range(2):
            cluster.add_schedule()
        for _ in range(steps):
            act = self._rng.choice(self._acts)
            done = act()
            if inspect.isawaitable(done):
                await done
            await settle()
            self._violations += counters(cluster.store)

    async def _calm(self) -> None:
        cluster = self._cluster
        cluster.journal.tell("calm")
        cluster.calm()
        for _ in range(CALM_ROUNDS):
            for node in cluster.there:
                node.sweep()
                node.tick()
                node.beat()
                await node.work()
                await settle()
            for node in cluster.there:
                for body in list(node.bodies):
                    body.finish()
            await settle()
            for node in cluster.there:
                await node.work()
                await settle()
            if self._is_quiet():
                return
            self._run_what_is_awaited()
            cluster.clock.advance(seconds=CALM_SECONDS)

    def _is_quiet(self) -> bool:
        store = self._cluster.store
        return store.next_fire() is None and not any(
            row.status in OPEN for row in store.rows.values()
        )

    def _run_what_is_awaited(self) -> None:
        """Some wait for the next run of a task, which nobody else might ask for."""
        cluster = self._cluster
        keys = {key for row in cluster.store.rows.values() for key in row.blocked_by}
        for task in TASKS:
            if task_key(task.task_id) in keys:
                node = next(node for node in cluster.there if node.leaving is None)
                cluster.ask(node, task.task_id, ScheduleOptions())
