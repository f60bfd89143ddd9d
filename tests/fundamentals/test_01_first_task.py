"""A task is something that can be run; an execution is one run of it."""

from __future__ import annotations

import asyncio

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, TaskFailed, TaskNotRegistered


def greet(name: str = "world") -> str:
    return f"hello {name}"


def test_a_registered_task_runs_and_leaves_its_result() -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(TaskDefinition("greet", "Greet", greet))
    execution_id = scheduler.schedule_task("greet", "ada")

    with scheduler.running():
        assert scheduler.wait_for_task(execution_id, timeout=10) == "hello ada"

    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert status["status"] == "completed"
    assert status["result"] == "hello ada"
    scheduler.close()


def test_a_function_can_be_named_by_its_path() -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(TaskDefinition("join", "Join", "posixpath.join"))
    scheduler.register_task(TaskDefinition("split", "Split", "posixpath:split"))
    joined, split = (
        scheduler.schedule_task("join", "a", "b"),
        scheduler.schedule_task("split", "a/b"),
    )
    with scheduler.running():
        assert scheduler.result(joined, timeout=10) == "a/b"
        assert scheduler.result(split, timeout=10) == ("a", "b")
    scheduler.close()


def test_a_callable_can_be_scheduled_as_it_is() -> None:
    scheduler = AdvancedTaskScheduler()
    execution_id = scheduler.schedule_task(greet, name="bob")
    with scheduler.running():
        assert scheduler.result(execution_id, timeout=10) == "hello bob"
    scheduler.close()


def test_the_decorator_leaves_the_function_callable() -> None:
    scheduler = AdvancedTaskScheduler()

    @scheduler.task()
    def double(n: int) -> int:
        return 2 * n

    assert double(2) == 4
    execution_id = double.schedule(n=21)
    with scheduler.running():
        assert scheduler.result(execution_id, timeout=10) == 42
    scheduler.close()


def test_coroutines_run_on_the_loop_that_started_the_scheduler() -> None:
    scheduler = AdvancedTaskScheduler()

    @scheduler.task()
    async def where() -> int:
        return id(asyncio.get_running_loop())

    async def main() -> None:
        await scheduler.start()
        execution_id = where.schedule()
        loop_id = await asyncio.to_thread(scheduler.result, execution_id, 10)
        await scheduler.stop()
        assert loop_id == id(asyncio.get_running_loop())

    asyncio.run(main())
    scheduler.close()


def test_a_task_that_raises_has_failed_and_says_why() -> None:
    scheduler = AdvancedTaskScheduler()

    @scheduler.task()
    def broken() -> None:
        raise OSError("the disk is full")

    execution_id = broken.schedule()
    with scheduler.running():
        with pytest.raises(TaskFailed, match="the disk is full"):
            scheduler.result(execution_id, timeout=10)
        assert scheduler.wait_for_task(execution_id) is None
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert status["status"] == "failed"
    assert status["error"] == "OSError: the disk is full"
    assert "raise OSError" in status["traceback"]
    scheduler.close()


def test_mistakes_are_told_before_anything_is_stored() -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(TaskDefinition("greet", "Greet", greet))

    with pytest.raises(ValueError, match="already registered"):
        scheduler.register_task(TaskDefinition("greet", "Greet again", greet))
    with pytest.raises(ValueError, match="not registered"):
        scheduler.schedule_task("great")
    with pytest.raises(ValueError, match="shout"):
        scheduler.schedule_task("greet", shout=True)
    with pytest.raises(ValueError, match=r"posixpath.*jion"):
        scheduler.register_task(TaskDefinition("join", "Join", "posixpath.jion"))

    assert scheduler.task_queue.is_empty()
    assert list(scheduler.task_definitions) == ["greet"]
    with pytest.raises(TaskNotRegistered):
        scheduler.unregister_task("join")
    scheduler.close()
