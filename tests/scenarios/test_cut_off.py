"""A node loses its way to the store, and nobody else does: it gives up its work, and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from advanced_scheduler.models import TaskStatus
from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import LEASE, POLL, SLACK, Cluster, waited
from tests.support.proxy import Proxy

NOTICE = 0.5  # seconds between two looks of a node at its leases

Fault = Callable[[Proxy], None]


def cut_off(cluster: Cluster, fault: Fault, broken: str | None = None) -> list[str]:
    with closing(Proxy(cluster.store_url)) as proxy:
        a = cluster.node("a", store=proxy.url, broken=broken)
        scheduler = cluster.scheduler()
        gate = cluster.gate()
        tasks = scheduler.schedule_task_many("cling", [(str(gate),)] * 5)
        cluster.until(lambda: len(cluster.starts()) == len(tasks))
        b = cluster.node("b")
        fault(proxy)
        since = time.time()
        cluster.until(lambda: len(cluster.starts()) == 2 * len(tasks))
        taken = cluster.starts()[-1]["at"] - since
        waited(lambda: len(cluster.lines("let go")) == len(tasks), timeout=3)
        let_go = [line["at"] - since for line in cluster.lines("let go")]
        gate.touch()
        cluster.until_ended(timeout=10)
        ends = [line for line in cluster.ends() if line["pid"] == a.pid]
        proxy.mend()
        b.kill()
        later = scheduler.schedule_task_many("note", [(n,) for n in range(5)])
        back = waited(lambda: done(cluster, later), timeout=20)
    told = {
        f"node a to let go within its lease, not after {let_go} s": len(let_go) == len(tasks)
        and max(let_go) <= LEASE + NOTICE + SLACK,
        f"none of its bodies to come to the end, unlike {len(ends)}": not ends,
        f"node b to take over in time, not after {taken:.1f} s": (
            taken <= LEASE + 2 * POLL + SLACK
        ),
        f"node a to go on once it is back\n{a.output()}": back and a.alive,
    }
    return [*checks.unmet(told), *checks.done_once(cluster), *checks.invariants(cluster)]


def done(cluster: Cluster, ids: list[str]) -> bool:
    return all(cluster.row(one).status is TaskStatus.COMPLETED for one in ids)


def test_it_gives_up_its_work_within_the_lease_and_goes_on_later(clusters: Clusters) -> None:
    ways = {
        f"{store} {fault.__name__}": partial(cut_off, clusters.new(store), fault)
        for store in ("postgresql", "redis")
        for fault in (Proxy.cut, Proxy.mute)
    }
    control = clusters.control(lambda one: cut_off(one, Proxy.cut, "holds-on"), "redis")
    found = clusters.at_once({**ways, "holds-on": control})
    assert found.keys() == {"holds-on"}, found
