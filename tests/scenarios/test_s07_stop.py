"""S07: a node that is told to stop ends what runs, or hands it over; and can start again."""

from __future__ import annotations

import asyncio
import threading
from typing import NoReturn

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.stores.sql import SqliteStore
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters, on
from tests.scenarios.harness import PATIENT, Cluster
from tests.scenarios.tasks import definition, doze, note
from tests.support.waiting import eventually, eventually_async

RUNNING, QUEUED = 5, 20
AT_ONCE = 3.0  # seconds, for what is broken: what is well has longer on a busy machine


def drained(cluster: Cluster, broken: str | None = None) -> list[str]:
    a = cluster.node("a", limit=RUNNING, broken=broken, settings=PATIENT)
    gate = cluster.gate()
    ids = cluster.scheduler().schedule_task_many("wait_for", [(str(gate),)] * (RUNNING + QUEUED))
    cluster.until(lambda: len(cluster.starts()) == RUNNING)
    a.terminate()
    (stopping,) = cluster.until(lambda: cluster.lines("stopping"))
    gate.touch()
    code = a.wait()
    b = cluster.node("b", limit=QUEUED, settings=PATIENT)
    (ready,) = (one for one in cluster.lines("ready") if one["pid"] == b.pid)
    cluster.until_ended(timeout=30 if broken is None else AT_ONCE)
    by_a = [one for one in cluster.starts() if one["pid"] == a.pid]
    by_b = [one for one in cluster.starts() if one["pid"] == b.pid]
    told = {
        f"node a to start {RUNNING}, not {len(by_a)}": len(by_a) == RUNNING,
        f"node b to start {QUEUED}, not {len(by_b)}": len(by_b) == QUEUED,
        "no start on node a after the call": all(o["at"] < stopping["at"] + 0.1 for o in by_a),
        "node b to take over at once": all(o["at"] < ready["at"] + 2 * AT_ONCE for o in by_b),
        f"a clean end, not {code}:\n{a.output()}": code == 0,
    }
    return [*checks.done_once(cluster, ids), *checks.invariants(cluster), *checks.unmet(told)]


def test_running_tasks_end_and_queued_ones_stay_for_others(clusters: Clusters) -> None:
    controls = {"claims-to-the-end on sqlite"}
    found = clusters.run(drained, *STORES, controls=controls)
    assert found.keys() == controls, found


def handed_over(cluster: Cluster, broken: str | None = None) -> list[str]:
    a = cluster.node("a", limit=RUNNING, broken=broken, settings=PATIENT)
    gate = cluster.gate()
    ids = cluster.scheduler().schedule_task_many("linger", [(str(gate),)] * RUNNING)
    cluster.until(lambda: len(cluster.starts()) == RUNNING)
    b = cluster.node("b", limit=RUNNING, settings=PATIENT)
    a.terminate(drain=False)
    (stopping,) = cluster.until(lambda: cluster.lines("stopping"))
    code = a.wait()
    gate.touch()
    cluster.until_ended(timeout=20 if broken is None else 2 * AT_ONCE)
    by_b = [one for one in cluster.starts() if one["pid"] == b.pid]
    told = {
        f"node b to start {RUNNING}, not {len(by_b)}": len(by_b) == RUNNING,
        "node b not to wait for the lease": all(
            one["at"] < stopping["at"] + 2 * AT_ONCE for one in by_b
        ),
        "the attempt to be refunded": all(one["attempt"] == 1 for one in by_b),
        "the fence to grow": all(one["fence"] == 2 for one in by_b),
        f"a clean end, not {code}:\n{a.output()}": code == 0,
    }
    return [*checks.done_once(cluster, ids), *checks.every_one_ended(cluster), *checks.unmet(told)]


def test_running_tasks_are_handed_over_without_waiting_for_the_lease(clusters: Clusters) -> None:
    controls = {"gives-nothing-back on sqlite"}
    found = clusters.run(handed_over, *STORES, controls=controls)
    assert found.keys() == controls, found


@on(*STORES)
def test_stopping_twice_and_starting_again_work(cluster: Cluster) -> None:
    scheduler = AdvancedTaskScheduler(store=cluster.store_url)
    scheduler.register_task(definition(note))

    async def main() -> None:
        await scheduler.stop()  # before any start
        for number in range(2):
            await scheduler.start()
            await scheduler.start()
            one = scheduler.schedule_task("note", number)
            assert await asyncio.to_thread(scheduler.result, one, 20) == number
            await asyncio.gather(scheduler.stop(), scheduler.stop(wait=False))
            await scheduler.stop()

    asyncio.run(main())
    scheduler.close()


def test_a_store_that_fails_in_an_unheard_of_way_cannot_keep_a_node_alive(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = AdvancedTaskScheduler(store=cluster.store_url)
    scheduler.register_task(definition(note))
    scheduler.register_task(definition(doze))

    def refuse(*_: object) -> NoReturn:
        raise RuntimeError("nobody has ever seen this")

    async def main() -> None:
        await scheduler.start()
        one = scheduler.schedule_task("doze", 0.2)
        await eventually_async(lambda: cluster.starts(one), what="the task to start")
        with monkeypatch.context() as patch:
            patch.setattr(SqliteStore, "exchange", refuse)
            await scheduler.stop()
        await scheduler.start()
        one = scheduler.schedule_task("note", 7)
        assert await asyncio.to_thread(scheduler.result, one, 20) == 7
        await scheduler.stop()

    threads = threading.active_count()
    asyncio.run(main())
    scheduler.close()
    eventually(lambda: threading.active_count() <= threads, what="all threads of the nodes end")
