"""The pages of workflows: the graph of the tasks, and each run along it."""

from __future__ import annotations

from typing import Final

from .. import drawing, svg
from ..problems import Problem
from ..workflow_schemas import GraphOut, WorkflowDetail
from .page import Context, Nav, Page, Visit

_RUNS: Final = 25
_OPEN: Final = frozenset({"pending", "running", "retrying"})
_VIEWS: Final = ("graph", "gantt", "table")
_UNMET: Final = frozenset({"failed", "cancelled", "skipped"})


def workflows(visit: Visit) -> Context:
    """One workflow: tasks that depend on each other; its runs, and what became of each task."""
    graph = visit.service.workflows.graph()
    parts = drawing.parts_of(graph)
    chosen = _chosen(parts, visit.first("of"))
    page = visit.service.workflows.details(_RUNS, visit.first("cursor"))
    return {
        "parts": [(part.nodes[0].id, len(part.nodes)) for part in parts],
        "chosen": chosen,
        "alone": len(graph.nodes) - sum(len(one.nodes) for one in parts),
        "picture": chosen and _definitions(visit, chosen),
        "grid": chosen and _grid(visit, chosen, page.items),
        "runs": page.items,
        "next_cursor": page.next_cursor,
    }


def workflow(visit: Visit) -> Context:
    """One run: its graph, its times, its tasks."""
    run = visit.service.workflows.get(visit.path["workflow_id"])
    view = visit.first("view")
    view = view if view in _VIEWS else _VIEWS[0]
    return {
        "run": run,
        "title": "Workflow run",
        "view": view,
        "views": _VIEWS,
        "picture": _picture(visit, run, view),
        "others": visit.service.workflows.runs(_RUNS).items,
        "open": [one for one in run.items if one.status in _OPEN],
        "unmet": [one for one in run.items if one.status in _UNMET],
    }


def _chosen(parts: list[GraphOut], task_id: str | None) -> GraphOut | None:
    """The workflow of this task, or else the largest one."""
    if task_id is not None:
        for part in parts:
            if any(one.id == task_id for one in part.nodes):
                return part
        raise Problem(404, "workflow-not-found", f"no workflow has a task {task_id!r}")
    return next(iter(parts), None)


def _definitions(visit: Visit, part: GraphOut) -> svg.Markup:
    graph = drawing.graph_of_tasks(part, lambda task: visit.link("tasks", task))
    return svg.draw(graph, f"Workflow of {len(part.nodes)} tasks")


def _grid(visit: Visit, part: GraphOut, runs: list[WorkflowDetail]) -> svg.Markup | None:
    tasks = [one.id for one in part.nodes]
    ours = [run for run in runs if any(one.task_id in tasks for one in run.items)]
    if not ours:
        return None
    links = (
        lambda run: visit.link("workflows", run),
        lambda execution: visit.link("executions", execution),
    )
    return drawing.grid_of(tasks, ours, links)


def _picture(visit: Visit, run: WorkflowDetail, view: str) -> svg.Markup | None:
    def link(execution_id: str) -> str:
        return visit.link("executions", execution_id)

    if view == "graph":
        label = f"Workflow run of {len(run.items)} tasks, {run.status}"
        return svg.draw(drawing.graph_of_run(run, link), label)
    return drawing.gantt_of(run, visit.now, link) if view == "gantt" else None


PAGES: Final = (
    Page(
        "workflows", "workflows.html", "Workflows", workflows, nav=Nav("Workflows", "workflow", 50)
    ),
    Page("workflows/{workflow_id}", "workflow.html", "Workflow run", workflow, within="workflows"),
)
