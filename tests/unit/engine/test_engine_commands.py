"""What is checked before a task, an execution or a schedule is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.commands import Commands
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.errors import (
    CircularDependency,
    ConfigurationError,
    InvalidArguments,
    StoreUnavailable,
    TaskInUse,
    TaskNotRegistered,
)
from advanced_scheduler.models import (
    ExecutionFilter,
    ScheduleOptions,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.definitions import add, define, nothing
from tests.unit.engine.kit import NOW, add_task, faulty, parts, scheduler


@pytest.fixture
def store() -> FaultyStore:
    return faulty()


@pytest.fixture
def made(store: FaultyStore, clock: ManualClock) -> Parts:
    return parts(store.face, clock)


@pytest.fixture
def commands(made: Parts) -> Commands:
    return Commands(made)


def call(commands: Commands, task: str | Callable[..., Any] = "job", **options: Any) -> str:
    chosen = ScheduleOptions(**options) if options else None
    return commands.schedule(task, [((), {})], chosen, None)[0]


def stored(made: Parts) -> int:
    return sum(made.store.counts().values())


def test_a_task_that_closes_a_circle_is_in_neither_registry_nor_graph(
    commands: Commands, made: Parts
) -> None:
    commands.register(define(task_id="a", dependencies=[TaskDependency("b")]))
    with pytest.raises(CircularDependency, match="a -> b -> a"):
        commands.register(define(task_id="b", dependencies=[TaskDependency("a")]))
    assert "b" not in made.registry
    assert not made.graph.is_known("b")
    commands.register(define(task_id="b"))  # nothing of the first try is in the way


def test_a_task_that_others_wait_for_cannot_go(commands: Commands, made: Parts) -> None:
    commands.register(define(task_id="up"))
    commands.register(define(task_id="down", dependencies=["up"]))
    call(commands, "up")
    waiting = call(commands, "down")
    with pytest.raises(TaskInUse, match=f"such as {waiting} of task 'down'"):
        commands.unregister("up")
    commands.cancel(waiting)
    commands.unregister("up")
    assert "up" not in made.registry
    with pytest.raises(TaskNotRegistered, match="not registered"):
        commands.unregister("up")


def test_a_task_that_others_wait_for_the_next_run_of_cannot_go(commands: Commands) -> None:
    commands.register(define(task_id="up"))
    commands.register(define(task_id="down", dependencies=["up"]))
    call(commands, "down")  # before any run of the other
    with pytest.raises(TaskInUse):
        commands.unregister("up")


def test_bad_options_store_nothing(commands: Commands, made: Parts) -> None:
    commands.register(define())
    with pytest.raises(InvalidArguments, match="priority=99"):
        call(commands, priority=99)
    assert stored(made) == 0
    assert call(commands, priority="high")
    assert list(made.store.counts()) == [(TaskStatus.PENDING, TaskPriority.HIGH)]


def test_the_time_can_be_said_once_only(commands: Commands, made: Parts) -> None:
    commands.register(define())
    with pytest.raises(InvalidArguments, match="say the same thing"):
        commands.schedule("job", [((), {})], ScheduleOptions(at=NOW), NOW)
    (one,) = commands.schedule("job", [((), {})], ScheduleOptions(unique="k"), NOW)
    assert made.store.get([one])[0].scheduled_time == NOW


def test_many_calls_are_lists_or_dicts_of_arguments(commands: Commands, made: Parts) -> None:
    commands.register(define(add))
    calls: list[Any] = [(1,), [1, 2], {"a": 3}]
    ids = commands.schedule_many("job", iter(calls), None)
    rows = made.store.get(ids)
    assert [(row.args, dict(row.kwargs)) for row in rows] == [
        ((1,), {}), ((1, 2), {}), ((), {"a": 3}),
    ]  # fmt: skip


@pytest.mark.parametrize("bad", ["1", b"1", 1, None, {1: 2}])
def test_of_many_calls_all_are_stored_or_none(bad: Any, commands: Commands, made: Parts) -> None:
    commands.register(define(add))
    with pytest.raises(InvalidArguments):
        commands.schedule_many("job", [(1,), bad], None)
    with pytest.raises(InvalidArguments, match="must be a list of calls"):
        commands.schedule_many("job", 5, None)  # type: ignore[arg-type]
    assert stored(made) == 0


@pytest.mark.parametrize("bad", [None, 5, "0190"])
def test_what_is_no_list_is_refused_by_name(bad: Any) -> None:
    target = scheduler()
    add_task(target, add)
    target.create_schedule("job", IntervalTrigger(60), args=[1], schedule_id="s")
    with pytest.raises(InvalidArguments, match=r"execution_ids=.* must be a list"):
        target.delete_executions(bad)
    with pytest.raises(InvalidArguments, match=r"instants=.* must be a list"):
        target.backfill_schedule("s", bad)
    with pytest.raises(InvalidArguments, match=r"instants=.* must be a list"):
        target.backfilled("s", bad)
    with pytest.raises(InvalidArguments, match=r"wanted=.* must be a list"):
        target.create_schedules(bad)
    target.close()


def test_a_workflow_is_bound_to_its_own_run(commands: Commands, made: Parts) -> None:
    commands.register(define(task_id="a"))
    commands.register(define(add, task_id="b", dependencies=["a"]))
    arguments: Mapping[str, Any] = {"b": {"a": 1}}
    first = commands.schedule_workflow(["b", "a"], arguments)
    second = commands.schedule_workflow(["a", "b"], arguments)
    for run in (first, second):
        (row,) = made.store.get([run["b"]])
        assert [one.execution_id for one in row.dependencies] == [run["a"]]
        assert len(made.store.find(ExecutionFilter(workflow_id=row.workflow_id))) == 2


@pytest.mark.parametrize(
    ("task_ids", "arguments", "message"),
    [
        ("ab", {}, "must be a list of task ids"),
        (5, {}, "must be a list of task ids"),
        ([["a"]], {}, "must be a list of task ids"),
        (["a"], 5, "must be a dict by task id"),
        (["a"], {"b": {}}, "arguments for 'b', which is not in the workflow"),
        (["a"], {"a": 5}, "must be a list of positional arguments"),
    ],
)
def test_a_workflow_that_makes_no_sense_is_refused(
    task_ids: Any, arguments: Any, message: str, commands: Commands, made: Parts
) -> None:
    commands.register(define(task_id="a"))
    with pytest.raises(InvalidArguments, match=message):
        commands.schedule_workflow(task_ids, arguments)
    assert stored(made) == 0


def test_a_callable_is_registered_on_the_way_and_once(commands: Commands, made: Parts) -> None:
    first, second = call(commands, nothing), call(commands, nothing)
    assert first != second
    assert list(made.registry) == ["tests.support.definitions.nothing"]


def test_two_functions_of_one_name_are_not_taken_for_each_other(commands: Commands) -> None:
    call(commands, lambda: 1)
    with pytest.raises(InvalidArguments, match="another function is registered"):
        call(commands, lambda: 2)


def test_what_is_neither_an_id_nor_a_callable_is_refused(commands: Commands) -> None:
    with pytest.raises(InvalidArguments, match="5 is neither the id of a task nor a callable"):
        call(commands, 5)  # type: ignore[arg-type]


def test_threads_that_schedule_one_callable_for_the_first_time_all_succeed(
    commands: Commands, made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2)
    register = commands.register

    def register_together(definition: Any) -> Any:
        meeting.wait(10)
        return register(definition)

    monkeypatch.setattr(commands, "register", register_together)
    threads = [threading.Thread(target=call, args=(commands, nothing)) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert stored(made) == 2


def test_a_lock_that_other_nodes_would_not_see_is_refused(clock: ManualClock) -> None:
    class Cluster(MemoryStore):
        durable = True

    made = parts(Cluster(), clock)
    commands = Commands(made)
    with pytest.raises(ConfigurationError, match="give redis_client="):
        commands.register(define(require_lock=True))
    assert "job" not in made.registry
    commands.register(define())


def test_a_cancelled_execution_takes_its_dependents_along(commands: Commands, made: Parts) -> None:
    commands.register(define(task_id="a"))
    commands.register(define(task_id="b", dependencies=["a"]))
    commands.register(define(task_id="c", dependencies=["b"]))
    ids = commands.schedule_workflow(["a", "b", "c"], {})
    assert commands.cancel(ids["a"])
    assert not commands.cancel(ids["a"])
    assert not commands.cancel("unknown")
    a, b, c = made.store.get([ids[one] for one in "abc"])
    assert (a.status, b.status, c.status) == (
        TaskStatus.CANCELLED, TaskStatus.SKIPPED, TaskStatus.SKIPPED,
    )  # fmt: skip
    assert ids["a"] in (c.cause or "")


def test_a_cancel_that_was_stored_and_not_answered_can_be_repeated(
    commands: Commands, made: Parts, store: FaultyStore
) -> None:
    commands.register(define())
    one = call(commands)
    store.fail("apply", after=True)
    with pytest.raises(StoreUnavailable):
        commands.cancel(one)
    assert not commands.cancel(one)
    assert made.store.get([one])[0].status is TaskStatus.CANCELLED
