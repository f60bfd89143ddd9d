"""The same of tasks that run in processes of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    InvalidArguments,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskContext,
    TaskPriority,
)

from .kit import add_task, row_of, scheduler

LONG_AFTER = datetime(2999, 1, 1, tzinfo=UTC)


def child(a: int, b: int = 1) -> int:
    return a * b


def talk(context: TaskContext, lines: int) -> None:
    for number in range(lines):
        context.logger.info("line %d", number)
        context.progress(number + 1, lines)


def work_on(context: TaskContext) -> str:
    context.extend(30)
    threading.Event().wait(2.0)
    return "done"


def spawn(context: TaskContext) -> list[str]:
    options = ScheduleOptions(tags=["t"], priority=TaskPriority.LOW, at=LONG_AFTER)
    made = [context.spawn("child", 2, b=3), context.spawn("child", 5, options=options)]
    if context.attempt == 1:
        raise ValueError("no")
    return made


def refused(context: TaskContext) -> list[str]:
    said = []
    calls: list[Any] = [
        lambda: context.spawn(child, 1),
        lambda: context.spawn("child", object()),
        lambda: context.spawn("child", options=ScheduleOptions(connection=5)),
        lambda: context.spawn("nobody"),
    ]
    for call in calls:
        try:
            call()
        except InvalidArguments as error:
            said.append(str(error))
        except ValueError as error:
            said.append(f"{type(error).__name__} {error}")
    return said


@pytest.fixture(scope="module")
def target() -> Iterator[AdvancedTaskScheduler]:
    """A scheduler that runs."""
    made = scheduler()
    retry = RetryConfig(strategy=RetryStrategy.FIXED, max_attempts=1, initial_delay=0, jitter=False)
    add_task(made, child, "child")
    add_task(made, talk, "talk", executor="process")
    add_task(made, work_on, "work_on", executor="process", timeout=1.5)
    add_task(made, spawn, "spawn", executor="process", retry_config=retry)
    add_task(made, refused, "refused", executor="process")
    with made.running():
        yield made


def test_a_process_tells_its_progress_and_keeps_a_log(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("talk", 500)
    assert target.result(one, 20) is None
    notes = target.get_notes(one)
    assert notes.progress is not None
    assert (notes.progress.done, notes.progress.total) == (500, 500)
    assert [line.number for line in notes.lines] == list(range(301, 501))
    assert notes.lines[-1].text == "line 499"


def test_a_process_gets_more_time(target: AdvancedTaskScheduler) -> None:
    assert target.result(target.schedule_task("work_on"), 20) == "done"


def test_a_process_spawns_each_child_once(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("spawn", options=ScheduleOptions(workflow_id="night"))
    first, second = target.result(one, 20)
    assert target.result(first, 20) == 6
    later = row_of(target, second)
    assert (later.priority, later.tags, later.workflow_id) == (TaskPriority.LOW, ("t",), "night")
    assert later.extras["parent"] == one
    assert len(target.executions(task_id="child")) == 2


def test_a_process_is_told_what_cannot_be(target: AdvancedTaskScheduler) -> None:
    said = target.result(target.schedule_task("refused"), 20)
    assert [one.partition(":")[0] for one in said] == [
        "spawn() in a process takes the id of a task, not a function",
        "spawn() in a process takes plain JSON",
        "spawn() in a process takes no connection",
        "TaskNotRegistered task 'nobody' is not registered; call register_task() first",
    ]
