"""How what the service answers of workflows becomes pictures, or text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from . import svg
from .workflow_schemas import GraphOut, WorkflowDetail, WorkflowTask

Link: TypeAlias = Callable[[str], str]


def graph_of_tasks(graph: GraphOut, link: Link | None = None) -> svg.Graph:
    """The dependencies of the registered tasks; ``link`` leads from a task id to its page."""
    return svg.Graph(
        nodes=[
            svg.Node(
                id=one.id,
                label=one.name,
                note=f"priority {one.priority}",
                href=None if link is None else link(one.id),
                critical=one.critical,
            )
            for one in graph.nodes
        ],
        edges=[
            svg.Edge(source=one.source, target=one.target, type=one.type) for one in graph.edges
        ],
    )


def graph_of_run(run: WorkflowDetail, link: Link | None = None) -> svg.Graph:
    """The tasks of a run with their states; ``link`` leads from an execution id to its page."""
    here = {one.task_id for one in run.items}
    edges = [
        svg.Edge(source=edge.source, target=edge.target, type=edge.type)
        for one in run.items
        for edge in one.upstream
        if edge.source in here
    ]
    nodes = [
        svg.Node(
            id=one.task_id,
            label=one.task_id,
            state=one.status,
            note="" if one.duration is None else svg.lasting(one.duration),
            href=None if link is None else link(one.execution_id),
            critical=one.critical,
        )
        for one in run.items
    ]
    return svg.Graph(nodes=nodes, edges=edges)


def gantt_of(run: WorkflowDetail, now: datetime, link: Link | None = None) -> svg.Markup:
    """When each task of a run began and ended."""
    rows = [
        svg.Row(
            label=one.task_id,
            state=one.status,
            start=one.start_time,
            end=one.end_time,
            href=None if link is None else link(one.execution_id),
        )
        for one in sorted(
            run.items, key=lambda one: (one.start_time is None, one.start_time or now)
        )
    ]
    return svg.gantt(rows, now, f"When the {len(rows)} tasks of this run began and ended")


def grid_of(
    tasks: Sequence[str], runs: Sequence[WorkflowDetail], links: tuple[Link, Link]
) -> svg.Markup:
    """What became of each task in each run, the latest run at the right.

    ``links`` lead from a run to its page, and from an execution to its own.
    """
    of_run, of_execution = links
    slices = []
    for run in sorted(runs, key=lambda one: one.id):
        found = {one.task_id: one for one in run.items}
        cells = [_cell(found.get(task), of_execution) for task in tasks]
        when = "" if run.created_time is None else f" of {run.created_time:%Y-%m-%d %H:%M} UTC"
        slices.append(svg.Slice(label=f"run{when}: {run.status}", cells=cells, href=of_run(run.id)))
    return svg.grid(tasks, slices, f"{len(tasks)} tasks in the last {len(runs)} runs")


def parts_of(graph: GraphOut) -> list[GraphOut]:
    """The workflows: tasks that hang together, the largest first; single tasks are none."""
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        neighbours[edge.source].append(edge.target)
        neighbours[edge.target].append(edge.source)
    seen: set[str] = set()
    found = []
    for node in graph.nodes:
        if node.id in seen or node.id not in neighbours:
            continue
        members = _reached(node.id, neighbours)
        seen |= members
        found.append(
            GraphOut(
                nodes=[one for one in graph.nodes if one.id in members],
                edges=[one for one in graph.edges if one.source in members],
            )
        )
    return sorted(found, key=lambda one: -len(one.nodes))


def _reached(start: str, neighbours: Mapping[str, Iterable[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _cell(task: WorkflowTask | None, link: Link) -> svg.Cell:
    if task is None:
        return svg.Cell(state=None)
    took = "" if task.duration is None else svg.lasting(task.duration)
    return svg.Cell(state=task.status, href=link(task.execution_id), title=task.reason or took)
