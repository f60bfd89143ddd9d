"""Three nodes of which one is killed every few seconds, and replaced."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.models import ExecutionFilter, TaskStatus, Tick, TickOutcome
from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import LEASE, Cluster, NodeProcess

NODES = 3
SECONDS = {"postgresql": 40.0, "redis": 15.0}
CALM = 30.0  # seconds within which all is done, once nobody is killed any more
SETTINGS = {"max_crashes": 100}
SECOND = timedelta(seconds=1)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def rolling(cluster: Cluster, seconds: float, broken: str | None = None) -> list[str]:
    seed = random.randrange(10**6)
    print(f"the seed on {cluster.store_url.partition(':')[0]} is {seed}")
    dice = random.Random(seed)
    names = (f"n{n}" for n in range(NODES))
    nodes = [*cluster.team(*names, broken=broken, settings=SETTINGS).values()]
    scheduler = cluster.scheduler()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * * *")
    end, kills = time.monotonic() + seconds, 0
    next_kill = time.monotonic() + 3
    while time.monotonic() < end:
        submit(scheduler, dice)
        time.sleep(0.25)
        if time.monotonic() >= next_kill:
            victims = at_work(cluster)
            if not victims:
                continue  # a kill that loses no work shows nothing
            dice.choice(victims).kill()
            kills += 1
            nodes.append(
                cluster.node(f"n{NODES + kills}", broken=broken, settings=SETTINGS, wait=False)
            )
            next_kill = time.monotonic() + dice.uniform(2, 4)
    scheduler.remove_schedule(schedule_id)
    cluster.until_ended(timeout=CALM if broken is None else 2 * LEASE)
    ticks = scheduler.store.ticks(schedule_id, *ALWAYS)
    return [
        *every_second_once(cluster, schedule_id, ticks),
        *checks.ended_well(cluster),
        *checks.invariants(cluster),
        *checks.none_after_its_end(cluster),
        *checks.unmet({"some to be killed": kills >= max(seconds / 5 - 2, 1)}),
    ]


def at_work(cluster: Cluster) -> list[NodeProcess]:
    """The nodes that hold an execution now."""
    running = cluster.store.find(ExecutionFilter(statuses=frozenset({TaskStatus.RUNNING})))
    names = {row.node.partition(":")[0] for row in running if row.node}
    return [node for node in cluster.nodes if node.alive and node.name in names]


def submit(scheduler: AdvancedTaskScheduler, dice: random.Random) -> None:
    """Work of all lengths: most of it is lost with a node at some time."""
    scheduler.schedule_task_many("note", [(n,) for n in range(5)])
    scheduler.schedule_task_many("doze", [(dice.uniform(0, 1.5),) for _ in range(3)])
    scheduler.schedule_task("nap", dice.uniform(0, 0.5))


def every_second_once(cluster: Cluster, schedule_id: str, ticks: list[Tick]) -> list[str]:
    """I5, and the ledger has one row for each second."""
    instants = [tick.instant for tick in ticks]
    seconds = [instants[0] + n * SECOND for n in range(len(instants))]
    fired = {t.instant: t.execution_id for t in ticks if t.outcome is TickOutcome.FIRED}
    rows = [row for row in cluster.rows().values() if row.schedule_id == schedule_id]
    runs = Counter(row.scheduled_time for row in rows)
    told = {
        "a tick for each second": instants == seconds,
        f"many of {len(ticks)} to have run, not {len(fired)}": len(fired) >= len(ticks) / 3,
        "a reason where none ran": all(t.reason for t in ticks if t.instant not in fired),
        "each execution to be the one of its tick": {row.execution_id for row in rows}
        == {*fired.values()},
    }
    twice = [f"I5: {n} executions for {instant}" for instant, n in runs.items() if n > 1]
    return [*twice, *checks.unmet(told)]


def test_nothing_is_lost_and_nothing_starts_after_its_end(clusters: Clusters) -> None:
    runs = {one: partial(rolling, clusters.new(one), seconds) for one, seconds in SECONDS.items()}
    control = clusters.control(lambda one: rolling(one, 6.0, "no-lease"), "redis")
    found = clusters.at_once({**runs, "no-lease": control})
    assert found.keys() == {"no-lease"}, found
