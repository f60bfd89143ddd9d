"""The facade has the surface that was asked for, and says what is wrong."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import advanced_scheduler
from advanced_scheduler import AdvancedTaskScheduler, get_advanced_scheduler, scheduler
from advanced_scheduler.errors import (
    CircularDependency,
    ConfigurationError,
    ExecutionNotFound,
    InvalidTask,
    ResultTimeout,
    SchedulerStateError,
    TaskFailed,
    TaskInUse,
    TaskNotRegistered,
)
from advanced_scheduler.models import (
    TaskDependency,
    TaskStatus,
)
from tests.support.definitions import add, define, nothing
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, faulty, row_of, status_of
from tests.unit.engine.kit import scheduler as make

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001


def parameters(function: Callable[..., Any]) -> list[str]:
    """Names, with a star before those that must be given by keyword."""
    return [
        f"*{one.name}" if one.kind is inspect.Parameter.KEYWORD_ONLY else one.name
        for one in inspect.signature(function).parameters.values()
    ]


# --- the surface ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("register_task", ["task_def"]),
        ("unregister_task", ["task_id"]),
        ("schedule_task", ["task", "args", "*options", "*scheduled_time", "kwargs"]),
        ("schedule_task_many", ["task", "calls", "*options"]),
        (
            "schedule_cron_task",
            [
                *("task_id", "cron_expression", "*timezone", "*start_time", "*end_time"),
                *("*args", "*kwargs", "*name", "policies"),
            ],
        ),
        (
            "create_schedule",
            [
                *("task", "trigger", "*args", "*kwargs", "*name", "*schedule_id", "*replace"),
                *("*changelog", "policies"),
            ],
        ),
        ("create_schedules", ["wanted"]),
        (
            "update_schedule",
            [
                *("schedule_id", "*trigger", "*cron_expression", "*timezone", "*args", "*kwargs"),
                *("*name", "*version", "*changelog", "policies"),
            ],
        ),
        ("schedule_versions", ["schedule_id"]),
        ("rollback_schedule", ["schedule_id", "version", "*changelog"]),
        ("run_schedule_now", ["schedule_id", "*args", "*kwargs", "*execution_id"]),
        ("trigger_event", ["name", "payload"]),
        ("get_schedule", ["schedule_id"]),
        ("find_schedules", ["*name", "*event", "*task_id", "*tags", "*status"]),
        ("next_runs", ["schedule_id", "count"]),
        ("lint_schedule", ["schedule_id"]),
        ("schedule_status", ["schedule_id"]),
        ("schedule_statistics", []),
        ("pause_schedule", ["schedule_id", "*changelog"]),
        ("resume_schedule", ["schedule_id", "*catch_up"]),
        ("explain", ["schedule_id", "instant"]),
        ("audit", ["schedule_id", "start", "end"]),
        ("parked", []),
        ("cancel_task", ["execution_id"]),
        ("get_task_status", ["execution_id"]),
        ("get_execution", ["execution_id"]),
        ("clear_history", ["before"]),
        ("on_end", ["execution_id", "callback"]),
        ("add_process_pool", ["max_workers", "name"]),
        (
            "executions",
            [
                "*statuses",
                "*task_id",
                "*schedule_id",
                "*workflow_id",
                "*queue",
                "*limit",
                "*cursor",
            ],
        ),
        ("get_health_status", []),
        ("start", []),
        ("stop", ["wait"]),
        ("wait_for_task", ["execution_id", "timeout"]),
        ("result", ["execution_id", "timeout"]),
        ("running", []),
        ("run_due", []),
        ("serve_metrics", ["port", "host"]),
    ],
)
def test_every_call_has_the_signature_that_was_asked_for(name: str, expected: list[str]) -> None:
    assert parameters(getattr(AdvancedTaskScheduler, name))[1:] == expected


def test_the_scheduler_is_made_as_was_asked_for() -> None:
    found = inspect.signature(AdvancedTaskScheduler).parameters
    assert parameters(AdvancedTaskScheduler) == [
        "redis_client", "max_concurrent_tasks",
        "*store", "*settings", "*clock", "*apscheduler", "*name", "*queues",
        "*tracer_provider",
    ]  # fmt: skip
    assert (found["redis_client"].default, found["max_concurrent_tasks"].default) == (None, 10)


def test_the_waits_are_coroutines_and_the_rest_are_plain_calls() -> None:
    asynchronous = {
        name
        for name, value in inspect.getmembers(AdvancedTaskScheduler)
        if inspect.iscoroutinefunction(value) and not name.startswith("_")
    }
    assert asynchronous == {"start", "stop", "run_due"}


def test_the_parts_can_be_reached_by_the_names_of_the_document(
    target: AdvancedTaskScheduler,
) -> None:
    for name in (
        "task_definitions", "task_queue", "dependency_graph", "lock_manager", "retry_manager",
        "health_monitor", "apscheduler",
    ):  # fmt: skip
        assert getattr(target, name) is not None, name
    assert all(hasattr(advanced_scheduler, name) for name in advanced_scheduler.__all__)


@pytest.mark.parametrize("slots", [0, -1, 1.5, "10", None])
def test_a_number_of_slots_that_cannot_work_is_refused(slots: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_concurrent_tasks"):
        AdvancedTaskScheduler(max_concurrent_tasks=slots)


def test_the_process_shares_one_scheduler_however_many_ask_at_once() -> None:
    found: list[AdvancedTaskScheduler] = []
    threads = [
        threading.Thread(target=lambda: found.append(get_advanced_scheduler())) for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(set(map(id, found))) == 1
    assert found[0] is scheduler.get_advanced_scheduler()


# --- tasks ----------------------------------------------------------------------------------


def test_registering_twice_says_so(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing)
    with pytest.raises(ValueError, match="task 'job' is already registered"):
        add_task(target, nothing)
    assert list(target.task_definitions) == ["job"]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("no.such.module.function", InvalidTask, "no.such"),
        ("os.path", InvalidTask, "os.path"),
        (5, InvalidTask, "func_path=5"),
    ],
)
def test_a_function_that_cannot_be_had_is_refused_when_it_is_registered(
    function: Any, error: type[Exception], message: str, target: AdvancedTaskScheduler
) -> None:
    with pytest.raises(error, match=message):
        target.register_task(define(function))
    assert not target.task_definitions


def test_a_circle_names_its_path_and_leaves_the_graph_as_it_was(
    target: AdvancedTaskScheduler,
) -> None:
    for task_id, needs in (("a", "b"), ("b", "c")):
        add_task(target, nothing, task_id, dependencies=[TaskDependency(needs)])
    before = set(target.dependency_graph.graph.edges)
    with pytest.raises(ValueError, match="circular dependency: a -> b -> c -> a") as refusal:
        add_task(target, nothing, "c", dependencies=[TaskDependency("a")])
    assert isinstance(refusal.value, CircularDependency)
    assert set(target.dependency_graph.graph.edges) == before
    assert "c" not in target.task_definitions


def test_a_task_can_go_and_come_back_and_what_is_stored_waits_for_it(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, nothing)
    one = target.schedule_task("job")
    target.unregister_task("job")
    assert asyncio.run(target.run_due()) == 0
    assert "parked: task 'job' is not registered" in (row_of(target, one).reason or "")
    assert row_of(target, one).attempt == 0
    add_task(target, nothing)
    assert asyncio.run(target.run_due()) == 1
    assert status_of(target, one) is TaskStatus.COMPLETED


def test_a_task_that_executions_wait_for_cannot_go(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing, "up")
    add_task(target, nothing, "down", dependencies=[TaskDependency("up")])
    target.schedule_task("up")
    waiting = target.schedule_task("down")
    with pytest.raises(TaskInUse, match=waiting):
        target.unregister_task("up")
    target.unregister_task("down")
    with pytest.raises(TaskNotRegistered, match="task 'down' is not registered"):
        target.unregister_task("down")


# --- status, results, cancelling ------------------------------------------------------------


def test_a_status_has_the_keys_that_were_asked_for(target: AdvancedTaskScheduler) -> None:
    add_task(target, nothing)
    status = target.get_task_status(target.schedule_task("job"))
    assert status is not None
    assert set(status) >= {
        "execution_id", "task_id", "task_name", "status", "priority", "scheduled_time",
        "started_time", "completed_time", "retry_count", "error", "result", "metrics",
    }  # fmt: skip
    assert target.get_task_status("unknown") is None


def test_results_can_be_waited_for_from_any_thread() -> None:
    target = make()
    add_task(target, add)
    with target.running():
        one = target.schedule_task("job", 1)
        assert target.result(one, 10) == 3
        assert target.wait_for_task(one, 10) == 3


def test_what_ended_without_a_result_is_told_apart(target: AdvancedTaskScheduler) -> None:
    add_task(target, lambda: 1 / 0)
    one = target.schedule_task("job")
    assert target.wait_for_task(one, 0) is None
    with pytest.raises(ResultTimeout):
        target.result(one, 0)
    asyncio.run(target.run_due())
    assert target.wait_for_task(one) is None
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        target.result(one)
    with pytest.raises(ExecutionNotFound, match="'nobody'"):
        target.result("nobody")


async def test_nobody_may_wait_on_the_loop_that_runs_the_tasks() -> None:
    target = make()
    add_task(target, add)
    await target.start()
    one = target.schedule_task("job", 1)
    for wait in (target.result, target.wait_for_task):
        with pytest.raises(SchedulerStateError, match=r"asyncio\.to_thread"):
            wait(one)
    assert await asyncio.to_thread(target.result, one, 10) == 3
    await target.stop()


def test_what_waits_can_be_cancelled_once_and_takes_its_dependents_along(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, nothing, "up")
    add_task(target, nothing, "down", dependencies=[TaskDependency("up")])
    ids = target.schedule_workflow(["up", "down"])
    assert target.cancel_task(ids["up"])
    assert not target.cancel_task(ids["up"])
    assert not target.cancel_task("unknown")
    assert status_of(target, ids["down"]) is TaskStatus.SKIPPED
    assert asyncio.run(target.run_due()) == 0


async def test_a_cancel_that_falls_into_the_claim_reaches_the_body() -> None:
    store = faulty(blocking=True)
    target = make(store.face)
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    add_task(target, work)
    hold = store.hold("exchange", after=True)  # claimed, and the node does not know it yet
    one = target.schedule_task("job")
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    assert target.cancel_task(one)
    await asyncio.sleep(0)
    hold.released.set()
    await eventually_async(lambda: target.running_tasks == 0 and store.calls["exchange"] > 1)
    await target.stop()
    assert status_of(target, one) is TaskStatus.CANCELLED
