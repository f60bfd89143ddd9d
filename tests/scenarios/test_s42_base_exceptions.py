"""S42: what is no ``Exception`` fails one execution, and no more than that."""

from __future__ import annotations

from advanced_scheduler import TaskStatus
from tests.scenarios import checks
from tests.scenarios.harness import PATIENT, Cluster

HOW = ("thread", "process", "async")
WHAT = ("SystemExit", "KeyboardInterrupt", "GeneratorExit")


def raised_by_bodies(cluster: Cluster, broken: str | None = None) -> list[str]:
    node = cluster.node(
        "a", broken=broken, tasks="tests.scenarios.tasks:register_raising", settings=PATIENT
    )
    scheduler = cluster.scheduler("tests.scenarios.tasks:register_raising")
    ids = {(how, what): scheduler.schedule_task(how, what) for how in HOW for what in WHAT}
    cluster.until_ended(timeout=30 if broken is None else 5)
    after = scheduler.schedule_task("note", "still here")
    cluster.until_ended(timeout=20 if broken is None else 2)
    rows = cluster.rows()
    told = {
        f"{how}: {what} to fail the execution, which is {rows[one].status} ({rows[one].error})": (
            rows[one].status is TaskStatus.FAILED and str(rows[one].error).startswith(what)
        )
        for (how, what), one in ids.items()
    }
    return [
        *checks.done_once(cluster, [after]),
        *checks.invariants(cluster),
        *checks.unmet({"the node to be alive": node.alive, **told}),
    ]


def test_it_fails_the_execution_and_the_node_goes_on(cluster: Cluster) -> None:
    assert raised_by_bodies(cluster) == []


def test_control_a_node_that_catches_only_exceptions_does_not(cluster: Cluster) -> None:
    assert raised_by_bodies(cluster, "exceptions-only")
