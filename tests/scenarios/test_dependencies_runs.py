"""S36 and S38: what becomes of dependents when what they need fails, or is cancelled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Final

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    RetryStrategy,
    TaskDependency,
)
from tests.scenarios import breaks, checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import LEASE, POLL, Cluster, waited
from tests.scenarios.tasks import definition, doze, flaky, nap, note

PATH: Final = f"{__name__}:register"
ATTEMPTS: Final = 3
DELAY: Final = 0.5  # seconds from one attempt to the next
GRACE: Final = LEASE + 2 * POLL  # by then whatever was to start has started


def register(scheduler: AdvancedTaskScheduler) -> None:
    """``parent -> child -> grandchild``, by success; and the same below a sleeper."""
    thrice = RetryConfig(RetryStrategy.FIXED, ATTEMPTS - 1, initial_delay=DELAY, jitter=False)
    scheduler.register_task(
        definition(flaky, task_id="parent", args=(ATTEMPTS,), retry_config=thrice)
    )
    for root in ("parent", "sleeper", "dreamer"):
        for name, needs in (("child", root), ("grandchild", f"{root}.child")):
            scheduler.register_task(
                definition(
                    note, task_id=f"{root}.{name}", dependencies=[TaskDependency(needs, "success")]
                )
            )
    scheduler.register_task(definition(nap, task_id="sleeper", args=(60.0,)))
    scheduler.register_task(definition(doze, task_id="dreamer", args=(60.0,)))


def family(root: str) -> list[str]:
    return [root, f"{root}.child", f"{root}.grandchild"]


def skipped(cluster: Cluster, ids: Mapping[str, str], root: str) -> list[str]:
    """What is wrong with the dependents of a root that has ended without success."""
    wrong = []
    for task_id in family(root)[1:]:
        row = cluster.row(ids[task_id])
        if row.status != "skipped" or repr(root) not in str(row.reason):
            wrong.append(f"{task_id} is {row.status}: {row.reason}")
        wrong += [f"{task_id} started" for _ in cluster.starts(ids[task_id])]
    return wrong


def failing_parent(cluster: Cluster, broken: str | None = None) -> list[str]:
    cluster.node("a", broken=broken, tasks=PATH)
    ids = cluster.scheduler(PATH).schedule_workflow(family("parent"))
    seen: list[str] = []
    while (before := cluster.row(ids["parent"]).status) != "failed":
        below = {cluster.row(ids[one]).status for one in family("parent")[1:]}
        after = cluster.row(ids["parent"]).status
        if before == after and below != {"pending"}:
            seen.append(f"dependents are {below} while the parent is {after}")
        time.sleep(0.02)
    cluster.until_ended(timeout=10 if broken is None else 2)
    attempts = len(cluster.starts(ids["parent"]))
    return [
        *seen[:1],
        *skipped(cluster, ids, "parent"),
        *checks.unmet({f"{ATTEMPTS} attempts, not {attempts}": attempts == ATTEMPTS}),
        *checks.invariants(cluster),
    ]


def test_dependents_wait_for_the_last_attempt_and_are_skipped(cluster: Cluster) -> None:
    assert failing_parent(cluster) == []


def test_control_without_consequences_dependents_wait_for_ever(clusters: Clusters) -> None:
    assert clusters.control(partial(failing_parent, broken="no-cascade"), sign="child is pending")()


def test_control_without_dependencies_they_run_at_once(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-dependencies", monkeypatch.setattr)  # the test's own process schedules
    violations = clusters.control(failing_parent, sign="while the parent is")()
    assert any("child started" in one for one in violations)


def cancelled_running(cluster: Cluster, root: str, broken: str | None = None) -> list[str]:
    """Cancelled while it runs, from another process; then the node is killed and started anew."""
    node = cluster.node("a", broken=broken, tasks=PATH)
    scheduler = cluster.scheduler(PATH)
    ids = scheduler.schedule_workflow(family(root))
    cluster.until(lambda: cluster.starts(ids[root]))
    assert scheduler.cancel_task(ids[root])
    at_once = [cluster.row(ids[one]).status for one in family(root)]
    node.kill()
    cluster.node("b", broken=broken, tasks=PATH)
    time.sleep(GRACE)
    return [
        *checks.unmet({f"all to end at once, not {at_once}": "pending" not in at_once}),
        *skipped(cluster, ids, root),
        *checks.unmet({"no second start": len(cluster.starts()) == 1}),
        *checks.invariants(cluster),
    ]


@pytest.mark.parametrize("root", ["sleeper", "dreamer"])
def test_dependents_of_a_running_task_that_is_cancelled_never_start(
    cluster: Cluster, root: str
) -> None:
    assert cancelled_running(cluster, root) == []


def cancelled_queued(
    cluster: Cluster, broken: str | None = None, *, seconds: float = 3 * POLL
) -> list[str]:
    """Cancelled before any node lives; a second node has so long to start something."""
    scheduler = cluster.scheduler(PATH)
    ids = scheduler.schedule_workflow(family("sleeper"))
    assert scheduler.cancel_task(ids["sleeper"])
    node = cluster.node("a", broken=broken, tasks=PATH)
    time.sleep(POLL)
    node.kill()
    cluster.node("b", broken=broken, tasks=PATH)
    waited(cluster.starts, timeout=seconds)
    return [
        *skipped(cluster, ids, "sleeper"),
        *checks.unmet({"nothing to start": not cluster.starts()}),
        *checks.invariants(cluster),
    ]


def test_dependents_of_a_queued_task_that_is_cancelled_never_start(cluster: Cluster) -> None:
    assert cancelled_queued(cluster) == []


def test_control_without_consequences_dependents_of_a_cancelled_task_are_left(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-cascade", monkeypatch.setattr)  # the test's own process cancels
    assert any("child is pending" in one for one in cancelled_queued(cluster, "no-cascade"))


def test_control_without_dependencies_they_start(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-dependencies", monkeypatch.setattr)  # the test's own process schedules
    assert any("child started" in one for one in cancelled_queued(cluster, seconds=20))
