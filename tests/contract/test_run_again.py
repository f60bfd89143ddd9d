"""What two people, or two nodes, run again at the same time runs once, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    CronTrigger,
    Settings,
    TaskDependency,
    TaskStatus,
)
from advanced_scheduler.models import Record, RecordKind, TaskExecution
from advanced_scheduler.stores import open_store
from tests.support.definitions import define

from .rows import NOW

T = TypeVar("T")
CALLERS = 4


def fail() -> None:
    raise ValueError("no")


def work() -> str:
    return "done"


@pytest.fixture
def nodes(url_of_each: str) -> Iterator[list[AdvancedTaskScheduler]]:
    """Schedulers on one store, none of which runs by itself."""
    url = url_of_each
    shared = open_store(url) if url == "memory://" else url
    made = [
        AdvancedTaskScheduler(store=shared, settings=Settings(auto_migrate=True))
        for _ in range(CALLERS)
    ]
    for one in made:
        one.register_task(define(work, task_id="first"))
        after = [TaskDependency("first")]
        one.register_task(define(fail, task_id="second", dependencies=after))
        after = [TaskDependency("second", "success")]
        one.register_task(define(work, task_id="third", dependencies=after))
    yield made
    for one in made:
        one.close()


def ran(target: AdvancedTaskScheduler) -> dict[str, str]:
    """A workflow run of which the first task completed and the second failed."""
    made = target.schedule_workflow(["first", "second", "third"])
    for _ in range(3):
        asyncio.run(target.run_due())
    return made


def at_once(
    nodes: list[AdvancedTaskScheduler], ask: Callable[[AdvancedTaskScheduler], T]
) -> list[T]:
    """What each node answers, asked at the same moment."""
    ready = Barrier(len(nodes))

    def call(node: AdvancedTaskScheduler) -> T:
        ready.wait(10)
        return ask(node)

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(call, nodes))


def all_of(target: AdvancedTaskScheduler, task_id: str) -> list[TaskExecution]:
    return target.executions(task_id=task_id)


def test_an_execution_that_many_run_again_runs_once(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    old = ran(nodes[0])["second"]
    ids = at_once(nodes, lambda node: node.retry_execution(old))
    assert len(set(ids)) == 1
    assert [row.execution_id for row in all_of(nodes[0], "second")] == [ids[0], old]
    asyncio.run(nodes[1].run_due())
    assert nodes[0].retry_execution(old) not in (ids[0], old)  # that one has ended: once more


def test_a_workflow_that_many_run_again_runs_once(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    run = all_of_workflow(nodes[0], ran(nodes[0]))

    def again(node: AdvancedTaskScheduler) -> dict[str, str]:
        try:
            return node.retry_workflow(run)
        except ValueError:  # it has begun already
            return {}

    answers = [one for one in at_once(nodes, again) if one]
    assert all(one == answers[0] for one in answers)
    assert answers[0].keys() == {"second", "third"}
    assert [len(all_of(nodes[0], one)) for one in ("first", "second", "third")] == [1, 2, 2]


def all_of_workflow(target: AdvancedTaskScheduler, made: dict[str, str]) -> str:
    row = target.get_execution(made["first"])
    assert row is not None
    assert row.workflow_id is not None
    return row.workflow_id


def test_an_instant_of_the_past_that_many_backfill_runs_once(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    schedule = nodes[0].create_schedule("first", CronTrigger("0 * * * *"))
    past = nodes[0].clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    instants = [past, past + timedelta(hours=1)]
    answers = at_once(nodes, lambda node: node.backfill_schedule(schedule, instants))
    assert all(one == answers[0] for one in answers)
    asyncio.run(nodes[1].run_due())
    assert nodes[2].backfill_schedule(schedule, instants) == answers[0]  # they have ended
    assert len(all_of(nodes[0], "first")) == 2
    (forced,) = nodes[3].backfill_schedule(schedule, [past], force=True)
    assert forced not in answers[0]
    told = nodes[0].explain(schedule, past)
    assert (told.execution_id, told.status) == (answers[0][0], TaskStatus.COMPLETED)
    assert told.reason.endswith(f"; backfilled: execution {answers[0][0]} completed")


def test_a_backfilled_execution_is_one_of_now(nodes: list[AdvancedTaskScheduler]) -> None:
    """In lists, for what waits for the next run of a task, and for how long it has waited."""
    schedule, now = (
        nodes[0].create_schedule("first", CronTrigger("0 * * * *")),
        nodes[0].clock.now(),
    )
    before = nodes[1].schedule_task("first")
    past = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=40)
    (made,) = nodes[1].backfill_schedule(schedule, [past])
    row = nodes[0].get_execution(made)
    assert row is not None
    assert (row.scheduled_time, row.due >= now, made > before) == (past, True, True)


def test_a_schedule_that_is_made_again_has_none_of_the_backfills_of_the_one_before(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    def made() -> list[str]:
        nodes[0].create_schedule("first", CronTrigger("0 * * * *"), schedule_id="hourly")
        return nodes[0].backfill_schedule("hourly", [past])

    past = nodes[0].clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    first = made()
    asyncio.run(nodes[0].run_due())
    assert nodes[1].backfilled("hourly", [past, past - timedelta(hours=1)]) == {past: first[0]}
    nodes[1].remove_schedule("hourly")
    assert made() != first
    assert "backfilled: execution" in nodes[0].explain("hourly", past).reason


def test_whoever_crashed_before_the_new_execution_was_there_has_left_its_id(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    old = ran(nodes[0])["second"]
    planned = old[:-1] + ("0" if old[-1] != "0" else "1")
    plan = Record(kind=RecordKind.AGAIN, record_id=old, written_time=NOW, data={"second": planned})
    nodes[0].store.save_record(plan, new=True)
    assert nodes[1].retry_execution(old) == planned
    assert nodes[2].retry_execution(old) == planned
    assert len(all_of(nodes[0], "second")) == 2


def test_an_upstream_that_completed_and_was_pruned_holds_nobody_up(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    made = ran(nodes[0])
    run = all_of_workflow(nodes[0], made)
    nodes[0].delete_executions([made["first"]])
    new = nodes[1].retry_workflow(run)["second"]
    asyncio.run(nodes[1].run_due())
    row = nodes[0].get_execution(new)
    assert row is not None
    assert (row.status, row.error) == (TaskStatus.FAILED, "ValueError: no")
    assert [one.task_id for one in row.dependencies] == ["first"]


def test_what_was_skipped_for_an_upstream_that_is_gone_is_skipped_again(
    nodes: list[AdvancedTaskScheduler],
) -> None:
    made = ran(nodes[0])
    run = all_of_workflow(nodes[0], made)
    nodes[0].delete_executions([made["second"]])
    new = nodes[1].retry_workflow(run)
    row = nodes[0].get_execution(new["third"])
    assert row is not None
    assert (row.status, row.reason) == (
        TaskStatus.SKIPPED,
        "dependency 'second' is gone from the history",
    )
