"""A task can wait for others: for their success, their failure, or just their end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    ScheduleOptions,
    Settings,
    TaskContext,
    TaskDefinition,
    TaskDependency,
)
from advanced_scheduler.models import DependencyType


@pytest.fixture
def scheduler(clock: ManualClock) -> AdvancedTaskScheduler:
    return AdvancedTaskScheduler(clock=clock)


def works() -> int:
    return 7


def fails() -> None:
    raise RuntimeError("boom")


def status_of(scheduler: AdvancedTaskScheduler, execution_id: str) -> dict[str, Any]:
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    return status


def run_until_idle(scheduler: AdvancedTaskScheduler) -> None:
    async def main() -> None:
        while await scheduler.run_due():
            pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("upstream", "dependency_type", "expected"),
    [
        (works, "completion", "completed"),
        (works, "success", "completed"),
        (works, "failure", "skipped"),
        (fails, "completion", "completed"),
        (fails, "success", "skipped"),
        (fails, "failure", "completed"),
    ],
)
def test_the_type_of_a_dependency_says_which_end_counts(
    scheduler: AdvancedTaskScheduler,
    upstream: Any,
    dependency_type: DependencyType,
    expected: str,
) -> None:
    scheduler.register_task(TaskDefinition("up", "Up", upstream))
    scheduler.register_task(
        TaskDefinition("down", "Down", works, dependencies=[TaskDependency("up", dependency_type)])
    )
    scheduler.schedule_task("up")
    down = scheduler.schedule_task("down")
    run_until_idle(scheduler)
    assert status_of(scheduler, down)["status"] == expected


def test_what_is_skipped_names_the_root_of_the_trouble(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(TaskDefinition("a", "A", fails))
    for name, before in (("b", "a"), ("c", "b"), ("d", "c")):
        needs = [TaskDependency(before, "success")]
        scheduler.register_task(TaskDefinition(name, name.upper(), works, dependencies=needs))
    ids = scheduler.schedule_workflow(["d", "c", "b", "a"])
    run_until_idle(scheduler)
    last = status_of(scheduler, ids["d"])
    assert last["status"] == "skipped"
    assert "'a'" in last["reason"]
    assert "boom" in last["reason"]


def test_cancelling_skips_all_that_depends_on_it(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(TaskDefinition("a", "A", works))
    scheduler.register_task(TaskDefinition("b", "B", works, dependencies=[TaskDependency("a")]))
    scheduler.register_task(TaskDefinition("c", "C", works, dependencies=[TaskDependency("b")]))
    ids = scheduler.schedule_workflow(["a", "b", "c"])
    assert scheduler.cancel_task(ids["a"])
    assert status_of(scheduler, ids["b"])["status"] == "skipped"
    assert status_of(scheduler, ids["c"])["status"] == "skipped"


def test_a_dependency_that_never_ran_is_waited_for(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(TaskDefinition("up", "Up", works))
    scheduler.register_task(
        TaskDefinition("down", "Down", works, dependencies=[TaskDependency("up")])
    )
    down = scheduler.schedule_task("down")
    run_until_idle(scheduler)
    assert status_of(scheduler, down)["status"] == "pending"
    scheduler.schedule_task("up")
    run_until_idle(scheduler)
    assert status_of(scheduler, down)["status"] == "completed"


def test_a_wait_can_have_a_limit(scheduler: AdvancedTaskScheduler, clock: ManualClock) -> None:
    scheduler.register_task(TaskDefinition("up", "Up", works))
    needs = [TaskDependency("up", timeout=60)]
    scheduler.register_task(TaskDefinition("down", "Down", works, dependencies=needs))
    down = scheduler.schedule_task("down")
    clock.advance(seconds=61)
    run_until_idle(scheduler)
    late = status_of(scheduler, down)
    assert late["status"] == "skipped"
    assert "60" in late["reason"]


def test_a_dependency_that_nobody_registered_is_refused(scheduler: AdvancedTaskScheduler) -> None:
    needs = [TaskDependency("ghost")]
    scheduler.register_task(TaskDefinition("down", "Down", works, dependencies=needs))
    with pytest.raises(ValueError, match="ghost"):
        scheduler.schedule_task("down")
    assert scheduler.task_queue.is_empty()


def test_a_cycle_is_refused_and_named(scheduler: AdvancedTaskScheduler) -> None:
    scheduler.register_task(TaskDefinition("A", "A", works, dependencies=[TaskDependency("B")]))
    scheduler.register_task(TaskDefinition("B", "B", works, dependencies=[TaskDependency("C")]))
    with pytest.raises(ValueError, match=r"circular dependency.*A -> B -> C -> A"):
        scheduler.register_task(TaskDefinition("C", "C", works, dependencies=[TaskDependency("A")]))
    assert "C" not in scheduler.task_definitions
    assert not scheduler.dependency_graph.has_cycle()


def test_a_task_can_read_the_results_it_waited_for(scheduler: AdvancedTaskScheduler) -> None:
    def total(context: TaskContext) -> int:
        return sum(context.results.values())

    scheduler.register_task(TaskDefinition("seven", "Seven", works))
    needs = [TaskDependency("seven", "success")]
    scheduler.register_task(TaskDefinition("total", "Total", total, dependencies=needs))
    ids = scheduler.schedule_workflow(["seven", "total"])
    run_until_idle(scheduler)
    assert status_of(scheduler, ids["total"])["result"] == 7


def test_one_execution_can_wait_for_others_by_their_ids(scheduler: AdvancedTaskScheduler) -> None:
    first = scheduler.schedule_task(works)
    last = scheduler.schedule_task(fails, options=ScheduleOptions(after=[first]))
    assert status_of(scheduler, last)["status"] == "pending"
    run_until_idle(scheduler)
    assert status_of(scheduler, last)["status"] == "failed"
    with pytest.raises(KeyError, match="no-such-id"):
        scheduler.schedule_task(works, options=ScheduleOptions(after=["no-such-id"]))


def test_a_task_that_others_wait_for_cannot_be_unregistered(
    scheduler: AdvancedTaskScheduler,
) -> None:
    scheduler.register_task(TaskDefinition("a", "A", works))
    scheduler.register_task(TaskDefinition("b", "B", works, dependencies=[TaskDependency("a")]))
    scheduler.schedule_workflow(["a", "b"])
    with pytest.raises(ValueError, match="wait for it"):
        scheduler.unregister_task("a")
    run_until_idle(scheduler)
    scheduler.unregister_task("a")
    assert "a" not in scheduler.task_definitions


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_dependency_that_has_ended_holds_nobody_up(store: str, tmp_path: Path) -> None:
    url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/jobs.db"
    never = Settings(poll_seconds=60)  # so that nothing is found by looking again
    scheduler = AdvancedTaskScheduler(store=url, settings=never)
    scheduler.register_task(TaskDefinition("up", "Up", works))
    needs = [TaskDependency("up", "success")]
    scheduler.register_task(TaskDefinition("down", "Down", works, dependencies=needs))
    with scheduler.running():
        for _ in range(5):
            scheduler.result(scheduler.schedule_task("up"), timeout=20)
            assert scheduler.result(scheduler.schedule_task("down"), timeout=20) == 7
    scheduler.close()
