"""S01: a node is killed in the middle of a task; the other one takes over, and says why."""

from __future__ import annotations

import time

from advanced_scheduler.lifecycle import FINAL
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import LEASE, POLL, SLACK, Cluster

COMMIT = 1.0  # seconds within which the late result of a suspended node would be stored


def kill_in_the_middle(cluster: Cluster, broken: str | None = None) -> list[str]:
    nodes = cluster.team("a", "b", broken=broken)
    scheduler = cluster.scheduler()
    before = scheduler.schedule_task_many("note", [(n,) for n in range(20)])
    cluster.until(cluster.ended)
    gate = cluster.gate()
    victim = scheduler.schedule_task("wait_for", str(gate))
    bystanders = scheduler.schedule_task_many("doze", [(0.1,)] * 5)
    (first,) = cluster.until(lambda: cluster.starts(victim))
    cluster.until(lambda: all(cluster.row(one).status in FINAL for one in bystanders))
    lost = first["node"]
    nodes[lost.partition(":")[0]].kill()
    killed = time.time()
    gate.touch()
    cluster.until_ended(timeout=20 if broken is None else 2 * LEASE)

    status = scheduler.get_task_status(victim)
    assert status is not None
    late = cluster.starts(victim)[-1]["at"] - killed
    told = {
        "attempt 2": status["attempt"] == 2,
        "retry_count 1": status["retry_count"] == 1,
        f"a reason naming {lost}": lost in str(status["reason"]),
        f"a start in time, not after {late:.1f} s": late <= LEASE + 2 * POLL + SLACK,
        "nothing else run again": len(cluster.starts()) == len(before) + len(bystanders) + 2,
    }
    return [
        *checks.done_once(cluster),
        *checks.invariants(cluster),
        *checks.unmet(told),
    ]


def test_the_other_node_takes_over_and_names_the_lost_one(clusters: Clusters) -> None:
    controls = {"no-lease on sqlite"}
    found = clusters.run(kill_in_the_middle, *STORES, controls=controls)
    assert found.keys() == controls, found


def slept_past_its_lease(cluster: Cluster, broken: str | None = None) -> list[str]:
    """The lost node was only suspended, and comes back to commit what it had computed."""
    nodes = cluster.team("a", "b", broken=broken)
    scheduler = cluster.scheduler()
    first_ends, second_ends = cluster.gate("first"), cluster.gate("second")
    victim = scheduler.schedule_task("wait_for", str(first_ends), str(second_ends))
    (first,) = cluster.until(lambda: cluster.starts(victim))
    sleeper = nodes[first["node"].partition(":")[0]]
    sleeper.pause()
    cluster.until(lambda: len(cluster.starts(victim)) == 2)
    first_ends.touch()
    sleeper.resume()
    cluster.until(lambda: cluster.ends(victim))
    time.sleep(COMMIT)
    second_ends.touch()
    opened = time.time()
    cluster.until_ended(timeout=20)
    ended = cluster.row(victim)
    cluster.until(lambda: len(cluster.ends(victim)) == 2)
    cluster.alone(sleeper)
    later = scheduler.schedule_task("note")
    told = {
        "the end to be the one of the second holder": ended.completed_time is not None
        and ended.completed_time.timestamp() >= opened - 0.1,
        "what is final to stay": cluster.row(victim) == ended,
        "the sleeper to say that it was suspended": "was suspended" in sleeper.output(),
        "the sleeper to go on": cluster.until_ended(timeout=20) and bool(cluster.ends(later)),
    }
    return [*checks.invariants(cluster), *checks.unmet(told)]


def test_a_node_that_slept_past_its_lease_commits_nothing_and_goes_on(clusters: Clusters) -> None:
    controls = {"no-fence on sqlite", "no-fence on redis"}
    found = clusters.run(slept_past_its_lease, *STORES, controls=controls)
    assert found.keys() == controls, found
