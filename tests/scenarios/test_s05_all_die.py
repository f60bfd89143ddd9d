"""S05: every node dies; one that starts later resumes each execution at its own due time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from advanced_scheduler import ScheduleOptions, TaskStatus, TickOutcome
from advanced_scheduler.models import Tick
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import LEASE, SLACK, Cluster

BATCHES, BATCH = 10, 50
SCHEDULES = 10
DELAY = 8.0  # seconds until the first batch of the delayed ones is due
FAR_AHEAD = 60.0  # seconds: no node of a control starts so slowly that what it claims is due
LATE = 3 * SLACK  # seconds: 500 come within two, on three stores at once; what is early counts
EVERY_SECOND = "* * * * * *"
MINUTE = timedelta(minutes=1)


def all_die(cluster: Cluster, broken: str | None = None) -> list[str]:
    first = cluster.node("a", limit=60)
    scheduler = cluster.scheduler()
    gate = cluster.gate()
    running = scheduler.schedule_task_many("linger", [(str(gate),)] * 20)
    crons = [
        scheduler.schedule_cron_task("note", EVERY_SECOND, end_time=datetime.now(UTC) + n * MINUTE)
        for n in range(2, SCHEDULES + 2)
    ]
    cluster.until(lambda: {*running} <= {one["execution"] for one in cluster.starts()})
    delay = DELAY if broken is None else FAR_AHEAD
    due = [datetime.now(UTC) + timedelta(seconds=delay + n / 5) for n in range(BATCHES)]
    delayed = {
        one: at
        for at in due
        for one in scheduler.schedule_task_many(
            "note", [(n,) for n in range(BATCH)], options=ScheduleOptions(at=at)
        )
    }
    failing = scheduler.schedule_task_many("flaky", [(1,)] * 20)
    cluster.until(lambda: all(cluster.row(one).status is TaskStatus.RETRYING for one in failing))
    first.kill()
    gate.touch()
    waiting = {one: cluster.row(one).due for one in failing}
    assert datetime.now(UTC) < min(waiting.values()), "this machine is too slow for the scenario"
    time.sleep(2.5)  # the instants of the schedules that are missed
    cluster.node("b", limit=60, broken=broken)
    back = datetime.now(UTC)
    lost = dict.fromkeys(running, back + timedelta(seconds=LEASE))
    cluster.until(lambda: len(_attempts(cluster, 2)) >= len(failing), timeout=20)
    if broken is None:
        cluster.until(lambda: datetime.now(UTC) > due[-1] + timedelta(seconds=1))
    for one in crons:
        scheduler.remove_schedule(one)
    cluster.until_ended(timeout=30)
    ledgers = {one: ledger(cluster, one) for one in crons}
    return [
        *checks.done_again_only_if_lost(cluster),
        *checks.invariants(cluster),
        *(f"a delayed one was {bad}" for bad in _off(cluster, delayed, 1, early=True)),
        *(f"a retry was {bad}" for bad in _off(cluster, waiting, 2, early=True)),
        *(f"a lost one was {bad}" for bad in _off(cluster, lost, 2, early=False)),
        *(bad for ticks in ledgers.values() for bad in ledger_troubles(ticks, cluster)),
    ]


def _attempts(cluster: Cluster, number: int) -> dict[str, float]:
    """When the attempts of this number began, by execution."""
    return {one["execution"]: one["at"] for one in cluster.starts() if one["attempt"] == number}


def _off(cluster: Cluster, due: dict[str, datetime], attempt: int, *, early: bool) -> list[str]:
    began = _attempts(cluster, attempt)
    late = {one: began.get(one, float("inf")) - at.timestamp() for one, at in due.items()}
    return [
        f"{seconds:.2f} s after its due time"
        for seconds in late.values()
        if seconds > LATE or (early and seconds < -checks.CLOCK_SLACK)
    ]


def ledger(cluster: Cluster, schedule_id: str) -> list[Tick]:
    now = datetime.now(UTC)
    return cluster.store.ticks(schedule_id, now - timedelta(minutes=5), now)


def ledger_troubles(ticks: list[Tick], cluster: Cluster) -> list[str]:
    """Every second has one row, and what it says of an execution is true; I5."""
    rows = cluster.rows()
    instants = [one.instant for one in ticks]
    seconds = [instants[0] + timedelta(seconds=n) for n in range(len(instants))]
    fired = [one.execution_id for one in ticks if one.outcome is TickOutcome.FIRED]
    missed = [one for one in ticks if one.outcome is TickOutcome.COALESCED]
    return checks.unmet(
        {
            "one tick in each second": instants == seconds,
            "one execution for each tick that fired": len({*fired} & rows.keys()) == len(fired),
            "missed instants, each with its reason": bool(missed) and all(o.reason for o in missed),
        }
    )


def test_each_execution_resumes_at_its_own_due_time(clusters: Clusters) -> None:
    controls = {"claims-ahead on sqlite"}
    found = clusters.run(all_die, *STORES, controls=controls, sign="was -")
    assert found.keys() == controls, found
