"""Executions and workflow runs that are run again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ExecutionNotFound,
    InvalidArguments,
    ScheduleOptions,
    TaskDependency,
    TaskNotRegistered,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.engine.again import Again
from advanced_scheduler.engine.ids import ExecutionIds
from advanced_scheduler.models import Record, RecordKind

from .kit import NOW, add_task, row_of, run, scheduler, status_of


@pytest.fixture
def target(url: str) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler that runs when it is told to."""
    with closing(scheduler(url)) as made:
        yield made


def test_it_has_the_arguments_and_options_of_the_old_one(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda a, b: a * b)
    options = ScheduleOptions(
        priority=TaskPriority.HIGH, tags=["night"], queue="mail", rank=3, metadata={"of": "ada"}
    )
    old = target.schedule_task("job", 6, options=options, b=7)
    run(target)
    new = row_of(target, target.retry_execution(old))
    run(target)
    assert (row_of(target, new.execution_id).result, new.priority, new.tags) == (
        42,
        TaskPriority.HIGH,
        ("night",),
    )
    assert (new.queue, new.rank, new.extras["metadata"]) == ("mail", 3, {"of": "ada"})
    assert (new.extras["again"], new.attempt) == (old, 0)
    assert row_of(target, old).status is TaskStatus.COMPLETED


def test_two_tries_of_one_request_are_no_circle(target: AdvancedTaskScheduler) -> None:
    """The other try makes it, and it ends, after this one has looked whether it is there."""
    add_task(target, lambda: None)
    old, new_id = target.schedule_task("job"), ExecutionIds().make(NOW)
    run(target)
    target.retry_execution(old, new_id=new_id)
    run(target)
    again = Again(target._parts, target._parts.intake)
    assert again.execution(row_of(target, old), new_id) == new_id
    assert target.store.records(RecordKind.AGAIN, ids=[new_id]) == []
    assert target.retry_execution(old) not in {old, new_id}


def test_records_in_a_circle_do_not_hold_it_up(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: None)
    old = target.schedule_task("job")
    run(target)
    circle = Record(
        kind=RecordKind.AGAIN, record_id=old, written_time=target.clock.now(), data={"job": old}
    )
    target.store.save_record(circle, new=True)
    new = target.retry_execution(old)
    assert (new != old, target.retry_execution(old)) == (True, new)
    assert run(target) == 1


def test_only_what_has_ended_and_is_known_runs_again(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: None)
    waiting = target.schedule_task("job")
    with pytest.raises(InvalidArguments, match="only one that has ended"):
        target.retry_execution(waiting)
    run(target)
    target.unregister_task("job")
    with pytest.raises(TaskNotRegistered):
        target.retry_execution(waiting)
    with pytest.raises(ExecutionNotFound):
        target.retry_execution("unknown")


def test_a_run_goes_on_from_what_failed(target: AdvancedTaskScheduler) -> None:
    calls: list[str] = []
    good = [False]

    def note(name: str) -> None:
        calls.append(name)
        if name == "b" and not good[0]:
            raise ValueError(name)

    before: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["b"], "d": ["a"]}
    for name, after in before.items():
        dependencies = [TaskDependency(one, "success") for one in after]
        add_task(target, note, name, args=[name], dependencies=dependencies)
    first = target.schedule_workflow(before)
    run(target, 3)
    ends = {task: status_of(target, one) for task, one in first.items()}
    assert ends["b"] is TaskStatus.FAILED
    assert ends["c"] is TaskStatus.SKIPPED
    workflow = row_of(target, first["a"]).workflow_id
    assert workflow is not None
    good[0] = True
    calls.clear()
    again = target.retry_workflow(workflow)
    run(target, 3)
    assert (sorted(again), calls) == (["b", "c"], ["b", "c"])
    assert {status_of(target, one) for one in again.values()} == {TaskStatus.COMPLETED}
    with pytest.raises(InvalidArguments, match="every task of it has completed"):
        target.retry_workflow(workflow)


def test_what_was_only_for_a_failure_is_skipped_again(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: None, "work")
    add_task(target, lambda: None, "mend", dependencies=[TaskDependency("work", "failure")])
    first = target.schedule_workflow(["work", "mend"])
    run(target, 2)
    assert status_of(target, first["mend"]) is TaskStatus.SKIPPED
    workflow = row_of(target, first["work"]).workflow_id
    again = target.retry_workflow(str(workflow))
    run(target, 2)
    assert status_of(target, again["mend"]) is TaskStatus.SKIPPED


def test_a_limit_of_a_dependency_holds_again(target: AdvancedTaskScheduler) -> None:
    def fail() -> None:
        raise ValueError

    add_task(target, fail, "work")
    after = [TaskDependency("work", "success", timeout=60)]
    add_task(target, lambda: None, "then", dependencies=after)
    first = target.schedule_workflow(["work", "then"])
    run(target, 2)
    again = target.retry_workflow(str(row_of(target, first["work"]).workflow_id))
    row = row_of(target, again["then"])
    assert row.wait_until is not None
    assert row.created_time is not None
    assert (row.wait_until - row.created_time).total_seconds() == 60


def test_a_run_that_has_not_ended_or_is_unknown_is_refused(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: None)
    made = target.schedule_workflow(["job"])
    workflow = str(row_of(target, made["job"]).workflow_id)
    with pytest.raises(InvalidArguments, match="has not ended"):
        target.retry_workflow(workflow)
    with pytest.raises(ExecutionNotFound):
        target.retry_workflow("unknown")
