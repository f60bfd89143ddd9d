"""A thousand seeds of the simulation hold every invariant, and each broken build is found out."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid4

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.engine import intake, settler
from advanced_scheduler.engine.dispatcher import Dispatcher
from advanced_scheduler.engine.guard import Guard
from advanced_scheduler.engine.runner import Run
from advanced_scheduler.engine.schedules import Schedules
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.locks import Grant
from advanced_scheduler.models import ExecutionFilter, TaskExecution, TaskStatus
from advanced_scheduler.stores import memory
from advanced_scheduler.stores.base import Claim, Firing
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.stores.memory_rows import MemoryRows
from advanced_scheduler.stores.memory_schedules import MemorySchedules
from advanced_scheduler.testing import simulate
from tests.scenarios import breaks

SEEDS: Final = 1000
CHUNK: Final = 50
ENOUGH: Final = 60  # seeds that a broken build may survive

RUNNING: Final = frozenset({TaskStatus.RUNNING})

Patch = Callable[[Any, str, Any], None]


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_a_thousand_seeds_hold_every_invariant(first: int) -> None:
    for seed in range(first, first + CHUNK):
        report = simulate(seed)
        assert not report.violations, str(report)
        assert report.executions > 0


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    program = (
        "from advanced_scheduler.testing import simulate\n"
        "print(*(line for seed in range(5) for line in simulate(seed).story), sep='\\n')"
    )
    stories = {
        hashlib.sha256(
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
            ).stdout
        ).hexdigest()
        for seed in ("1", "2")
    }
    assert len(stories) == 1


# --- broken builds: each takes one promise out ------------------------------------------------


def drops_ends(patch: Patch) -> None:
    """Every fifth end of a run is not stored."""
    settle, numbers = Dispatcher._settle, count()

    def careless(self: Dispatcher, run: Run, transition: Transition | None) -> None:
        if next(numbers) % 5 == 4:
            self.running.pop(run.row.execution_id, None)
        else:
            settle(self, run, transition)

    patch(Dispatcher, "_settle", careless)


def forgets_the_waiting(patch: Patch) -> None:
    """An end has no consequence for those that wait for it."""
    patch(settler, "resolve", lambda *_: None)
    patch(intake, "resolve", lambda *_: None)


def any_status(patch: Patch) -> None:
    """The store looks at the fence alone."""
    patch(Transition, "fits", lambda self, status, fence: self.fence is None or self.fence == fence)


def refunds_crashes(patch: Patch) -> None:
    """A crash gives the attempt back, as a stop does."""
    recover = lifecycle.recover

    def generous(row: TaskExecution, **given: Any) -> Transition:
        return lifecycle.annotate(recover(row, **given), attempt=row.attempt - 1)

    patch(lifecycle, "recover", generous)


def adopts_what_it_gave_up(patch: Patch) -> None:
    """After a lost answer a node starts all that the store calls its own."""

    async def adopt(self: Dispatcher, asked: object) -> None:
        rows = await self._offload(self._store.find, ExecutionFilter(statuses=RUNNING))
        self._doubtful = None
        self._start_all(
            row
            for row in rows
            if row.node == self._node and self.held.get(row.execution_id) != row.fence
        )

    patch(Dispatcher, "_adopt", adopt)


def no_fence(patch: Patch) -> None:
    """The store looks at the status alone."""
    patch(Transition, "fits", lambda self, status, fence: status in self.sources)


def impatient(patch: Patch) -> None:
    """Leases are believed to be over before they are."""
    expired = MemoryStore.expired

    def early(self: MemoryStore, now: Any, limit: int, after: Any = None) -> Any:
        return expired(self, now + timedelta(seconds=20), limit, after)

    patch(MemoryStore, "expired", early)


def fires_what_was_seen(patch: Patch) -> None:
    """A tick does not compare before it sets."""

    fire = MemorySchedules.fire

    def forgetful(self: MemorySchedules, firing: Firing) -> None:
        fresh = [one for one in firing.ticks if not self._has(one)]
        fire(self, replace(firing, ticks=fresh))

    patch(MemorySchedules, "fits", lambda self, firing: firing.schedule_id in self.by_id)
    patch(MemorySchedules, "fire", forgetful)


def pauses_nothing(patch: Patch) -> None:
    """Pausing is said and not done."""
    patch(Schedules, "pause", Schedules.get)


def waits_for_nothing(patch: Patch) -> None:
    """A dependency counts as met before its upstream has ended."""

    def unblock(row: TaskExecution, *_: object) -> Transition:
        return lifecycle.unblock(row, settled=row.blocked_by)

    patch(intake, "resolve", unblock)


def everybody_gets_the_lock(patch: Patch) -> None:
    """A lock is granted without asking who holds it."""
    fences = count(1)

    async def take(self: Guard, task_id: str, timeout: float) -> Grant:
        return Grant(task_id, uuid4().hex, next(fences), timeout, self._clock.monotonic())

    patch(Guard, "take", take)


def one_fence_for_all(patch: Patch) -> None:
    """A claim does not raise the fence."""
    claim = lifecycle.claim

    def same(row: TaskExecution, **given: Any) -> dict[str, Any]:
        return {**claim(row, **given), "fence": max(row.fence, 1)}

    patch(memory, "claiming", same)


def first_come_first_served(patch: Patch) -> None:
    """Priorities are not looked at."""

    def take(self: MemoryRows, claim: Claim) -> Iterator[TaskExecution]:
        rows = (row for row in self.by_id.values() if row.status in lifecycle.CLAIMABLE)
        due = [row for row in rows if not row.blocked_by and row.due <= claim.now]
        yield from sorted(due, key=lambda row: row.due)[: claim.limit]

    patch(MemoryRows, "take", take)


def miscounts(patch: Patch) -> None:
    """What is cancelled while it waits is counted twice."""
    update = MemoryRows.update

    def twice(self: MemoryRows, old: TaskExecution, new: TaskExecution) -> None:
        update(self, old, new)
        if old.status is TaskStatus.PENDING and new.status is TaskStatus.CANCELLED:
            self.counts[old.status][old.priority] += 1

    patch(MemoryRows, "update", twice)


CONTROLS: Final[dict[Callable[[Patch], None], str]] = {
    breaks.no_lease: "I1",
    drops_ends: "I1",
    forgets_the_waiting: "I1",
    any_status: "I2",
    refunds_crashes: "I3",
    adopts_what_it_gave_up: "I3",
    no_fence: "I4",
    impatient: "I4",
    fires_what_was_seen: "I5",
    pauses_nothing: "I5",
    breaks.claims_ahead: "I6",
    waits_for_nothing: "I6",
    everybody_gets_the_lock: "I7",
    one_fence_for_all: "I8",
    first_come_first_served: "I9",
    miscounts: "I10",
}


@pytest.mark.parametrize(
    ("broken", "invariant"),
    [pytest.param(*one, id=one[0].__name__) for one in CONTROLS.items()],
)
def test_a_broken_build_is_found_out(
    broken: Callable[[Patch], None], invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch.setattr)
    for seed in range(ENOUGH):
        report = simulate(seed)
        if any(one.startswith(f"{invariant}:") for one in report.violations):
            assert f"advanced_scheduler.testing {seed}" in str(report)
            return
    pytest.fail(f"{ENOUGH} seeds have noticed nothing of it")


def test_every_invariant_has_its_control() -> None:
    assert {f"I{number}" for number in range(1, 11)} == set(CONTROLS.values())
