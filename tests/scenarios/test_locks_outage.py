"""S25, and a Redis that hangs: locked tasks wait and say so, and nothing else notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import median

from advanced_scheduler import AdvancedTaskScheduler
from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import PATIENT, POLL, Cluster, waited
from tests.scenarios.lock_tasks import LOCK_TIMEOUT, LONELY, PATH
from tests.support.servers import RedisServer

DEADLINE = 1.0  # seconds of one command to Redis: the 3 s of the default, scaled
SLACK = 2.0  # seconds that a busy machine may add


def tells_of_locks(cluster: Cluster) -> bool:
    """Whether the last health report is degraded, by the locks."""
    last = cluster.lines("health")[-1]
    return last["status"] == "degraded" and "lock" in str(last["reasons"]).lower()


def turns(cluster: Cluster, status: str, since: float) -> Callable[[], bool]:
    """Whether a health report after the moment ``since`` has this status."""

    def turned() -> bool:
        reports = [line for line in cluster.lines("health") if line["at"] > since]
        return bool(reports) and reports[-1]["status"] == status

    return turned


def longest_silence(cluster: Cluster) -> float:
    """Seconds between two health reports of the node."""
    at = [line["at"] for line in cluster.lines("health")]
    return max((later - earlier for earlier, later in pairwise(at)), default=inf)


def delays(cluster: Cluster, ids: list[str]) -> list[float]:
    """Seconds from the scheduled time to the first start line; endless without one."""
    starts = {line["execution"]: line["at"] for line in reversed(cluster.starts())}
    rows = cluster.rows()
    return [starts.get(one, inf) - rows[one].scheduled_time.timestamp() for one in ids]


def waits(cluster: Cluster, execution_id: str) -> bool:
    """Whether an execution waits for the lock server; for a moment at a time it asks instead."""
    row = cluster.row(execution_id)
    return (row.status, row.attempt) == ("pending", 0) and "lock server" in str(row.reason)


def down(cluster: Cluster, redis: RedisServer, broken: str | None = None) -> list[str]:
    """S25: Redis is down when the tasks are scheduled, and comes back later."""
    redis.kill()
    cluster.redis_url = redis.url
    cluster.node("a", broken=broken, tasks=PATH, watched=True, settings=PATIENT)
    scheduler = cluster.scheduler(PATH)
    locked = scheduler.schedule_task_many("touch", [()] * 5)
    free = scheduler.schedule_task_many("note", [()] * 10)
    cluster.until(lambda: len(cluster.ends()) >= len(free))
    waited(lambda: all(cluster.row(one).fence >= 2 for one in locked), timeout=3)
    known = waited(partial(tells_of_locks, cluster), timeout=5)
    told = {
        "no locked body to run": not any(cluster.starts(one) for one in locked),
        "each to wait, with the reason and no attempt burnt": all(
            waited(partial(waits, cluster, one), timeout=5) for one in locked
        ),
        "health to be degraded, by the locks": known,
        "free tasks to start at once": max(delays(cluster, free)) <= POLL + SLACK,
    }
    back = time.time()
    redis.start()
    cluster.until_ended(timeout=20)
    told["health to be as before"] = waited(turns(cluster, "healthy", back), timeout=10)
    return [*checks.unmet(told), *checks.done_once(cluster), *checks.invariants(cluster)]


def test_without_redis_a_locked_task_waits_and_says_why(
    cluster: Cluster, private_redis: RedisServer
) -> None:
    assert down(cluster, private_redis) == []


def test_control_a_task_that_forgets_its_lock_runs(
    clusters: Clusters, private_redis: RedisServer
) -> None:
    broken = partial(down, redis=private_redis, broken="no-lock")
    assert clusters.control(broken, sign="no locked body")()


def hung(cluster: Cluster, redis: RedisServer, broken: str | None = None) -> list[str]:
    """Redis takes connections and answers nobody; many tasks want their locks from it."""
    cluster.redis_url = redis.url
    settings = {**PATIENT, "lock_wait_seconds": DEADLINE}
    cluster.node("a", broken=broken, tasks=PATH, watched=True, settings=settings)
    scheduler = cluster.scheduler(PATH)
    redis.pause()
    since = time.time()
    locked = [scheduler.schedule_task(f"lonely-{number}") for number in range(LONELY)]
    cluster.until(lambda: any(cluster.row(one).fence for one in locked))
    free = trickle(scheduler, seconds=4 * DEADLINE)
    waited(lambda: max(delays(cluster, free)) < inf, timeout=DEADLINE + SLACK)
    early = delays(cluster, free)
    told = {
        "no locked body to run": not any(cluster.starts(one) for one in locked),
        f"free tasks within the deadline, not {max(early):.1f} s": max(early) <= DEADLINE + SLACK,
        f"free tasks at once when the outage is known, not {early}": median(
            early[len(early) // 2 :]
        )
        <= POLL + DEADLINE / 2,
        f"health without a silence of {longest_silence(cluster):.1f} s": longest_silence(cluster)
        <= DEADLINE + SLACK,
        "health to be degraded": waited(turns(cluster, "degraded", since), timeout=5),
    }
    redis.resume()
    cluster.until_ended(timeout=20)
    return [*checks.unmet(told), *checks.done_once(cluster), *checks.invariants(cluster)]


def trickle(scheduler: AdvancedTaskScheduler, seconds: float) -> list[str]:
    """A free task every 0.1 s."""
    ids = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ids.append(scheduler.schedule_task("note"))
        time.sleep(0.1)
    return ids


def test_a_redis_that_hangs_holds_up_nothing_but_locked_tasks(
    cluster: Cluster, private_redis: RedisServer
) -> None:
    assert hung(cluster, private_redis) == []


def test_control_locked_tasks_that_keep_asking_hold_up_the_others(
    clusters: Clusters, tmp_path: Path
) -> None:
    faults = ("no-deadline", "all-ask")
    servers = {fault: RedisServer(folder(tmp_path / f"redis-of-{fault}")) for fault in faults}
    try:
        found = clusters.at_once(
            {
                fault: clusters.control(
                    partial(hung, redis=server.start(), broken=fault), sign="free tasks"
                )
                for fault, server in servers.items()
            }
        )
    finally:
        for server in servers.values():
            server.kill()
    assert found.keys() == {*faults}, found


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def ends_in_silence(cluster: Cluster, redis: RedisServer, broken: str | None = None) -> list[str]:
    """Redis hangs when the body ends, and no longer than the lock lives."""
    cluster.redis_url = redis.url
    cluster.node("a", broken=broken, tasks=PATH, settings=PATIENT)
    gate = cluster.gate()
    execution_id = cluster.scheduler(PATH).schedule_task("guarded", str(gate))
    cluster.until(lambda: cluster.starts(execution_id))
    redis.pause()
    gate.touch()
    cluster.until(lambda: cluster.ends(execution_id))
    cluster.until_ended(timeout=LOCK_TIMEOUT)
    redis.resume()
    cluster.until_ended(timeout=20)
    return [*checks.done_once(cluster), *checks.invariants(cluster)]


def test_work_that_ends_while_redis_hangs_counts_if_its_lock_lives(
    cluster: Cluster, private_redis: RedisServer
) -> None:
    assert ends_in_silence(cluster, private_redis) == []


def test_control_work_is_thrown_away_if_only_an_answer_counts(
    clusters: Clusters, private_redis: RedisServer
) -> None:
    broken = partial(ends_in_silence, redis=private_redis, broken="answers-only")
    assert clusters.control(broken, sign="failed")()
