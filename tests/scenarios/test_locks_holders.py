"""S28, S30, S31: who holds a lock, for how long, and what it learns when it does not any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeAlias

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, TaskStatus
from advanced_scheduler.locks import DistributedTaskLock
from tests.scenarios import breaks, checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import Cluster, NodeProcess
from tests.scenarios.lock_checks import (
    disjoint,
    fences_increase,
    intervals,
    out_of_range,
    watched,
)
from tests.scenarios.lock_tasks import LOCK_TIMEOUT, PATH
from tests.support.servers import RedisServer

NewCluster: TypeAlias = Callable[[], Cluster]

BODY = 10.0  # seconds: five times the time-out of the lock
SLACK = 1.0  # seconds that a busy machine may add
STEADY = {"lease_seconds": 30.0}  # so that a pause costs the lock and not the execution


@pytest.fixture
def locked(clusters: Clusters, private_redis: RedisServer) -> NewCluster:
    return lambda: clusters.locked(private_redis.url)


def nodes_of(cluster: Cluster, broken: str | None, **settings: float) -> dict[str, NodeProcess]:
    return cluster.team("a", "b", broken=broken, tasks=PATH, settings=settings)


def held_by(cluster: Cluster, execution_id: str, nodes: dict[str, NodeProcess]) -> NodeProcess:
    first = cluster.until(lambda: cluster.starts(execution_id))[0]
    return nodes[first["node"].partition(":")[0]]


# --- S28 ----------------------------------------------------------------------------------


def longer_than_its_lock(
    cluster: Cluster, seconds: float = BODY, broken: str | None = None
) -> list[str]:
    nodes_of(cluster, broken)
    scheduler = cluster.scheduler(PATH)
    with watched(scheduler.lock_manager, "occupy") as watch:
        long = scheduler.schedule_task("occupy", seconds)
        cluster.until(lambda: cluster.starts(long))
        rival = scheduler.schedule_task("occupy", 0.1)
        cluster.until_ended(timeout=seconds + 10)
    held = {one.execution: one for one in intervals(cluster, "occupy")}
    wait = held[rival].start - held[long].end
    return [
        *disjoint(cluster, "occupy"),
        *fences_increase(cluster, "occupy"),
        *out_of_range(watch.within(held[long].start, held[long].end), LOCK_TIMEOUT),
        *checks.unmet(
            {f"the rival within 1 s of the end, not {wait:.2f} s": 0 <= wait <= 1 + SLACK}
        ),
        *checks.done_once(cluster, [long, rival]),
        *checks.invariants(cluster),
    ]


def test_a_task_that_outlives_the_timeout_of_its_lock_keeps_it(
    clusters: Clusters, locked: NewCluster
) -> None:
    fault = partial(longer_than_its_lock, seconds=4.0, broken="no-renewal")
    found = clusters.at_once(
        {
            "as it is": partial(longer_than_its_lock, locked()),
            "no-renewal": clusters.tried(fault, locked, sign="I7"),
        }
    )
    assert found.keys() == {"no-renewal"}, found


# --- S30 ----------------------------------------------------------------------------------


def late_release(cluster: Cluster, broken: str | None = None) -> list[str]:
    """The holder sleeps past its lock, wakes when another holds it, and lets go of its own."""
    nodes = nodes_of(cluster, broken, **STEADY)
    scheduler = cluster.scheduler(PATH)
    late = scheduler.schedule_task("inhabit", 60.0)
    holder = held_by(cluster, late, nodes)
    holder.pause()
    successor = scheduler.schedule_task("inhabit", 3.0)
    started = cluster.until(lambda: cluster.starts(successor))[0]
    with watched(scheduler.lock_manager, "inhabit") as watch:
        holder.resume()
        cluster.until_ended(timeout=20)
    end = max((line["at"] for line in cluster.ends(successor)), default=time.time())
    row = cluster.row(late)
    told = {
        "the holder to be told": any(one["execution"] == late for one in cluster.lines("lost")),
        f"its result to be refused, not {row.status}": row.status is TaskStatus.FAILED,
        f"the lost lock as the reason, not {row.error}": "lock" in str(row.error),
    }
    return [
        *out_of_range(watch.within(started["at"], end), LOCK_TIMEOUT),
        *fences_increase(cluster, "inhabit"),
        *checks.unmet(told),
        *checks.done_once(cluster, [successor]),
        *checks.invariants(cluster),
    ]


def test_a_late_release_leaves_the_lock_to_the_successor(
    clusters: Clusters, locked: NewCluster
) -> None:
    fault = partial(late_release, broken="any-token")
    found = clusters.at_once(
        {
            "as it is": partial(late_release, locked()),
            "any-token": clusters.tried(fault, locked, sign="time to live was None"),
        }
    )
    assert found.keys() == {"any-token"}, found


def test_a_holder_is_told_of_a_forced_release_and_fenced(
    clusters: Clusters, locked: NewCluster
) -> None:
    fault = partial(forced_release, task_id="occupy", broken="untold")
    found = clusters.at_once(
        {
            "in a thread": partial(forced_release, locked(), "occupy"),
            "on the loop": partial(forced_release, locked(), "inhabit"),
            "untold": clusters.tried(fault, locked, sign="to be told"),
        }
    )
    assert found.keys() == {"untold"}, found


def forced_release(cluster: Cluster, task_id: str, broken: str | None = None) -> list[str]:
    nodes_of(cluster, broken)
    scheduler = cluster.scheduler(PATH)
    holder = scheduler.schedule_task(task_id, 4.0)
    cluster.until(lambda: cluster.starts(holder))
    rival = scheduler.schedule_task(task_id, 0.1)
    released = time.time()
    assert scheduler.lock_manager.force_release(task_id)
    cluster.until_ended(timeout=20)
    lost = [one["at"] - released for one in cluster.lines("lost") if one["execution"] == holder]
    row = cluster.row(holder)
    told = {
        f"the holder to be told within a renewal, not {lost}": len(lost) == 1
        and lost[0] <= LOCK_TIMEOUT / 3 + SLACK,
        f"its result to be refused, not {row.status}": row.status is TaskStatus.FAILED,
        f"the lost lock as the reason, not {row.error}": "lock" in str(row.error),
    }
    return [
        *checks.unmet(told),
        *fences_increase(cluster, task_id),
        *checks.done_once(cluster, [rival]),
        *checks.invariants(cluster),
    ]


# --- S31 ----------------------------------------------------------------------------------


def crash_of_the_holder(cluster: Cluster, broken: str | None = None) -> list[str]:
    nodes = nodes_of(cluster, broken)
    scheduler = cluster.scheduler(PATH)
    with watched(scheduler.lock_manager, "occupy") as watch:
        victim = scheduler.schedule_task("occupy", 3.5)
        holder = held_by(cluster, victim, nodes)
        cluster.until(lambda: len(cluster.lines("beat")) > 30)  # two renewals, at least
        rival = scheduler.schedule_task("occupy", 0.1)
        holder.kill()
        killed = time.time()
        cluster.until_ended(timeout=20 if broken is None else LOCK_TIMEOUT)
    held = intervals(cluster, "occupy")
    free = next((one.start for one in held if one.start > killed), inf)
    alone = watch.within(killed, killed + LOCK_TIMEOUT / 3)
    ends = [(one.asked + one.ttl, one.answered + one.ttl) for one in alone if one.ttl is not None]
    drift = max((one for one, _ in ends), default=inf) - min((one for _, one in ends), default=0)
    told = {
        f"the lock to be free in time, not after {free - killed:.2f} s": free - killed
        <= LOCK_TIMEOUT + 1 + SLACK,
        f"the time to live to run down by the clock, not to drift {drift} s": drift < 0.05,
    }
    return [
        *disjoint(cluster, "occupy"),
        *fences_increase(cluster, "occupy"),
        *out_of_range(watch.within(held[0].start, killed), LOCK_TIMEOUT),
        *checks.unmet(told),
        *checks.done_once(cluster, [victim, rival]),
        *checks.invariants(cluster),
    ]


def test_the_lock_of_a_killed_holder_runs_out(clusters: Clusters, locked: NewCluster) -> None:
    fault = "added-renewal"
    broken = partial(crash_of_the_holder, broken=fault)
    found = clusters.at_once(
        {
            "as it is": partial(crash_of_the_holder, locked()),
            fault: clusters.tried(broken, locked, sign="time to live was"),
        }
    )
    assert found.keys() == {fault}, found


def renewed_100_times(url: str) -> list[str]:
    locks = DistributedTaskLock(url)
    lock_id = locks.acquire("report", timeout=LOCK_TIMEOUT)
    assert lock_id is not None
    lived = []
    for _ in range(100):
        assert locks.extend("report", lock_id, LOCK_TIMEOUT)
        lived.append(locks.get_lock_ttl("report") or 0.0)
    locks.close()
    return [f"lives {ttl} s" for ttl in lived if not 0 < ttl <= LOCK_TIMEOUT]


def test_a_hundred_renewals_do_not_add_up(private_redis: RedisServer) -> None:
    assert renewed_100_times(private_redis.url) == []


def test_control_renewals_that_add_up_are_seen(
    private_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("added-renewal", monkeypatch.setattr)
    assert renewed_100_times(private_redis.url)


@pytest.mark.parametrize("timeout", [0, -1, -0.5, float("nan")])
def test_a_lock_timeout_that_is_not_above_zero_is_refused(
    timeout: float, private_redis: RedisServer, tmp_path: Path
) -> None:
    scheduler = AdvancedTaskScheduler(private_redis.url, store=f"sqlite:///{tmp_path}/jobs.db")
    with pytest.raises(ValueError, match="lock_timeout"):
        scheduler.register_task(
            TaskDefinition("len", "Len", len, args=([],), require_lock=True, lock_timeout=timeout)
        )
    with pytest.raises(ValueError, match="timeout"):
        scheduler.lock_manager.acquire("len", timeout=timeout)
    assert not scheduler.lock_manager.is_locked("len")
    scheduler.close()
