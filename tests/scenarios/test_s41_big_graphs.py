"""S41: graphs that are deep (a chain of 5,000) and wide (2,000 into one) are no special case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    TaskDefinition,
    TaskDependency,
    TaskInUse,
    TaskStatus,
)
from advanced_scheduler.config import Settings
from advanced_scheduler.models import ExecutionFilter, TaskExecution
from tests.scenarios import breaks

CHAIN = 5_000
FAN = 2_000
Shape = Callable[[AdvancedTaskScheduler, list[str]], list[str]]
PATIENCE = 90.0  # seconds; a chain takes a pass of the dispatcher for each link


@pytest.fixture
def scheduler() -> Iterator[AdvancedTaskScheduler]:
    settings = Settings(history_limit=CHAIN + FAN, poll_seconds=0.2)
    scheduler = AdvancedTaskScheduler(settings=settings)
    yield scheduler
    scheduler.close()


@pytest.fixture
def order() -> list[str]:
    """The tasks in the order in which their bodies ran."""
    return []


def define(scheduler: AdvancedTaskScheduler, order: list[str], name: str, *needs: str) -> None:
    dependencies = [TaskDependency(one, "success") for one in needs]
    scheduler.register_task(
        TaskDefinition(name, name, order.append, args=(name,), dependencies=dependencies)
    )


def chain(scheduler: AdvancedTaskScheduler, order: list[str]) -> list[str]:
    names = [f"link-{number}" for number in range(CHAIN)]
    define(scheduler, order, names[0])
    for before, name in pairwise(names):
        define(scheduler, order, name, before)
    return names


def fan_in(scheduler: AdvancedTaskScheduler, order: list[str]) -> list[str]:
    names = [f"source-{number}" for number in range(FAN)]
    for name in names:
        define(scheduler, order, name)
    define(scheduler, order, "sink", *names)
    return [*names, "sink"]


def rows(scheduler: AdvancedTaskScheduler) -> list[TaskExecution]:
    return scheduler.store.find(ExecutionFilter(limit=CHAIN + FAN))


def not_before_its_needs(scheduler: AdvancedTaskScheduler, order: list[str]) -> list[str]:
    at = {name: place for place, name in enumerate(order)}
    return [
        f"{name} comes before {need}"
        for name in scheduler.task_definitions
        for need in scheduler.dependency_graph.get_dependencies(name)
        if not at.get(need, len(at)) < at.get(name, -1)
    ]


def run_to_the_end(
    scheduler: AdvancedTaskScheduler, names: list[str], order: list[str], patience: float = PATIENCE
) -> list[str]:
    ids = scheduler.schedule_workflow(reversed(names))
    last = ids[names[-1]]
    with scheduler.running():
        scheduler.wait_for_task(last, timeout=patience)
    return [
        *(f"{row.task_id} is {row.status}" for row in rows(scheduler) if row.status != "completed"),
        *([] if len(order) == len(names) else [f"{len(order)} of {len(names)} bodies ran"]),
        *not_before_its_needs(scheduler, order),
    ]


@pytest.mark.parametrize("shape", [chain, fan_in])
def test_every_task_runs_after_what_it_needs(
    scheduler: AdvancedTaskScheduler, order: list[str], shape: Shape
) -> None:
    began = time.process_time()  # which does not count what others do on this machine
    names = shape(scheduler, order)
    assert time.process_time() - began < 5
    sorted_names = scheduler.dependency_graph.topological_sort()
    assert not_before_its_needs(scheduler, sorted_names) == []
    assert run_to_the_end(scheduler, names, order) == []


def test_control_without_consequences_the_graph_stands_still(
    scheduler: AdvancedTaskScheduler, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-cascade", monkeypatch.setattr)
    assert run_to_the_end(scheduler, fan_in(scheduler, order), order, patience=3)


def test_control_any_other_order_is_seen(
    scheduler: AdvancedTaskScheduler, order: list[str]
) -> None:
    chain(scheduler, order)
    backwards = scheduler.dependency_graph.topological_sort()[::-1]
    assert len(not_before_its_needs(scheduler, backwards)) == CHAIN - 1


def cancel_the_root(scheduler: AdvancedTaskScheduler, names: list[str]) -> list[str]:
    ids = scheduler.schedule_workflow(names)
    root = ids[names[0]]
    assert scheduler.cancel_task(root)
    return [
        f"{row.task_id} is {row.status}: {row.reason}"
        for row in rows(scheduler)
        if row.execution_id != root
        and (row.status is not TaskStatus.SKIPPED or repr(names[0]) not in str(row.reason))
    ]


def test_cancelling_the_root_skips_the_whole_chain(
    scheduler: AdvancedTaskScheduler, order: list[str]
) -> None:
    assert cancel_the_root(scheduler, chain(scheduler, order)) == []


def test_control_without_consequences_the_chain_waits_for_ever(
    scheduler: AdvancedTaskScheduler, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = chain(scheduler, order)
    breaks.apply("no-cascade", monkeypatch.setattr)
    assert len(cancel_the_root(scheduler, names)) == CHAIN - 1


def test_a_task_with_waiting_dependents_is_not_unregistered(
    scheduler: AdvancedTaskScheduler, order: list[str]
) -> None:
    scheduler.schedule_workflow(fan_in(scheduler, order))
    with pytest.raises(TaskInUse, match="sink"):
        scheduler.unregister_task("source-0")
    assert "source-0" in scheduler.task_definitions
