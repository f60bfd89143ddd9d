"""The face of the package: what issue it answers to, and what it says when it refuses."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import advanced_scheduler
from advanced_scheduler import AdvancedTaskScheduler, get_advanced_scheduler, scheduler
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import (
    CircularDependency,
    ConfigurationError,
    ExecutionNotFound,
    InvalidArguments,
    InvalidTask,
    ResultTimeout,
    SchedulerStateError,
    TaskFailed,
    TaskInUse,
    TaskNotRegistered,
    UnknownDependency,
)
from advanced_scheduler.models import (
    ExecutionFilter,
    ScheduleOptions,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)
from tests.support.definitions import add, define, nothing
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import NOW, add_task, faulty, quick, row_of, status_of
from tests.unit.engine.kit import scheduler as make

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001


@pytest.fixture
def target(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    made = make(clock=clock)
    yield made
    made.close()


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
            ["task_id", "cron_expression", "*timezone", "*start_time", "*end_time"],
        ),
        ("cancel_task", ["execution_id"]),
        ("get_task_status", ["execution_id"]),
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
        "*store", "*settings", "*clock", "*apscheduler", "*name",
    ]  # fmt: skip
    assert (found["redis_client"].default, found["max_concurrent_tasks"].default) == (None, 10)


def test_the_waits_are_coroutines_and_the_rest_are_plain_calls() -> None:
    asynchronous = {
        name
        for name, value in vars(AdvancedTaskScheduler).items()
        if inspect.iscoroutinefunction(value)
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


# --- start and stop -------------------------------------------------------------------------


def test_what_was_scheduled_before_the_start_and_what_comes_after_runs() -> None:
    target = make()
    add_task(target, add)
    early = target.schedule_task("job", 1)
    for number in range(3):  # started, stopped and started again
        with target.running() as same:
            assert same is target
            late = target.schedule_task("job", number)
            assert target.result(late, 10) == number + 2
    assert target.result(early, 10) == 3
    target.close()


def test_a_stop_before_any_start_is_nothing(target: AdvancedTaskScheduler) -> None:
    asyncio.run(target.stop())
    asyncio.run(target.stop(wait=False))


async def test_a_stop_that_waits_lets_work_end_and_one_that_does_not_gives_it_back() -> None:
    for wait, status, attempt in ((True, TaskStatus.COMPLETED, 1), (False, TaskStatus.PENDING, 0)):
        target = make()
        gate = asyncio.Event()
        add_task(target, gate.wait)
        one = target.schedule_task("job")
        await target.start()
        await eventually_async(lambda target=target: target.running_tasks == 1)  # type: ignore[misc]
        asyncio.get_running_loop().call_later(0.01, gate.set)
        await target.stop(wait=wait)
        assert (status_of(target, one), row_of(target, one).attempt) == (status, attempt)
        target.close()


async def test_a_drain_that_takes_too_long_gives_the_rest_back() -> None:
    target = make(drain_seconds=0.01)
    add_task(target, asyncio.Event().wait)
    one = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    await target.stop()
    assert (status_of(target, one), row_of(target, one).attempt) == (TaskStatus.PENDING, 0)


def test_a_start_that_fails_is_told_to_the_program() -> None:
    store = faulty()
    target = make(store.face)
    other = AdvancedTaskScheduler(apscheduler=target.apscheduler)
    with target.running(), pytest.raises(SchedulerStateError), other.running():
        raise AssertionError("it did not start")
    with other.running():
        assert other.health_facts().started


async def test_steps_are_for_a_scheduler_that_was_not_started() -> None:
    target = make()
    add_task(target, nothing)
    assert await target.run_due() == 0
    await target.start()
    with pytest.raises(SchedulerStateError, match="was not started"):
        await target.run_due()
    with pytest.raises(SchedulerStateError, match="await stop"):
        target.close()
    await target.stop()
    target.schedule_task("job")
    assert await target.run_due() == 1
    target.close()
    target.close()


def test_a_step_runs_no_more_than_the_slots_allow(clock: ManualClock) -> None:
    target = make(clock=clock, limit=2)
    add_task(target, nothing)
    target.schedule_task_many("job", [()] * 5)
    assert [asyncio.run(target.run_due()) for _ in range(4)] == [2, 2, 1, 0]
    target.close()


# --- two on one store, and bad days -----------------------------------------------------------


def test_two_schedulers_on_one_file_run_everything_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db?synchronous=normal"
    ran: list[int] = []
    both = [make(url, name=name, limit=3) for name in ("a", "b")]
    for one in both:
        add_task(one, ran.append)
    with both[0].running(), both[1].running():
        ids = both[0].schedule_task_many("job", [(number,) for number in range(60)])
        for execution_id in ids:
            both[1].result(execution_id, 30)
    assert sorted(ran) == list(range(60))
    rows = both[0].store.get(ids)
    assert {row.attempt for row in rows} == {1}
    for one in both:
        one.close()


def test_an_execution_is_cancelled_on_whichever_node_it_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db?synchronous=normal"
    runs, asks = (make(url, name=name, lease_seconds=0.6) for name in ("runs", "asks"))
    begun, told = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    add_task(runs, work)
    with runs.running():
        one = runs.schedule_task("job")
        assert begun.wait(10)
        assert asks.cancel_task(one)
        assert told.wait(10)  # by the heartbeat
    assert status_of(asks, one) is TaskStatus.CANCELLED
    runs.close()
    asks.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", ["exchange", "next_due", "expired", "stranded", "prune", "due"])
def test_an_outage_at_any_call_of_the_engine_loses_and_doubles_nothing(
    verb: str, after: bool
) -> None:
    store = faulty(blocking=True)
    target = make(store.face)
    ran: list[int] = []
    add_task(target, ran.append)
    with target.running():
        for number in range(4):
            store.fail(verb, after=after)
            target.result(target.schedule_task("job", number), 20)
    assert ran == list(range(4))
    assert {row.attempt for row in target.store.find(ExecutionFilter())} == {1}
    target.close()


def test_a_store_that_is_away_for_a_while_stops_nothing_for_good() -> None:
    store = faulty(blocking=True)
    target = make(store.face, lease_seconds=5)
    gate = threading.Event()
    add_task(target, lambda: gate.wait(10))
    add_task(target, nothing, "quick")
    with target.running():
        one = target.schedule_task("job")
        eventually(lambda: target.running_tasks == 1)
        store.break_down()
        gate.set()  # it ends while its end cannot be stored
        eventually(lambda: target.running_tasks == 0)
        before = store.calls.total()
        eventually(lambda: store.calls.total() > before + 20)
        store.come_back()
        assert target.result(one, 20) is True
        assert target.result(target.schedule_task("quick"), 20) is None
        assert row_of(target, one).attempt == 1
    target.close()


async def test_wake_ups_during_an_outage_make_no_busy_loop() -> None:
    store = faulty(blocking=True)
    target = make(store.face, poll_seconds=60)
    await target.start()
    node = target._node
    assert node is not None
    await eventually_async(lambda: store.calls["next_due"] >= 1)
    store.break_down()
    calls = store.calls["exchange"]
    node.dispatcher.wake()
    await eventually_async(lambda: store.calls["exchange"] > calls)
    for _ in range(50):
        node.dispatcher.wake()
        await asyncio.to_thread(nothing)
    assert store.calls["exchange"] + store.calls["find"] == calls + 1
    store.come_back()
    await target.stop()


def test_a_burst_of_ten_thousand_leaves_nothing_in_the_engine() -> None:
    target = make(history_limit=100, history_grace_seconds=0, limit=50)
    seen: list[int] = []

    async def work(number: int) -> None:
        seen.append(number)

    add_task(target, work)
    with target.running():
        target.schedule_task_many("job", [(number,) for number in range(10_000)])
        eventually(lambda: len(seen) == 10_000, timeout=60)
        eventually(lambda: sum(target.store.counts().values()) <= 100, timeout=20)
        node = target._node
        assert node is not None
        dispatcher = node.dispatcher
        eventually(lambda: not dispatcher.held)
        assert (dispatcher.running, dispatcher._outbox, dispatcher._early) == ({}, [], {})
        assert (dispatcher._turns._waiting, dispatcher._unknown) == ({}, set())
    assert sorted(seen) == list(range(10_000))
    assert (target._waiters._waiting, target._waiters._ended) == ({}, {})
    target.close()


def test_the_settings_of_the_environment_are_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", f"sqlite:///{tmp_path}/env.db")
    made = AdvancedTaskScheduler()
    assert made.store.durable
    made.close()
    given = AdvancedTaskScheduler(settings=quick(), store="memory://")
    assert not given.store.durable
    given.close()
