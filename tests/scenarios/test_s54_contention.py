"""S54: four processes write to one SQLite file as fast as they can, and run what they wrote."""

from __future__ import annotations

from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import PATIENT, Cluster

PROCESSES = 4
TASKS = 500  # by each process


def contention(cluster: Cluster, broken: str | None = None) -> list[str]:
    nodes = [
        cluster.node(
            f"n{number}",
            broken=broken,
            wait=False,
            tasks="tests.scenarios.tasks:register_flood",
            settings=PATIENT,
        )
        for number in range(PROCESSES)
    ]
    for node in nodes:
        cluster.until_ready(node)
    cluster.until(lambda: len(cluster.lines("flooded")) == PROCESSES, timeout=60)
    cluster.until_ended(timeout=60 if broken is None else 5)
    accepted = [one for line in cluster.lines("flooded") for one in line["accepted"]]
    refused = [error for line in cluster.lines("flooded") for error in line["errors"]]
    told = {
        f"{PROCESSES * TASKS} accepted, not {len(accepted)}": len(accepted) == PROCESSES * TASKS,
        f"no caller to see {refused[:1]}": not refused,
        "no node to log a locked database": not any("is locked" in one.output() for one in nodes),
        "each to start once": len(cluster.starts()) == len(accepted),
    }
    return [
        *checks.done_once(cluster, accepted),
        *checks.invariants(cluster),
        *checks.unmet(told),
    ]


def test_nobody_hears_that_the_database_is_locked(clusters: Clusters) -> None:
    controls = {"no-waiting on sqlite"}
    found = clusters.run(contention, "sqlite", controls=controls, sign="is locked")
    assert found.keys() == controls, found
