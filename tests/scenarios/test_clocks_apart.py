"""Two nodes whose clocks are ten seconds apart share a server: its clock decides about leases."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from advanced_scheduler import ScheduleOptions
from tests.scenarios import checks
from tests.scenarios.clusters import SERVERS, Clusters
from tests.scenarios.harness import LEASE, POLL, SLACK, Cluster

SKEW = 5.0  # seconds, more than two leases


def apart(cluster: Cluster, broken: str | None = None) -> list[str]:
    nodes = {
        name: cluster.node(
            name, limit=5, broken=broken, wait=False, settings={"clock_offset_seconds": offset}
        )
        for name, offset in (("slow", -SKEW), ("fast", SKEW))
    }
    for node in nodes.values():
        cluster.until_ready(node)
    scheduler = cluster.scheduler()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * * *")
    # The slow node takes what is due by its own clock.
    past = ScheduleOptions(at=datetime.now(UTC) - timedelta(seconds=2 * SKEW))
    long = scheduler.schedule_task_many("doze", [(LEASE + 1,)] * 6, options=past)
    cluster.until(lambda: len({one["execution"] for one in cluster.starts()} & {*long}) == 6)
    cluster.until(lambda: {*long} <= {one["execution"] for one in cluster.ends()})
    stolen = [one for one in long if len(cluster.starts(one)) != 1]

    gate = cluster.gate()
    victim = scheduler.schedule_task("linger", str(gate), options=past)
    (first,) = cluster.until(lambda: cluster.starts(victim))
    lease = cluster.row(victim).lease_until
    nodes[first["node"].partition(":")[0]].kill()
    killed = time.time()
    gate.touch()
    cluster.until(lambda: len(cluster.starts(victim)) > 1)
    again = cluster.starts(victim)[1]["at"]
    scheduler.remove_schedule(schedule_id)
    cluster.until_ended(timeout=2 * SKEW + 10)
    ran = Counter(
        row.scheduled_time for row in cluster.rows().values() if row.schedule_id == schedule_id
    )
    told = {
        f"no lease to be stolen, unlike those of {stolen}": not stolen,
        "both nodes to work": len({one["node"] for one in cluster.starts()}) == 2,
        f"a take-over once the lease is over, not after {again - killed:.1f} s": (
            lease is not None
            and lease.timestamp() <= again + checks.CLOCK_SLACK
            and again - killed <= LEASE + 2 * POLL + SLACK
        ),
        "ticks to run": len(ran) >= LEASE,
    }
    return [
        *(f"I5: {n} executions for {instant}" for instant, n in ran.items() if n > 1),
        *checks.done_again_only_if_lost(cluster),
        *checks.every_one_ended(cluster),
        *checks.attempts_have_no_gaps(cluster),
        *checks.unmet(told),
    ]


def test_no_lease_is_stolen_and_no_tick_runs_twice(clusters: Clusters) -> None:
    controls = {"own-clock on redis"}
    found = clusters.run(apart, *SERVERS, controls=controls)
    assert found.keys() == controls, found
