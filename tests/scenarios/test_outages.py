"""The store hangs, and is stopped and started again: its node backs off, says so, and recovers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from advanced_scheduler import ScheduleOptions
from advanced_scheduler.models import TickOutcome
from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import LEASE, Cluster, NodeProcess, waited
from tests.support.servers import PostgresServer, RedisServer, Server

HANGS = 2 * LEASE  # seconds
STOPPED = 4.0  # seconds
DELAYED = 100
IDLE = 0.4  # of one processor, most of which is the health report ten times a second
BACK = 20.0  # seconds: the longest pause between two attempts is 3 s, and all is to be done then
SECOND = timedelta(seconds=1)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def outage(cluster: Cluster, server: Server, broken: str | None = None) -> list[str]:
    node = cluster.node("a", watched=True, broken=broken)
    scheduler = cluster.scheduler()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * * *")
    soon = datetime.now(UTC) + 2 * SECOND
    scheduler.schedule_task_many(
        "note", [(n,) for n in range(DELAYED)], options=ScheduleOptions(at=soon)
    )
    violations = []
    for begin, end, seconds in (
        (server.pause, server.resume, HANGS),
        (server.stop, server.start, STOPPED),
    ):
        scheduler.schedule_task_many("doze", [(1.5,)] * 5)
        cluster.until(lambda: len(cluster.starts()) > 5)
        violations += one_outage(cluster, node, begin, end, seconds)
    scheduler.remove_schedule(schedule_id)
    ended = cluster.until_ended(timeout=BACK)
    ticks = scheduler.store.ticks(schedule_id, *ALWAYS)
    instants = [tick.instant for tick in ticks]
    fired = {tick.execution_id for tick in ticks if tick.outcome is TickOutcome.FIRED}
    rows = cluster.rows().values()
    told = {
        "all to end": ended,
        "a tick for each second": instants
        == [instants[0] + n * SECOND for n in range(len(instants))],
        "each tick to run once": {r.execution_id for r in rows if r.schedule_id} == fired,
        "no error that nobody has foreseen": "Traceback" not in node.output(),
    }
    return [
        *violations,
        *checks.unmet(told),
        *checks.ended_well(cluster),
        *checks.invariants(cluster),
        *checks.none_after_its_end(cluster),
    ]


def one_outage(
    cluster: Cluster,
    node: NodeProcess,
    begin: Callable[[], object],
    end: Callable[[], object],
    seconds: float,
) -> list[str]:
    """The server is away for so long; what is wrong with how the node takes it."""
    since, used = time.time(), node.cpu_seconds()
    begin()
    time.sleep(seconds)
    used = node.cpu_seconds() - used
    end()
    back = time.time()
    said = waited(lambda: reports(cluster, since, "unhealthy", "degraded"), timeout=10)
    well = waited(lambda: reports(cluster, back, "healthy"), timeout=BACK)
    ticks = waited(lambda: cluster.starts()[-1]["at"] > back, timeout=BACK)
    told = {
        f"no busy loop, unlike {used:.1f} s of work in {seconds} s": used < IDLE * seconds,
        "health to tell of it": said,
        "health to be as before": well,
        "the schedule to go on": ticks,
        f"the node to live\n{node.output()}": node.alive,
    }
    return checks.unmet({f"{end.__name__}: {what}": so for what, so in told.items()})


def reports(cluster: Cluster, since: float, *statuses: str) -> bool:
    """Whether there was a report of health with one of these statuses."""
    lines = [line for line in cluster.lines("health") if line["at"] > since]
    return any(line["status"] in statuses for line in lines)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Makes servers that belong to this test."""
    with ExitStack() as stack:

        def start(store: str) -> Server:
            if store == "postgresql":
                postgres = PostgresServer(persistent=True)
                stack.callback(postgres.remove)
                return postgres.start()
            folder = tmp_path / f"server-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            redis = RedisServer(folder, persistent=True)
            stack.callback(redis.kill)
            return redis.start()

        yield start


def test_nothing_is_lost_and_the_node_recovers_by_itself(
    clusters: Clusters, servers: Callable[[str], Server]
) -> None:
    def on(store: str, broken: str | None = None) -> Callable[[], list[str]]:
        server = servers(store)
        return partial(outage, clusters.on(server), server, broken)

    found = clusters.at_once(
        {"postgresql": on("postgresql"), "redis": on("redis"), "control": on("redis", "no-backoff")}
    )
    assert found.keys() == {"control"}, found
    assert any("no busy loop" in one for one in found["control"])
