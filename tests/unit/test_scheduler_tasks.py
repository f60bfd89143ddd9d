"""What the facade does with calls, options, dependencies and schedules."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import (
    InvalidArguments,
    InvalidTask,
    UnknownDependency,
)
from advanced_scheduler.models import (
    ExecutionFilter,
    ScheduleOptions,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)
from tests.support.definitions import add, nothing
from tests.unit.engine.kit import NOW, add_task, row_of, status_of
from tests.unit.engine.kit import scheduler as make

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001


# --- scheduling -----------------------------------------------------------------------------


def test_an_unknown_task_is_a_value_error_and_a_key_error(target: AdvancedTaskScheduler) -> None:
    for error in (ValueError, KeyError):
        with pytest.raises(error, match="task 'nobody' is not registered"):
            target.schedule_task("nobody")


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"c": 3}), ((1,), {"a": 1})]
)
def test_arguments_that_do_not_fit_are_refused_and_nothing_is_stored(
    args: tuple[Any, ...], kwargs: dict[str, Any], target: AdvancedTaskScheduler
) -> None:
    add_task(target, add)
    with pytest.raises(ValueError, match="task 'job' cannot take these arguments"):
        target.schedule_task("job", *args, **kwargs)
    assert target.task_queue.is_empty()


def test_a_dependency_that_nobody_registered_is_refused(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing, dependencies=[TaskDependency("nobody")])
    with pytest.raises(UnknownDependency, match="the dependency 'nobody' is not registered"):
        target.schedule_task("job")
    assert target.task_queue.is_empty()


def test_the_time_can_be_given_in_two_ways_but_not_twice(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing)
    at = NOW + timedelta(hours=1)
    first = target.schedule_task("job", scheduled_time=at)
    second = target.schedule_task("job", options=ScheduleOptions(at=at))
    assert row_of(target, first).due == row_of(target, second).due == at
    with pytest.raises(InvalidArguments, match="say the same thing"):
        target.schedule_task("job", scheduled_time=at, options=ScheduleOptions(at=at))
    with pytest.raises(InvalidArguments, match="exclude each other"):
        target.schedule_task("job", scheduled_time=at, options=ScheduleOptions(delay=1))


@pytest.mark.parametrize(
    "options",
    [
        {"at": NAIVE}, {"delay": -1}, {"delay": 1, "at": NOW}, {"timeout": 0}, {"priority": 9},
        {"tags": "t"}, {"after": "id"}, {"unique": ""},
    ],
)  # fmt: skip
def test_options_that_cannot_work_are_refused_and_nothing_is_stored(
    options: dict[str, Any], target: AdvancedTaskScheduler
) -> None:
    add_task(target, nothing)
    with pytest.raises(InvalidArguments):
        target.schedule_task("job", options=ScheduleOptions(**options))
    with pytest.raises(InvalidArguments):
        target.schedule_task_many("job", [()], options=ScheduleOptions(**options))
    assert target.task_queue.is_empty()
    assert target.get_health_status()["queue_stats"]["total_queued"] == 0


def test_a_naive_time_is_refused(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing)
    with pytest.raises(ValueError, match="it has no time zone"):
        target.schedule_task("job", scheduled_time=NAIVE)


def test_a_time_in_the_past_is_due_now_however_late(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    add_task(target, nothing)
    one = target.schedule_task("job", scheduled_time=NOW - timedelta(days=400))
    assert asyncio.run(target.run_due()) == 1
    assert status_of(target, one) is TaskStatus.COMPLETED


def test_nothing_runs_before_its_time(target: AdvancedTaskScheduler, clock: ManualClock) -> None:
    add_task(target, nothing)
    target.schedule_task("job", options=ScheduleOptions(delay=60))
    clock.advance(seconds=59.9)
    assert asyncio.run(target.run_due()) == 0
    clock.advance(seconds=0.1)
    assert asyncio.run(target.run_due()) == 1


def test_a_callable_is_a_task_of_its_own_name(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task(add, 1, b=5)
    assert asyncio.run(target.run_due()) == 1
    row = row_of(target, one)
    assert (row.task_id, row.task_name, row.result) == (
        "tests.support.definitions.add", "add", 6,
    )  # fmt: skip


def test_a_function_with_a_parameter_that_is_ours_is_refused(
    target: AdvancedTaskScheduler,
) -> None:
    def mine(options: int) -> None: ...

    with pytest.raises(InvalidTask, match="'options'"):
        target.schedule_task(mine)


def test_many_calls_are_stored_in_order_and_all_or_none(target: AdvancedTaskScheduler) -> None:
    add_task(target, add)
    ids = target.schedule_task_many("job", [(1,), (2, 3), {"a": 4}])
    assert ids == sorted(ids)
    with pytest.raises(InvalidArguments):
        target.schedule_task_many("job", [(1,), ()])
    assert target.task_queue.size() == 3
    assert target.schedule_task_many("job", []) == []
    asyncio.run(target.run_due())
    assert [row_of(target, one).result for one in ids] == [3, 5, 6]


def test_a_unique_key_is_free_again_when_its_holder_has_ended(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, nothing)
    options = ScheduleOptions(unique="nightly")
    first = target.schedule_task("job", options=options)
    assert target.schedule_task("job", options=options) == first
    asyncio.run(target.run_due())
    second = target.schedule_task("job", options=options)
    assert second != first
    target.cancel_task(second)
    assert target.schedule_task("job", options=options) not in (first, second)


def test_a_workflow_runs_in_order_and_each_run_is_bound_to_itself(
    target: AdvancedTaskScheduler,
) -> None:
    seen: list[str] = []
    for task_id, needs in (("load", []), ("clean", ["load"]), ("report", ["clean"])):
        add_task(
            target,
            lambda task_id=task_id: seen.append(task_id),
            task_id,
            dependencies=[TaskDependency(one) for one in needs],
        )
    runs = [target.schedule_workflow(["report", "load", "clean"]) for _ in range(2)]
    for run in runs:
        (row,) = target.store.get([run["report"]])
        assert [one.execution_id for one in row.dependencies] == [run["clean"]]
    for _ in range(4):
        asyncio.run(target.run_due())
    assert sorted(seen) == sorted(["load", "clean", "report"] * 2)
    assert seen.index("load") < seen.index("clean") < seen.index("report")


def test_a_critical_execution_never_waits_behind_others(clock: ManualClock) -> None:
    target = make(clock=clock, limit=1)
    seen: list[int] = []
    add_task(target, seen.append)
    for priority in reversed(TaskPriority):
        target.schedule_task("job", int(priority), options=ScheduleOptions(priority=priority))
    while asyncio.run(target.run_due()):
        pass
    assert seen == sorted(seen)
    assert len(seen) == 5
    target.close()


def test_a_cron_schedule_ticks_and_can_be_removed(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    add_task(target, nothing)
    one = target.schedule_cron_task("job", "0 9 * * 1", timezone="Europe/Berlin")
    assert target.schedule_cron_task("job", "0 9 * * 1", timezone="Europe/Berlin") == one
    clock.set(datetime(2030, 1, 7, 8, tzinfo=UTC))  # a Monday, 9 o'clock in Berlin
    assert asyncio.run(target.run_due()) == 1
    assert [row.schedule_id for row in target.store.find(ExecutionFilter())] == [one]
    assert target.remove_schedule(one)
    assert not target.remove_schedule(one)
    assert target.get_schedules() == []


def test_a_bad_cron_text_names_field_and_token(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing)
    with pytest.raises(ValueError, match="Invalid cron expression") as refusal:
        target.schedule_cron_task("job", "0 25 * * *")
    assert "hour" in str(refusal.value)
    assert "25" in str(refusal.value)
