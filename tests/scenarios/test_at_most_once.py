"""A task that runs at most once is not run again when its node is lost; it has failed."""

from __future__ import annotations

from advanced_scheduler import TaskStatus
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import Cluster


def killed_once(cluster: Cluster, broken: str | None = None) -> list[str]:
    first = cluster.node("first")
    scheduler = cluster.scheduler()
    gate = cluster.gate()
    fragile, sturdy = (scheduler.schedule_task(one, str(gate)) for one in ("once", "linger"))
    cluster.until(lambda: len(cluster.starts()) == 2)
    first.kill()
    gate.touch()
    cluster.node("second", broken=broken)
    cluster.until_ended(timeout=20)
    row = cluster.row(fragile)
    told = {
        f"FAILED, not {row.status}": row.status is TaskStatus.FAILED,
        f"an error that says why, not {row.error}": "runs at most once" in str(row.error)
        and "first:" in str(row.error),
        "one start": len(cluster.starts(fragile)) == 1,
        "no end": not cluster.ends(fragile),
    }
    return [
        *checks.unmet(told),
        *checks.done_once(cluster, [sturdy]),
        *checks.invariants(cluster),
    ]


def test_it_has_failed_and_was_started_once(clusters: Clusters) -> None:
    controls = {"runs-again on sqlite"}
    found = clusters.run(killed_once, *STORES, controls=controls)
    assert found.keys() == controls, found
