"""S10: whoever recovers what a lost node has left, dies of it, five times in a row."""

from __future__ import annotations

from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import Cluster, waited
from tests.scenarios.node_breaks import RESCUED

DEATHS = 5
TASKS = (DEATHS + 1) * RESCUED  # so that each of them finds something to recover
SETTINGS = {"max_crashes": 2 * DEATHS}


def recovery_dies(cluster: Cluster, broken: str | None = None) -> list[str]:
    first = cluster.node("first", limit=TASKS, settings=SETTINGS)
    scheduler = cluster.scheduler()
    gate = cluster.gate()
    ids = scheduler.schedule_task_many("linger", [(str(gate),)] * TASKS)
    cluster.until(lambda: len(cluster.starts()) == TASKS)
    first.kill()
    doomed = [
        cluster.node(f"doomed-{n}", broken="dies-in-recovery", settings=SETTINGS, wait=False)
        for n in range(DEATHS)
    ]
    all_dead = waited(lambda: not any(node.alive for node in doomed), timeout=30)
    gate.touch()
    cluster.node("last", limit=TASKS, broken=broken, settings=SETTINGS)
    cluster.until_ended(timeout=30 if broken is None else 4)
    told = {f"{DEATHS} nodes to die in the middle of recovery": all_dead}
    return [*checks.done_once(cluster, ids), *checks.invariants(cluster), *checks.unmet(told)]


def test_recovery_goes_on_elsewhere_however_often_it_is_killed(clusters: Clusters) -> None:
    controls = {"no-lease on sqlite"}
    found = clusters.run(recovery_dies, *STORES, controls=controls)
    assert found.keys() == controls, found
