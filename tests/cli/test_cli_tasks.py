"""``advanced-scheduler task``."""

from __future__ import annotations

from .world import World


def test_tasks_are_listed(world: World) -> None:
    found = world.json("task", "list", schema="TaskPage")
    assert [one["id"] for one in found["tasks"]] == ["add", "after", "fail"]
    first, *rest = world.good("task", "list").splitlines()
    assert first.split() == ["id", "status", "priority", "kind", "next", "tags"]
    assert rest[0].split() == ["add", "active", "normal", "registered", "-", "sums"]


def test_a_task_shows_its_definition(world: World) -> None:
    found = world.json("task", "show", "add", schema="TaskDetail")
    assert found["function_name"] == "add"
    shown = world.good("task", "show", "add")
    assert "cli_jobs.add" in shown
    assert "Adds two numbers." in shown


def test_a_task_is_run_with_arguments(world: World) -> None:
    started = world.json("task", "run", "add", "--json", "[1]", schema="ExecutionStarted")
    named = world.good("task", "run", "add", "--json", '{"a": 3}', "--priority", "high").strip()
    world.work()
    results = [world.scheduler.result(one, 0) for one in (started["execution_id"], named)]
    assert results == [3, 5]
