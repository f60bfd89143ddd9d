"""Arguments that are the results of other executions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, result_of
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.doctor import diagnose
from advanced_scheduler.errors import ExecutionNotFound, InvalidArguments
from advanced_scheduler.models import ScheduleOptions, TaskStatus
from tests.unit.engine.kit import add_task, faulty, row_of, scheduler, status_of
from tests.unit.executors import bodies

COMPLETED, FAILED, SKIPPED = TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.SKIPPED


def day() -> date:
    return date(2030, 1, 1)


def shown(when: date, *more: object, **named: object) -> str:
    return f"{type(when).__name__} {when} {more} {named}"


def fails() -> None:
    raise ValueError("no")


def long() -> str:
    return "x" * 2000


@pytest.fixture
def target(url_of_each: str, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    made = scheduler(url_of_each, clock=clock, result_limit_bytes=1000, auto_migrate=True)
    for function in (day, shown, fails, long):
        add_task(made, function, function.__name__)
    yield made
    made.close()


def run_all(target: AdvancedTaskScheduler) -> None:
    async def main() -> None:
        while await target.run_due():
            pass

    asyncio.run(main())


def test_results_take_the_places_of_arguments_and_fit_their_annotations(
    target: AdvancedTaskScheduler,
) -> None:
    one, other = target.schedule_task("day"), target.schedule_task("day")
    both = target.schedule_task("shown", result_of(one), 5, name=result_of(other))
    row = row_of(target, both)
    assert (row.args, row.kwargs) == ((None, 5), {"name": None})
    assert row.extras == {"inputs": {"0": one, "name": other}}
    assert row.blocked_by == {one, other}
    run_all(target)
    row = row_of(target, both)
    assert row.error is None
    assert row.result.startswith("date 2030-01-01 (5,) {'name': ")


def test_many_calls_and_workflows_take_results_as_well(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("day")
    many = target.schedule_task_many("shown", [[result_of(one)], {"when": result_of(one)}])
    flow = target.schedule_workflow(["shown"], {"shown": {"when": result_of(one)}})
    run_all(target)
    expected = "date 2030-01-01 () {}"
    assert [row_of(target, each).result for each in (*many, flow["shown"])] == [expected] * 3


def test_who_needs_the_result_of_a_failure_is_skipped(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("fails")
    options = ScheduleOptions(after=[one])  # its end would do
    down = target.schedule_task("shown", result_of(one), options=options)
    run_all(target)
    assert status_of(target, down) is SKIPPED
    assert "'fails' failed, but had to succeed" in (row_of(target, down).reason or "")


def test_what_has_ended_is_not_waited_for(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("day")
    run_all(target)
    down = target.schedule_task("shown", result_of(one))
    assert asyncio.run(target.run_due()) == 1
    assert status_of(target, down) is COMPLETED


def test_a_result_that_was_not_kept_is_a_clear_failure(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("long")
    down = target.schedule_task("shown", result_of(one))
    run_all(target)
    row = row_of(target, down)
    assert row.status is FAILED
    assert f"argument '0' is the result of execution {one}, which was not kept: 2,000" in (
        row.error or ""
    )


def test_a_result_that_is_trimmed_before_the_start_is_a_clear_failure(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    one = target.schedule_task("day")
    down = target.schedule_task("shown", result_of(one), options=ScheduleOptions(delay=60))
    run_all(target)
    assert target.clear_history() == 1
    clock.advance(seconds=60)
    run_all(target)
    assert "which is gone from the history" in (row_of(target, down).error or "")


@pytest.mark.parametrize(("result", "fits"), [(3, True), ("3", False), (True, False), ([], False)])
def test_a_result_for_a_plain_parameter_is_checked_by_a_durable_store(
    target: AdvancedTaskScheduler, result: object, fits: bool
) -> None:
    def count(number: int) -> int:
        return number

    add_task(target, lambda: result, "made")
    add_task(target, count, "count")
    down = target.schedule_task("count", result_of(target.schedule_task("made")))
    run_all(target)
    row = row_of(target, down)
    fits = fits or not target.store.durable
    assert row.status is (COMPLETED if fits else FAILED)
    if not fits:
        expected = f"does not fit its annotation int: it is {type(result).__name__} {result!r}"
        assert "InvalidArguments: the stored argument 'number'" in (row.error or "")
        assert (row.error or "").endswith(expected)


def test_a_result_of_another_type_than_the_parameter_is_refused_by_a_durable_store(
    tmp_path: Path, clock: ManualClock
) -> None:
    target = scheduler(f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    add_task(target, shown, "shown")
    add_task(target, long, "long")
    down = target.schedule_task("shown", result_of(target.schedule_task("long")))
    run_all(target)
    assert "'when' of task function" in (row_of(target, down).error or "")
    target.close()


def test_a_process_gets_results_too(clock: ManualClock) -> None:
    target = scheduler(clock=clock)
    add_task(target, bodies.add, executor="process")
    one = target.schedule_task("job", 1)
    down = target.schedule_task("job", result_of(one), b=result_of(one))
    run_all(target)
    assert row_of(target, down).result == 2
    target.close()


def test_an_execution_that_does_not_exist_is_refused_before_anything_is_stored(
    target: AdvancedTaskScheduler,
) -> None:
    one = target.schedule_task("day")
    for unknown in ("gone", "\ud800"):
        calls = [[result_of(one)], [result_of(unknown)]]
        with pytest.raises((ExecutionNotFound, InvalidArguments), match="result_of"):
            target.schedule_task_many("shown", calls)
    with pytest.raises(InvalidArguments, match=r"result_of\(5\) does not name an execution"):
        target.schedule_task("shown", result_of(5))  # type: ignore[arg-type]
    assert target.task_queue.size() == 1


def itself() -> list[Any]:
    """A list that it is an item of."""
    items: list[Any] = [{"n": result_of("id")}]
    items.insert(0, items)
    return items


@pytest.mark.parametrize(
    "value", [[result_of("id")], {"a": (1, [result_of("id")])}, {result_of("id")}, itself()]
)
def test_a_result_deeper_in_an_argument_is_refused(
    target: AdvancedTaskScheduler, value: object
) -> None:
    with pytest.raises(InvalidArguments, match=r"argument 1 of task 'shown' holds result_of\('id"):
        target.schedule_task("shown", day(), value)
    with pytest.raises(InvalidArguments, match="must be an argument of its own"):
        target.schedule_task("shown", day(), name=value)


def test_definitions_and_schedules_cannot_ask_for_results(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("day")
    target.register_task(TaskDefinition("own", "Own", shown, args=(result_of(one),)))
    with pytest.raises(InvalidArguments, match="not a part of another value, of a definition"):
        target.schedule_task("own")
    with pytest.raises(InvalidArguments, match="argument '0' cannot be a result"):
        target.schedule_task("shown", day(), **{"0": result_of(one)})


def test_the_doctor_knows_that_nobody_knows_them_yet(tmp_path: Path, clock: ManualClock) -> None:
    target = scheduler(f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    for function in (day, shown):
        add_task(target, function, function.__name__)
    target.schedule_task("shown", result_of(target.schedule_task("day")))
    definitions = list(target.task_definitions.values())
    assert diagnose(target.store, definitions, clock=clock).findings == ()
    target.close()


async def test_a_store_that_is_away_costs_no_attempt(clock: ManualClock) -> None:
    store = faulty()
    target = scheduler(store.face, clock=clock)
    for function in (day, shown):
        add_task(target, function, function.__name__)
    one = target.schedule_task("day")
    await target.run_due()
    down = target.schedule_task("shown", result_of(one))
    store.fail("get")
    await target.run_due()
    row = row_of(target, down)
    assert (row.status, row.attempt) == (TaskStatus.PENDING, 0)
    assert (row.reason or "").startswith("waits for its arguments: ")
    clock.advance(seconds=5)
    await target.run_due()
    assert status_of(target, down) is COMPLETED
    target.close()
