"""What a task can ask of the engine while it runs: progress, a log, more time, more work."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    Event,
    EventType,
    InvalidArguments,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    SchedulerStateError,
    TaskContext,
    TaskStatus,
    current_execution,
)
from advanced_scheduler.context import TaskContext as Context
from advanced_scheduler.models import OF_EXECUTION, Record, RecordKind
from tests.support.waiting import eventually

from .kit import NOW, add_task, execution, row_of, run, scheduler, status_of

AGAIN = RetryConfig(strategy=RetryStrategy.FIXED, max_attempts=2, initial_delay=0, jitter=False)


@pytest.fixture
def target(url: str) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler that runs when it is told to."""
    with closing(scheduler(url)) as made:
        yield made


# --- progress and the log -------------------------------------------------------------------------


def test_the_log_is_there_with_the_end(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> None:
        context.logger.info("read %d rows", 5)
        context.logger.debug("not kept")
        context.logger.warning("slow", extra={"of": "mine"})

    add_task(target, work)
    one = target.schedule_task("job")
    run(target)
    lines = target.get_notes(one).lines
    assert [(line.number, line.level, line.attempt, line.text) for line in lines] == [
        (1, "INFO", 1, "read 5 rows"),
        (2, "WARNING", 1, "slow"),
    ]


def test_a_log_goes_on_with_the_next_attempt(target: AdvancedTaskScheduler) -> None:
    async def work() -> None:
        context = current_execution()
        context.logger.info("attempt %d", context.attempt)
        if context.attempt < 3:
            raise ValueError("no")

    add_task(target, work, retry_config=AGAIN)
    one = target.schedule_task("job")
    run(target, 3)
    lines = target.get_notes(one).lines
    assert [(line.number, line.attempt, line.text) for line in lines] == [
        (1, 1, "attempt 1"),
        (2, 2, "attempt 2"),
        (3, 3, "attempt 3"),
    ]


def test_an_exception_is_logged_with_its_traceback(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> None:
        try:
            raise ValueError("no")
        except ValueError:
            context.logger.exception("it went wrong")

    add_task(target, work)
    one = target.schedule_task("job")
    run(target)
    (line,) = target.get_notes(one).lines
    assert (line.level, line.text.splitlines()[0]) == ("ERROR", "it went wrong")
    assert line.text.splitlines()[-1] == "ValueError: no"


def test_of_many_and_of_long_lines_the_latest_are_kept(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext, lines: int, length: int) -> None:
        for number in range(lines):
            context.logger.info("%d %s", number, "x" * length)

    add_task(target, work)
    many, long = target.schedule_task("job", 1000, 1), target.schedule_task("job", 40, 10_000)
    run(target)
    lines = target.get_notes(many).lines
    assert [line.number for line in lines] == list(range(801, 1001))
    assert lines[0].text == "800 x"
    texts = [line.text for line in target.get_notes(long).lines]
    assert max(map(len, texts)) == 4096
    assert sum(map(len, texts)) <= 64 * 1024
    assert texts[-1].startswith("39 ")


def test_what_no_database_takes_is_escaped(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> None:
        context.logger.info("\ud800 \0")
        context.progress(1, message="\ud800")

    add_task(target, work)
    one = target.schedule_task("job")
    run(target)
    assert status_of(target, one) is TaskStatus.COMPLETED
    assert target.get_notes(one).lines[0].text == "\\ud800 \\x00"


def test_the_last_progress_stays_with_the_execution(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> None:
        for done in range(1, 101):
            context.progress(done, 100, f"row {done}")
        raise ValueError("no")

    add_task(target, work)
    one = target.schedule_task("job")
    run(target)
    progress = target.get_notes(one).progress
    assert progress is not None
    assert (progress.done, progress.total, progress.message) == (100, 100, "row 100")


def test_progress_is_seen_while_it_runs_and_told_once_a_second_at_most() -> None:
    target = scheduler()
    heard: list[Event] = []

    release = threading.Event()

    def work(context: TaskContext) -> None:
        for done in range(1000):
            context.progress(done, 1000)
        release.wait(10)

    target.events.subscribe(heard.append, [EventType.PROGRESS])
    add_task(target, work)
    with target.running():
        one = target.schedule_task("job")
        eventually(lambda: (target.get_task_status(one) or {})["progress"] is not None)
        seen = (target.get_task_status(one) or {})["progress"]
        assert (seen["total"], seen["message"]) == (1000, None)
        release.set()
        target.wait_for_task(one, 10)
    assert (target.get_task_status(one) or {})["progress"] is None  # it has ended
    assert 1 <= len(heard) <= 3
    assert heard[-1].data["done"] == 999


def test_a_task_that_tells_nothing_leaves_nothing(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: None)
    one = target.schedule_task("job")
    run(target)
    assert target.store.records(RecordKind.LOG) == []
    assert (target.get_notes(one).lines, target.get_notes(one).progress) == ((), None)


def test_nothing_is_left_of_what_was_deleted_while_it_ran(tmp_path: Any) -> None:
    here, elsewhere = (scheduler(f"sqlite:///{tmp_path}/jobs.db") for _ in range(2))

    def work(context: TaskContext) -> None:
        elsewhere.cancel_task(context.execution_id)
        assert elsewhere.delete_executions([context.execution_id]) == 1
        context.logger.info("still here")
        context.spawn("job")  # this node has not heard of it yet

    add_task(here, work)
    here.schedule_task("job")
    run(here)
    assert not [here.store.records(kind) for kind in OF_EXECUTION if here.store.records(kind)]
    for one in (here, elsewhere):
        one.close()


def test_logs_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    target = scheduler(task_log_lines=0)

    def work(context: TaskContext) -> None:
        context.logger.warning("hello")

    add_task(target, work)
    one = target.schedule_task("job")
    with caplog.at_level(logging.INFO, logger="advanced_scheduler.task"):
        run(target)
    assert target.get_notes(one).lines == ()
    (record,) = (each for each in caplog.records if each.name == "advanced_scheduler.task")
    assert (record.getMessage(), record.funcName) == ("hello", "work")
    target.close()


def test_the_notes_of_what_is_unknown_are_empty(target: AdvancedTaskScheduler) -> None:
    for one in ("nobody", "\ud800", None):
        assert target.get_notes(one).lines == ()  # type: ignore[arg-type]


# --- more time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["thread", "loop"])
def test_a_task_can_ask_for_more_time(kind: str) -> None:
    target = scheduler()
    seen: list[timedelta] = []

    def thread(context: TaskContext) -> str:
        before = context.deadline
        context.extend(30)
        if before and context.deadline:
            seen.append(context.deadline - before)
        context.cancelled.wait(1.3)
        return "done" if not context.cancelled.is_set() else "late"

    async def loop(context: TaskContext) -> str:
        context.extend(30)
        await asyncio.sleep(1.3)
        return "done"

    add_task(target, thread if kind == "thread" else loop, timeout=1.0)
    with target.running():
        assert target.result(target.schedule_task("job"), 10) == "done"
    assert seen == [timedelta(seconds=30)] * (kind == "thread")


def test_a_time_out_tells_what_was_asked_for() -> None:
    target = scheduler()

    async def work(context: TaskContext) -> None:
        context.extend(0.05)
        await asyncio.Event().wait()

    add_task(target, work, timeout=0.05)
    with target.running():
        one = target.schedule_task("job")
        target.wait_for_task(one, 10)
    assert row_of(target, one).error == (
        "TimeoutError: did not end within its timeout of 0.05 s and 0.05 s more"
    )


# --- more work ------------------------------------------------------------------------------------


def test_a_child_is_of_the_same_workflow_run_and_names_its_parent(
    target: AdvancedTaskScheduler,
) -> None:
    def work(context: TaskContext) -> str:
        return context.spawn("child", 2, options=ScheduleOptions(tags=["small"]), b=3)

    add_task(target, work)
    add_task(target, lambda a, b: a * b, "child")
    one = target.schedule_task("job", options=ScheduleOptions(workflow_id="night"))
    run(target, 2)
    child = row_of(target, row_of(target, one).result)
    assert (child.workflow_id, child.extras["parent"], child.result) == ("night", one, 6)
    assert child.tags == ("small",)


def test_attempts_spawn_each_child_once(target: AdvancedTaskScheduler) -> None:
    asked: list[list[str]] = []

    async def work(context: TaskContext) -> None:
        asked.append([context.spawn("child", 1), context.spawn("child", 2, key="b")])
        if context.attempt < 3:
            raise ValueError("no")

    add_task(target, work, retry_config=AGAIN)
    add_task(target, lambda n: n, "child")
    target.schedule_task("job")
    run(target, 4)
    assert asked == [asked[0]] * 3
    assert len(target.executions(task_id="child")) == 2


def test_a_child_that_was_recorded_and_not_made_before_a_crash_is_made(
    target: AdvancedTaskScheduler,
) -> None:
    def work(context: TaskContext) -> list[str]:
        if context.attempt == 1:
            raise ValueError("no")
        return [context.spawn("child"), context.spawn("child")]

    add_task(target, work, retry_config=AGAIN)
    add_task(target, lambda: None, "child")
    one = target.schedule_task("job")
    run(target)
    first, second = (target.schedule_task("child") for _ in range(2))
    target.cancel_task(first)
    target.delete_executions([first])  # it was made, and has left the history
    lost = second[:-1] + ("0" if second[-1] != "0" else "1")
    target.store.save_record(
        Record(
            kind=RecordKind.SPAWNED,
            record_id=one,
            written_time=NOW,
            data={"ids": {"#1": first, "#2": lost}, "last": "#2"},
        )
    )
    run(target)
    assert row_of(target, one).result == [first, lost]
    assert {row.execution_id for row in target.executions(task_id="child")} == {second, lost}


def test_what_is_refused_is_not_remembered(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> str:
        with pytest.raises(ValueError, match="not registered"):
            context.spawn("nobody")
        connected = ScheduleOptions(connection=5)
        for more in ({"one": 1}, {"key": ""}, {"options": connected}):
            with pytest.raises(InvalidArguments, match=r"'one'|key=|no connection"):
                context.spawn("child", **more)
        return context.spawn("child")

    add_task(target, work)
    add_task(target, lambda: None, "child")
    one = target.schedule_task("job")
    run(target)
    assert row_of(target, one).result == target.executions(task_id="child")[0].execution_id


def test_one_execution_spawns_a_thousand_at_most(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> None:
        if context.attempt == 1:
            raise ValueError("no")
        assert context.spawn("child", key="9") == "id-9"
        context.spawn("child")

    add_task(target, work, retry_config=AGAIN)
    add_task(target, lambda: None, "child")
    one = target.schedule_task("job")
    run(target)
    ids = {f"{number}": f"id-{number}" for number in range(1000)}
    target.store.save_record(
        Record(
            kind=RecordKind.SPAWNED,
            record_id=one,
            written_time=NOW,
            data={"ids": ids, "last": "999"},
        )
    )
    run(target)
    error = row_of(target, one).error
    assert error is not None
    assert "has spawned 1,000" in error


def test_an_attempt_that_was_cancelled_spawns_nothing(target: AdvancedTaskScheduler) -> None:
    def work(context: TaskContext) -> str:
        context.cancelled.set()
        with pytest.raises(SchedulerStateError, match="this attempt was cancelled"):
            context.spawn("child")
        return "refused"

    add_task(target, work)
    one = target.schedule_task("job")
    run(target)
    assert row_of(target, one).result == "refused"


# --- without an engine ----------------------------------------------------------------------------


def test_a_context_that_no_scheduler_runs_takes_what_it_can() -> None:
    context = Context(execution=execution(), node="n", started=NOW, deadline=NOW)
    context.progress(1, 2)
    context.logger.info("hello")
    context.extend(5)
    assert context.deadline == NOW + timedelta(seconds=5)
    with pytest.raises(SchedulerStateError, match="no scheduler runs it"):
        context.spawn("child")


def test_nonsense_is_refused_by_name() -> None:
    context = Context(execution=execution(), node="n", started=NOW)
    for arguments in [("a",), (1, "b"), (True,), (float("nan"),)]:
        with pytest.raises(InvalidArguments, match="progress"):
            context.progress(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InvalidArguments, match="message"):
        context.progress(1, message=5)  # type: ignore[arg-type]
    for seconds in (0, -1, float("inf"), "5", True):
        with pytest.raises(InvalidArguments, match="seconds"):
            context.extend(seconds)  # type: ignore[arg-type]
