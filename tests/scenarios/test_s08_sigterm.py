"""S08: SIGTERM while executions are claimed and settled as fast as it goes."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Sequence

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskStatus
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.stores.base import Claim, Exchange, Store
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters, on
from tests.scenarios.harness import PATIENT, Cluster
from tests.scenarios.tasks import definition, note

REPEATS = 4
TASKS = 2_000  # more than the nodes can do before they are stopped
GRACE = 25.0  # seconds: the drain limit, and the end of the process


def stopped_in_a_burst(cluster: Cluster, broken: str | None = None) -> list[str]:
    scheduler = cluster.scheduler()
    ids = scheduler.schedule_task_many("note", [(n,) for n in range(TASKS)])
    left_behind, outputs = [], []
    for number in range(REPEATS):
        node = cluster.node(f"burst-{number}", limit=20, broken=broken, settings=PATIENT)
        time.sleep(random.random() * 0.1)
        node.terminate()
        assert node.wait(GRACE) == 0, node.output()
        left_behind += [one for one in cluster.rows().values() if one.status is TaskStatus.RUNNING]
        outputs.append(node.output())
    cluster.node("last", limit=20, settings=PATIENT)
    cluster.until_ended(timeout=60 if broken is None else 5)
    told = {
        f"no execution to be left RUNNING under a dead owner, not {len(left_behind)}": (
            not left_behind
        ),
        "no node to schedule on a pool that is shut down": not any(
            "cannot schedule new futures" in one for one in outputs
        ),
        "no traceback": not any("Traceback" in one for one in outputs),
        "nothing to be started twice": len(cluster.starts()) == TASKS,
    }
    return [*checks.done_once(cluster, ids), *checks.invariants(cluster), *checks.unmet(told)]


def test_nothing_is_left_under_a_dead_owner(clusters: Clusters) -> None:
    controls = {"stops-dead on sqlite"}
    found = clusters.run(stopped_in_a_burst, *STORES, controls=controls)
    assert found.keys() == controls, found


@on(*STORES)
def test_what_is_claimed_while_the_node_stops_is_given_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, stopping = threading.Event(), threading.Event()
    scheduler = AdvancedTaskScheduler(store=cluster.store_url)
    kind = type(scheduler.store)
    slow = kind.exchange

    def exchange(self: Store, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        answer = slow(self, transitions, claim)
        if answer.claimed:
            claimed.set()
            stopping.wait(20)  # the commit is done, and its answer is still on the way
        return answer

    monkeypatch.setattr(kind, "exchange", exchange)
    scheduler.register_task(definition(note))

    async def main() -> str:
        await scheduler.start()
        execution_id = scheduler.schedule_task("note")
        assert await asyncio.to_thread(claimed.wait, 20)
        stop = asyncio.create_task(scheduler.stop())
        await asyncio.sleep(0.1)
        stopping.set()
        await stop
        return execution_id

    row = cluster.row(asyncio.run(main()))
    scheduler.close()
    assert (row.status, row.attempt, row.fence) == (TaskStatus.PENDING, 0, 1)
    assert cluster.starts() == []
