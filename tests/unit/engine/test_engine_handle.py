"""What the decorator makes of a function."""

from __future__ import annotations

from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.engine.handle import TaskHandle, dependency_on
from advanced_scheduler.errors import InvalidArguments
from advanced_scheduler.models import TaskDependency, TaskPriority, TaskStatus
from tests.unit.engine.kit import row_of, scheduler


@pytest.fixture
def target() -> AdvancedTaskScheduler:
    return scheduler()


def test_a_decorated_function_is_still_that_function(target: AdvancedTaskScheduler) -> None:
    @target.task()
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    assert double(4) == 8
    assert (vars(double)["__name__"], double.__doc__) == ("double", "Twice as much.")
    assert double.task_id == f"{__name__}.{vars(double)['__qualname__']}"


async def test_it_can_be_scheduled_by_itself_or_by_the_scheduler(
    target: AdvancedTaskScheduler,
) -> None:
    @target.task(task_id="double")
    def double(number: int) -> int:
        return 2 * number

    ids = [double.schedule(4), double.schedule(number=5), target.schedule_task(double, 6)]
    await target.run_due()
    assert [row_of(target, one).result for one in ids] == [8, 10, 12]
    with pytest.raises(InvalidArguments, match="'number'"):
        double.schedule()  # type: ignore[call-arg]
    target.close()


async def test_a_decorated_coroutine_runs_on_the_loop(target: AdvancedTaskScheduler) -> None:
    @target.task(task_id="greet")
    async def greet(name: str) -> str:
        return f"hello {name}"

    one = greet.schedule("you")
    await target.run_due()
    assert (row_of(target, one).status, row_of(target, one).result) == (
        TaskStatus.COMPLETED, "hello you",
    )  # fmt: skip
    target.close()


def test_all_that_the_decorator_is_told_is_in_the_definition(
    target: AdvancedTaskScheduler,
) -> None:
    @target.task(task_id="a")
    def a() -> None: ...

    @target.task(
        task_id="b", name="Bee", priority=TaskPriority.LOW, lock=True, lock_timeout=9,
        timeout=5, after=[a, "c", TaskDependency("d", "success")], tags=["t"],
    )  # fmt: skip
    def b() -> None: ...

    definition = target.task_definitions["b"]
    assert (definition.task_name, definition.priority, definition.tags) == (
        "Bee", TaskPriority.LOW, ("t",),
    )  # fmt: skip
    assert (definition.require_lock, definition.lock_timeout, definition.timeout) == (True, 9, 5)
    assert definition.dependencies == (
        TaskDependency("a"), TaskDependency("c"), TaskDependency("d", "success"),
    )  # fmt: skip


def test_a_handle_makes_schedules(target: AdvancedTaskScheduler) -> None:
    @target.task(task_id="nightly")
    def nightly() -> None: ...

    one = nightly.cron("0 3 * * *", timezone="Europe/Berlin")
    (schedule,) = target.get_schedules()
    assert (schedule.schedule_id, schedule.task_id) == (one, "nightly")
    assert schedule.trigger["timezone"] == "Europe/Berlin"


def test_a_dependency_can_be_named_in_three_ways(target: AdvancedTaskScheduler) -> None:
    handle: TaskHandle[Any, Any] = target.task(task_id="x")(lambda: None)
    exact = TaskDependency("x", "failure")
    assert [dependency_on(one) for one in ("x", handle, exact)] == [
        TaskDependency("x"), TaskDependency("x"), exact,
    ]  # fmt: skip
