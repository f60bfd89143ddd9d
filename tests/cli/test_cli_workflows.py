"""``advanced-scheduler dag``: the graph, its runs, and whether it has a circle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .world import World

CIRCLE = """
from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, TaskDependency

scheduler = AdvancedTaskScheduler()
for one, other in (("a", "b"), ("b", "a")):
    scheduler.register_task(
        TaskDefinition(one, one, print, dependencies=[TaskDependency(other, "success")])
    )
"""
LOOSE = """
from advanced_scheduler import AdvancedTaskScheduler

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="b", after=["a"])
def b() -> None: ...
"""


def test_the_graph_is_drawn_in_text(world: World) -> None:
    found = world.json("dag", "show", schema="GraphOut")
    assert found["edges"] == [{"source": "add", "target": "after", "type": "success"}]
    assert json.loads(world.good("dag", "show", "-f", "json")) == found
    assert "▼" in world.good("dag", "show")
    assert world.good("dag", "show", "-f", "mermaid").startswith("flowchart TD\n")
    assert '"add" -> "after"' in world.good("dag", "show", "-f", "dot")


def test_a_run_is_watched_to_its_end(world: World) -> None:
    with world.at_work():
        done = world.run("dag", "run", "add", "after", "--json", '{"add": {"a": 1}}', "--watch")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "completed" in done.stdout
    (run,) = world.json("dag", "list", schema="WorkflowPage")["items"]
    assert (run["status"], run["counts"]) == ("completed", {"completed": 2})
    detail = world.json("dag", "show", run["id"], schema="WorkflowDetail")
    assert [one["task_id"] for one in detail["items"]] == ["add", "after"]
    assert "✓" in world.good("dag", "show", run["id"])


def test_a_run_that_failed_is_an_exit_code_and_run_again(world: World) -> None:
    started = world.json("dag", "run", "fail", schema="WorkflowStarted")
    world.work()
    again = ["dag", "retry", started["workflow_id"]]
    with world.at_work():
        failed = world.run(*again, "--watch", "-o", "json", "--every", "0.1")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout.splitlines()[-1])["status"] == "failed"
    assert world.good(*again) == f"{started['workflow_id']}\n"
    cancel = ["dag", "cancel", started["workflow_id"]]
    refused = world.run(*cancel)
    assert (refused.exit_code, "Cancel 1 of the 1 tasks" in refused.stderr) == (2, True)
    assert world.good(*cancel, "--yes") == "cancelled\n"
    assert world.run("dag", "cancel", "none").exit_code == 3
    assert world.run("dag", "show", "none").exit_code == 3


@pytest.mark.parametrize(
    ("source", "words"),
    [(CIRCLE, "circular dependency"), (LOOSE, "depends on 'a', which nobody registers")],
)
def test_a_graph_that_cannot_run_is_an_exit_code(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    name = f"graph_{words[0]}_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    alone = World.alone()
    done = alone.run("dag", "validate", "--app", f"{name}:scheduler")
    assert done.exit_code == 1
    assert words in done.output
    assert alone.good("dag", "validate", "--app", jobs) == "4 tasks, no circle\n"
