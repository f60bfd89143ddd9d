"""S12: a coroutine blocks the event loop for three leases; the leases are renewed all the same."""

from __future__ import annotations

from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import Cluster, waited

LEASE = 1.5
BLOCKED = 3 * LEASE
SETTINGS = {"lease_seconds": LEASE, "renewal_seconds": 0.25}


def blocked_loop(cluster: Cluster, broken: str | None = None) -> list[str]:
    a = cluster.node("a", broken=broken, settings=SETTINGS, watched=True)
    scheduler = cluster.scheduler()
    suspended = scheduler.schedule_task("doze", 0.5)
    cluster.until(lambda: cluster.starts(suspended))
    hog = scheduler.schedule_task("hog", BLOCKED)
    (begin,) = cluster.until(lambda: cluster.starts(hog))
    cluster.node("b", settings=SETTINGS)
    cluster.until_ended(timeout=20)
    (end, *_) = cluster.until(lambda: cluster.ends(hog))
    during = _health(cluster, begin["at"], end["at"])
    well = waited(
        lambda: any("loop" not in one for one in _health(cluster, end["at"], float("inf"))), 10
    )
    told = {
        "nobody else to take the executions over": len(cluster.starts()) == 2,
        "node a to live": a.alive,
        f"health to report the lag, not {during}": any("loop" in reason for reason in during),
        "health to be well again": well,
    }
    return [*checks.done_once(cluster), *checks.invariants(cluster), *checks.unmet(told)]


def _health(cluster: Cluster, since: float, until: float) -> list[str]:
    """What the node reported in between."""
    lines = [one for one in cluster.lines("health") if since < one["at"] < until]
    return [" ".join([one["status"], *one["reasons"]]) for one in lines]


def test_the_leases_are_renewed_and_health_tells_of_the_lag(clusters: Clusters) -> None:
    controls = {"no-heartbeat on sqlite"}
    found = clusters.run(blocked_loop, *STORES, controls=controls)
    assert found.keys() == controls, found
