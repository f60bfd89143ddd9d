"""S11: two nodes that live at the same time were given one name."""

from __future__ import annotations

import time
from collections import Counter

from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import LEASE, POLL, SLACK, Cluster

RUNS = 4.0  # seconds
TASKS = 200


def namesakes(cluster: Cluster, broken: str | None = None) -> list[str]:
    twins = [cluster.node("twin", broken=broken, wait=False) for _ in range(2)]
    for twin in twins:
        cluster.until_ready(twin)
    scheduler = cluster.scheduler()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * * *")
    scheduler.schedule_task_many("doze", [(0.02,)] * TASKS)
    time.sleep(RUNS)
    gate = cluster.gate()
    victim = scheduler.schedule_task("linger", str(gate))
    (first,) = cluster.until(lambda: cluster.starts(victim))
    next(one for one in twins if one.pid == first["pid"]).kill()
    killed = time.time()
    gate.touch()
    cluster.until(lambda: len(cluster.starts(victim)) > 1)
    scheduler.remove_schedule(schedule_id)
    cluster.until_ended(timeout=10)
    late = cluster.starts(victim)[1]["at"] - killed
    ran = Counter(
        row.scheduled_time for row in cluster.rows().values() if row.schedule_id == schedule_id
    )
    names = {one["node"] for one in cluster.starts()}
    told = {
        f"two nodes that are told apart, not {names}": len(names) == 2,
        "both to work": len({one["pid"] for one in cluster.starts()}) == 2,
        f"a take-over in time, not after {late:.1f} s": late <= LEASE + 2 * POLL + SLACK,
        "most ticks to run": len(ran) >= RUNS - 1,
    }
    return [
        *(f"I5: {n} executions for {instant}" for instant, n in ran.items() if n > 1),
        *checks.done_again_only_if_lost(cluster),
        *checks.invariants(cluster),
        *checks.unmet(told),
    ]


def test_they_are_told_apart_and_everything_runs_once(clusters: Clusters) -> None:
    controls = {"same-boot-id on sqlite"}
    found = clusters.run(namesakes, *STORES, controls=controls)
    assert found.keys() == controls, found
