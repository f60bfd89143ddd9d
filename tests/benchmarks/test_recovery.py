"""Recovery: how long after ``kill -9`` of a node another one has started all that it ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.measuring import RUNS, limit
from tests.scenarios.harness import LEASE, POLL, Cluster, NodeProcess
from tests.scenarios.tasks import JOURNAL_VARIABLE
from tests.support.servers import fresh_schema

RUNNING = 10


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of the kind that the test is parametrized with."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/jobs.db"
    elif request.param == "redis":
        yield f"{request.getfixturevalue('redis_url')}?prefix=recovery"
    else:
        with fresh_schema(request.getfixturevalue("durable_postgres_url")) as url:
            yield url


@pytest.fixture
def cluster(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, store=store)
    monkeypatch.setenv(JOURNAL_VARIABLE, str(cluster.journal_path))
    try:
        yield cluster
    finally:
        cluster.close()


def started_by(cluster: Cluster, node: NodeProcess) -> list[float]:
    """When this node started executions."""
    return [line["at"] for line in cluster.lines("start") if line["pid"] == node.pid]


@pytest.mark.parametrize("store", ["sqlite", "postgresql", "redis"], indirect=True)
def test_recovery_after_kill(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    """Each run kills the node that took over in the run before."""

    def all_run_on(node: NodeProcess) -> bool:
        return len(started_by(cluster, node)) == RUNNING

    settings = {"max_crashes": RUNS}
    holder = cluster.node("node0", settings=settings)
    cluster.scheduler().schedule_task_many("doze", [(600.0,)] * RUNNING)
    cluster.until(partial(all_run_on, holder))
    took = []
    for run in range(1, RUNS + 1):
        heir = cluster.node(f"node{run}", settings=settings)
        killed = time.time()
        holder.kill()
        cluster.until(partial(all_run_on, heir))
        took.append(max(started_by(cluster, heir)) - killed)
        holder = heir
    store = request.node.callspec.params["store"]
    name = f"{store}, kill -9 until all {RUNNING} run again, worst of {RUNS}"
    limit(name, max(took), "s", LEASE + 2 * POLL)
