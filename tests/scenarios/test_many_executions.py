"""Two nodes share ten thousand executions: all are done, and none twice."""

from __future__ import annotations

from functools import partial

from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import PATIENT, Cluster

MANY, ON_A_FILE, OF_A_CONTROL = 10_000, 2_000, 500


def shared(cluster: Cluster, count: int, broken: str | None = None) -> list[str]:
    nodes = [
        cluster.node(name, limit=50, broken=broken, settings=PATIENT, wait=False)
        for name in ("a", "b")
    ]
    scheduler = cluster.scheduler()
    ids = scheduler.schedule_task_many("note", [(n,) for n in range(count)])
    for node in nodes:
        cluster.until_ready(node)
    cluster.until_ended(timeout=80 if broken is None else 20)
    starts = cluster.starts()
    told = {
        f"{count} starts, not {len(starts)}": len(starts) == count,
        "both nodes to work": len({one["node"] for one in starts}) == len(nodes),
    }
    return [*checks.done_once(cluster, ids), *checks.invariants(cluster), *checks.unmet(told)]


def test_all_are_done_and_none_twice(clusters: Clusters) -> None:
    counts = {"postgresql": MANY, "redis": MANY, "sqlite": ON_A_FILE}
    fault = "claims-as-if-alone"
    control = clusters.control(lambda one: shared(one, OF_A_CONTROL, fault), "postgresql")
    runs = {store: partial(shared, clusters.new(store), n) for store, n in counts.items()}
    found = clusters.at_once({**runs, fault: control})
    assert found.keys() == {fault}, found
