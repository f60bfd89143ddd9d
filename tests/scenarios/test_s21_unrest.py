"""S21: pauses, edits, rollbacks, runs by hand and events, while two nodes fire schedules."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from advanced_scheduler import AdvancedTaskScheduler, EventTrigger
from advanced_scheduler.models import Tick, TickOutcome
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import PATIENT, Cluster

HANDS = 4  # people, each with schedules of their own and all with the same events
SECONDS = 5.0
EVERY_SECOND, ODD_SECONDS = "* * * * * *", "1-59/2 * * * * *"
HOUR = timedelta(hours=1)


class Hand:
    """Somebody who cannot leave a schedule alone; ``asked`` are the runs that he was promised."""

    def __init__(self, cluster: Cluster, number: int, seed: int) -> None:
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self._cluster = cluster
        self._scheduler: AdvancedTaskScheduler = cluster.scheduler()
        self._dice = random.Random(seed + number)
        self.schedule_id = self._scheduler.schedule_cron_task(
            "note", EVERY_SECOND, name=f"of hand {number}"
        )

    def work(self) -> None:
        """Do anything, again and again."""
        end = time.monotonic() + SECONDS
        chores = [self._pause, self._edit, self._roll_back, self._run, self._tell]
        while time.monotonic() < end:
            self._dice.choice(chores)()

    def _pause(self) -> None:
        self._scheduler.pause_schedule(self.schedule_id)
        before = ticks_of(self._cluster, self.schedule_id)
        time.sleep(self._dice.uniform(0, 1.2))
        after = ticks_of(self._cluster, self.schedule_id)
        if len(after) != len(before):
            self.wrong.append(f"{self.schedule_id} fired while paused: {after[len(before) :]}")
        self._scheduler.resume_schedule(self.schedule_id, catch_up=self._dice.random() < 0.5)

    def _edit(self) -> None:
        text = self._dice.choice([EVERY_SECOND, ODD_SECONDS])
        self._scheduler.update_schedule(self.schedule_id, cron_expression=text, changelog="whim")

    def _roll_back(self) -> None:
        versions = self._scheduler.schedule_versions(self.schedule_id)
        self._scheduler.rollback_schedule(self.schedule_id, self._dice.choice(versions).version)

    def _run(self) -> None:
        self.asked.append(self._scheduler.run_schedule_now(self.schedule_id))

    def _tell(self) -> None:
        self.asked += self._scheduler.trigger_event("bell", {"value": 1})

    def leave(self) -> None:
        """Remove the schedule."""
        self._scheduler.remove_schedule(self.schedule_id)


def unrest(cluster: Cluster, broken: str | None = None) -> list[str]:
    seed = random.randrange(10**6)
    print(f"the seed on {cluster.store_url.partition(':')[0]} is {seed}")
    cluster.team("a", "b", broken=broken, settings=PATIENT)
    bell = cluster.scheduler().create_schedule("note", EventTrigger("bell"), name="bell")
    hands = [Hand(cluster, number, seed) for number in range(HANDS)]
    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(Hand.work, hands))
    for hand in hands:
        hand.leave()
    cluster.until_ended(timeout=20)
    ids = [bell, *(hand.schedule_id for hand in hands)]
    fired = [one for one in ids if any(t.execution_id for t in ticks_of(cluster, one))]
    return [
        *checks.unmet({f"most of {len(ids)} to have fired, not {fired}": len(fired) > 2}),
        *(wrong for hand in hands for wrong in hand.wrong),
        *_promises(cluster, [one for hand in hands for one in hand.asked]),
        *(bad for one in ids for bad in _ledger(cluster, one)),
        *checks.done_once(cluster),
        *checks.invariants(cluster),
    ]


def ticks_of(cluster: Cluster, schedule_id: str) -> list[Tick]:
    now = datetime.now(UTC)
    return cluster.store.ticks(schedule_id, now - HOUR, now + HOUR, 10_000)


def _promises(cluster: Cluster, asked: list[str]) -> list[str]:
    rows = cluster.rows()
    lost = [one for one in asked if one not in rows]
    twice = [one for one, n in Counter(asked).items() if n > 1]
    return checks.unmet(
        {
            "somebody to have asked for runs": bool(asked),
            f"every run that was asked for, unlike {lost[:3]}": not lost,
            f"a run of its own for each, unlike {twice[:3]}": not twice,
        }
    )


def _ledger(cluster: Cluster, schedule_id: str) -> list[str]:
    """One execution for each tick that fired, and none beside."""
    ticks = ticks_of(cluster, schedule_id)
    fired = [t.execution_id for t in ticks if t.outcome is TickOutcome.FIRED]
    rows = [r.execution_id for r in cluster.rows().values() if r.schedule_id == schedule_id]
    instants = [tick.instant for tick in ticks]
    return checks.unmet(
        {
            f"the executions of {schedule_id} to be its ticks": sorted(rows)
            == sorted(map(str, fired)),
            f"each instant of {schedule_id} once": len(instants) == len({*instants}),
            "a reason where none ran": all(
                tick.reason for tick in ticks if tick.outcome is not TickOutcome.FIRED
            ),
        }
    )


def test_every_run_is_run_once_and_none_while_it_is_paused(clusters: Clusters) -> None:
    controls = {"no-compare on sqlite", "no-compare-and-slow on sqlite"}
    found = clusters.run(unrest, *STORES, controls=controls)
    assert found.keys() <= controls, found
    assert found, "the dice may spare one build that compares nothing, but not both"
