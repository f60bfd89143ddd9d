"""What a running task sees of itself."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from datetime import timedelta

import pytest

from advanced_scheduler.context import CURRENT, TaskContext, current_execution
from tests.contract.rows import NOW, execution

ROW = execution(
    "e",
    task_id="report",
    attempt=3,
    retry_count=2,
    fence=5,
    workflow_id="w",
    schedule_id="s",
)


def test_the_ids_and_counters_are_those_of_the_execution() -> None:
    context = TaskContext(execution=ROW, node="n", started=NOW + timedelta(seconds=90))
    assert (context.execution_id, context.task_id, context.node) == ("e", "report", "n")
    assert (context.attempt, context.retry_count, context.fence) == (3, 2, 5)
    assert (context.workflow_id, context.schedule_id) == ("w", "s")
    assert (context.scheduled_time, context.lateness) == (NOW, 90)
    assert (context.deadline, context.lock_fence) == (None, None)
    assert not context.cancelled.is_set()
    assert not context.lock_lost.is_set()


def test_two_contexts_share_no_events() -> None:
    one, two = (TaskContext(execution=ROW, node="n", started=NOW) for _ in range(2))
    one.cancelled.set()
    one.lock_lost.set()
    assert not two.cancelled.is_set()
    assert not two.lock_lost.is_set()


def test_results_are_read_anew_at_each_call() -> None:
    results = {"fetch": 1}
    context = TaskContext(execution=ROW, node="n", started=NOW, load_results=lambda: dict(results))
    assert context.results == {"fetch": 1}
    results["clean"] = 2
    assert context.results == {"fetch": 1, "clean": 2}
    assert TaskContext(execution=ROW, node="n", started=NOW).results == {}


def test_the_logger_tells_the_ids(caplog: pytest.LogCaptureFixture) -> None:
    context = TaskContext(execution=ROW, node="n", started=NOW)
    with caplog.at_level(logging.INFO, logger="advanced_scheduler.task"):
        context.logger.info("half way")
    (record,) = caplog.records
    assert record.getMessage() == "half way"
    assert [vars(record)[name] for name in ("execution_id", "task_id", "attempt")] == [
        "e",
        "report",
        3,
    ]


def test_outside_a_task_there_is_no_current_execution() -> None:
    with pytest.raises(LookupError, match="was called outside a task"):
        current_execution()


def test_the_current_execution_is_that_of_the_coroutine_that_asks() -> None:
    async def task(name: str) -> str:
        CURRENT.set(TaskContext(execution=execution(name), node="n", started=NOW))
        await asyncio.sleep(0)
        return await asyncio.to_thread(lambda: current_execution().execution_id)

    async def both() -> list[str]:
        return list(await asyncio.gather(task("a"), task("b")))

    assert asyncio.run(both()) == ["a", "b"]
    assert copy_context().get(CURRENT) is None
