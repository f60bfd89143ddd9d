"""Runs of workflows are counted once, when the last of their executions has ended."""

from __future__ import annotations

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, TaskDefinition, TaskDependency
from advanced_scheduler.metrics import SchedulerMetrics, runs
from tests.support.waiting import eventually
from tests.unit.metrics.samples import fails, run_due, value, values, works


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.01)


def chain(scheduler: AdvancedTaskScheduler, *functions: object) -> list[str]:
    """Tasks t0, t1, ... each after the one before; answers their ids."""
    names = [f"t{number}" for number in range(len(functions))]
    for number, function in enumerate(functions):
        assert callable(function)
        after = [TaskDependency(names[number - 1], "completion")] if number else []
        task = TaskDefinition(names[number], names[number], function, dependencies=after)
        scheduler.register_task(task)
    return names


@pytest.mark.parametrize(
    ("functions", "outcome"),
    [((works, works), "completed"), ((works, fails), "failed"), ((fails, works), "failed")],
)
def test_a_run_is_counted_under_its_first_task(
    scheduler: AdvancedTaskScheduler,
    metrics: SchedulerMetrics,
    clock: ManualClock,
    functions: tuple[object, ...],
    outcome: str,
) -> None:
    scheduler.schedule_workflow(chain(scheduler, *functions))
    assert value(metrics, "dag_runs_total", dag="t0", outcome=outcome) == 0
    run_due(scheduler)
    clock.advance(seconds=30)
    run_due(scheduler)
    assert eventually(lambda: values(metrics, "dag_runs_total", "outcome")) == {outcome: 1}
    total = value(metrics, "dag_run_duration_seconds_sum", dag="t0", outcome=outcome)
    assert total == 30


def test_a_run_that_goes_on_is_not_counted(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    begun = chain(scheduler, works, works)
    scheduler.schedule_workflow(begun)
    run_due(scheduler)
    scheduler.schedule_workflow(["works"])
    run_due(scheduler)
    run_due(scheduler)
    expected = {"t0": 1, "works": 1}
    assert eventually(lambda: values(metrics, "dag_runs_total", "dag") == expected)


def test_only_who_told_of_the_last_end_counts_the_run(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    other = AdvancedTaskScheduler(store=scheduler.store, clock=scheduler.clock)
    others = SchedulerMetrics(other)
    names = chain(scheduler, works, works)
    chain(other, works, works)
    scheduler.schedule_workflow(names)
    run_due(scheduler)
    run_due(other)
    assert eventually(lambda: values(others, "dag_runs_total", "dag")) == {"t0": 1}
    assert values(metrics, "dag_runs_total", "dag") == {}
    others.close()
    other.close()


def test_a_long_run_is_counted_too(
    scheduler: AdvancedTaskScheduler,
    metrics: SchedulerMetrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_PAGE", 2)
    scheduler.schedule_workflow(chain(scheduler, works, works, works))
    for _ in range(3):
        run_due(scheduler)
    assert eventually(lambda: values(metrics, "dag_runs_total", "outcome")) == {"completed": 1}
