"""A schedule of every second on two nodes, of which one is killed: each tick exactly once."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from advanced_scheduler.models import TickOutcome
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import Cluster

SECOND = timedelta(seconds=1)
RUNS = 6.0  # seconds
LATE = 4.0  # seconds without a tick that a busy machine and a death are allowed
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def two_nodes(cluster: Cluster, broken: str | None = None) -> list[str]:
    nodes = cluster.team("a", "b", broken=broken)
    scheduler = cluster.scheduler()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * * *")
    time.sleep(RUNS / 2)
    cluster.until(cluster.ends)
    busy = cluster.starts()[-1]["node"]
    nodes[busy.partition(":")[0]].kill()
    time.sleep(RUNS / 2)
    scheduler.remove_schedule(schedule_id)
    cluster.until_ended(timeout=10)
    time.sleep(0.5)  # a tick that is under way
    cluster.until_ended(timeout=10)

    ticks = scheduler.store.ticks(schedule_id, *ALWAYS)
    fired = {tick.instant: tick for tick in ticks if tick.outcome is TickOutcome.FIRED}
    rows = cluster.rows().values()
    runs = Counter(row.scheduled_time for row in rows)
    seconds = (ticks[-1].instant - ticks[0].instant) / SECOND + 1
    told = {
        f"a tick for each of {seconds:g} seconds, not {len(ticks)}": len(ticks) == seconds,
        f"{RUNS - LATE:g} ticks or more to run, not {len(fired)}": len(fired) >= RUNS - LATE,
        "a reason where none ran": all(
            tick.reason for tick in ticks if tick.outcome is not TickOutcome.FIRED
        ),
        "each execution to be the one of its tick": all(
            row.scheduled_time in fired
            and fired[row.scheduled_time].execution_id == row.execution_id
            for row in rows
        ),
    }
    return [
        *(f"I5: {n} executions for {instant}" for instant, n in runs.items() if n > 1),
        *(f"none for {instant}" for instant in fired if instant not in runs),
        *checks.unmet(told),
        *checks.done_again_only_if_lost(cluster),
        *checks.invariants(cluster),
    ]


def test_every_second_runs_once_though_a_node_is_killed(clusters: Clusters) -> None:
    controls = {"no-compare on sqlite"}
    found = clusters.run(two_nodes, *STORES, controls=controls, sign="I5")
    assert found.keys() == controls, found
