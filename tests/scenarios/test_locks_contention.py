"""S32 and S33: what many contenders see of one lock."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import PATIENT, Cluster
from tests.scenarios.lock_checks import disjoint, fences_increase
from tests.scenarios.lock_tasks import PATH
from tests.support.servers import RedisServer

GRANTS = 500
NODES = ("a", "b", "c")
SLOTS = 25  # on each of two nodes: 50 contenders
TASKS = 200
OVERTAKEN = TASKS * 3 // 4
"""The bound of S33: how many that were scheduled later may start before an execution.

A release calls the oldest that this node knows to wait, and every 0.2 s all of them ask again.
"""


def fences_over_a_restart(cluster: Cluster, redis: RedisServer, broken: str | None) -> list[str]:
    """S32: three nodes take one lock 500 times; Redis dies in the middle and forgets all."""
    cluster.redis_url = redis.url
    cluster.team(*NODES, limit=1, broken=broken, tasks=PATH, settings=PATIENT)
    scheduler = cluster.scheduler(PATH)
    shares = [GRANTS // 3, GRANTS // 3, GRANTS - 2 * (GRANTS // 3)]
    scheduler.schedule_task_many("collect", [(redis.url, share) for share in shares])
    cluster.until(lambda: len(cluster.lines("grant")) > GRANTS / 3, timeout=30)
    redis.kill()
    redis.start()
    cluster.until_ended(timeout=30)
    grants = cluster.lines("grant")
    told = {
        f"{GRANTS} grants, not {len(grants)}": len(grants) == GRANTS,
        "grants to all three nodes": len({line["pid"] for line in grants}) == len(NODES),
    }
    fences = [line["granted"] for line in grants]
    return [
        *(
            f"I8: fence {later} after {before}"
            for before, later in pairwise(fences)
            if later <= before
        ),
        *checks.unmet(told),
        *checks.done_once(cluster),
        *checks.invariants(cluster),
    ]


def volatile(tmp_path: Path) -> RedisServer:
    """A Redis that keeps nothing when it dies."""
    folder = tmp_path / "volatile"
    folder.mkdir()
    return RedisServer(folder).start()


def test_fences_grow_over_a_redis_that_forgot_them(cluster: Cluster, tmp_path: Path) -> None:
    redis = volatile(tmp_path)
    try:
        assert fences_over_a_restart(cluster, redis, None) == []
    finally:
        redis.kill()


def test_control_a_counter_begins_anew(clusters: Clusters, tmp_path: Path) -> None:
    redis = volatile(tmp_path)
    broken = partial(fences_over_a_restart, redis=redis, broken="counted-fence")
    try:
        assert clusters.control(broken, sign="I8")()
    finally:
        redis.kill()


def contention(cluster: Cluster, redis: RedisServer, broken: str | None = None) -> list[str]:
    """S33: two nodes with 25 slots each, and 200 executions that want the same lock."""
    cluster.redis_url = redis.url
    scheduler = cluster.scheduler(PATH)
    ids = scheduler.schedule_task_many("touch", [()] * TASKS)
    cluster.team(*NODES[:2], limit=SLOTS, broken=broken, tasks=PATH, settings=PATIENT)
    cluster.until_ended(timeout=60)
    return [
        *disjoint(cluster, "touch"),
        *fences_increase(cluster, "touch"),
        *overtaken(cluster, ids),
        *checks.done_once(cluster),
        *checks.invariants(cluster),
    ]


def overtaken(cluster: Cluster, ids: list[str]) -> list[str]:
    """Nobody lets more than so many pass that were scheduled later."""
    order = [line["execution"] for line in cluster.starts()]
    rank = {execution_id: number for number, execution_id in enumerate(ids)}
    passed = {
        one: sum(rank[other] > rank[one] for other in order[:place])
        for place, one in enumerate(order)
    }
    return [f"{one} let {n} others pass" for one, n in passed.items() if n > OVERTAKEN]


def test_contenders_take_turns_and_all_of_them_finish(
    cluster: Cluster, private_redis: RedisServer
) -> None:
    assert contention(cluster, private_redis) == []


def test_control_without_the_lock_they_overlap(
    clusters: Clusters, private_redis: RedisServer
) -> None:
    broken = partial(contention, redis=private_redis, broken="no-lock")
    assert clusters.control(broken, sign="I7")()


def test_control_a_release_that_calls_the_youngest_starves_the_oldest(
    clusters: Clusters, private_redis: RedisServer
) -> None:
    broken = partial(contention, redis=private_redis, broken="last-come-first")
    assert clusters.control(broken, sign="others pass")()
