"""S34 and S35: dependencies that cannot be are refused, by name, and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition, TaskDependency
from advanced_scheduler.models import ExecutionFilter
from tests.scenarios import breaks


@pytest.fixture
def scheduler(url: str) -> Iterator[AdvancedTaskScheduler]:
    with closing(AdvancedTaskScheduler(store=url)) as scheduler:
        yield scheduler


def define(scheduler: AdvancedTaskScheduler, task_id: str, *needs: str) -> None:
    dependencies = [TaskDependency(one) for one in needs]
    scheduler.register_task(
        TaskDefinition(task_id, task_id, len, args=([],), dependencies=dependencies)
    )


def refusal(scheduler: AdvancedTaskScheduler, task_id: str, *needs: str) -> str:
    """The text of the ValueError at registration; empty if there was none."""
    try:
        define(scheduler, task_id, *needs)
    except ValueError as error:
        return str(error)
    return ""


def known(scheduler: AdvancedTaskScheduler) -> tuple[set[str], set[tuple[str, str]], set[str]]:
    """Nodes and edges of the graph, and the definitions."""
    graph = scheduler.dependency_graph.graph
    return set(graph.nodes), set(graph.edges), set(scheduler.task_definitions)


def cycle(scheduler: AdvancedTaskScheduler, last: str, *needs: str) -> list[str]:
    define(scheduler, "A", "B")
    define(scheduler, "B", "C")
    before = known(scheduler)
    text = refusal(scheduler, last, *needs)
    path = " -> ".join(["A", "B", "C", "A"] if last == "C" else [last, last])
    return [
        *([] if path in text and "circular dependency" in text.lower() else [f"said {text!r}"]),
        *([] if known(scheduler) == before else [f"knows {known(scheduler)}, not {before}"]),
        *(["has a cycle"] if scheduler.dependency_graph.has_cycle() else []),
    ]


@pytest.mark.parametrize(("last", "needs"), [("C", ["A"]), ("D", ["D"]), ("C", ["X", "A"])])
def test_a_cycle_is_refused_with_its_path_and_changes_nothing(
    scheduler: AdvancedTaskScheduler, last: str, needs: list[str]
) -> None:
    assert cycle(scheduler, last, *needs) == []
    define(scheduler, "C")
    assert scheduler.dependency_graph.topological_sort() == ["C", "B", "A"]


def test_control_without_the_check_the_graph_has_a_cycle(
    scheduler: AdvancedTaskScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-cycle-check", monkeypatch.setattr)
    assert len(cycle(scheduler, "C", "A")) == 3


def unknown(scheduler: AdvancedTaskScheduler) -> list[str]:
    define(scheduler, "orphan", "nobody")
    text = ""
    try:
        scheduler.schedule_task("orphan")
    except ValueError as error:
        text = str(error)
    stored = scheduler.store.find(ExecutionFilter())
    return [
        *([] if "'nobody'" in text and "not registered" in text else [f"said {text!r}"]),
        *(f"{row.execution_id} waits: {row.reason}" for row in stored),
    ]


def test_an_unknown_dependency_is_named_when_the_task_is_scheduled(
    scheduler: AdvancedTaskScheduler,
) -> None:
    assert unknown(scheduler) == []
    define(scheduler, "nobody")
    assert scheduler.schedule_task("orphan")


def test_control_without_the_check_the_task_waits_in_silence(
    scheduler: AdvancedTaskScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("unknown-waits", monkeypatch.setattr)
    assert len(unknown(scheduler)) == 2
