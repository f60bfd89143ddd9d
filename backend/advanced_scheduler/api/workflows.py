"""What operators ask of workflows: the graph of the tasks, and the runs along it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Final

from ..errors import InvalidArguments
from ..lifecycle import FINAL
from ..models import ExecutionFilter, TaskDefinition, TaskExecution, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .planning import Plan, unplanned
from .problems import Problem, not_found
from .views import priority_name
from .workflow_schemas import (
    GraphEdge,
    GraphNode,
    GraphOut,
    WorkflowAsked,
    WorkflowDetail,
    WorkflowDetails,
    WorkflowPage,
    WorkflowRun,
    WorkflowStarted,
    WorkflowTask,
)

_MOST: Final = 10_000  # executions of one run
_LOOKED_AT: Final = 5000  # executions in one search for runs
_STEP: Final = 500

_WORST: Final = (
    TaskStatus.RUNNING,
    TaskStatus.RETRYING,
    TaskStatus.PENDING,
    TaskStatus.FAILED,
    TaskStatus.CANCELLED,
    TaskStatus.COMPLETED,
    TaskStatus.SKIPPED,
)
"""The status of a run is the first of these that one of its tasks has.

What is skipped is no harm: nobody needs the task that waits for a failure where none came.
"""


class Workflows:
    """Over the dependency graph of this process, and the runs of its store."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def graph(self) -> GraphOut:
        """All registered tasks with their dependencies, upstream ones first."""
        definitions = dict(self._scheduler.task_definitions)
        order = [
            one for one in self._scheduler.dependency_graph.topological_sort() if one in definitions
        ]
        edges = _edges(definitions)
        ends, longest = _longest(dict.fromkeys(order, 1.0), edges)
        return GraphOut(
            nodes=[
                GraphNode(
                    id=one,
                    name=definitions[one].task_name,
                    priority=priority_name(definitions[one].priority),
                    layer=int(ends[one]) - 1,
                    critical=len(longest) > 1 and one in longest,
                )
                for one in order
            ],
            edges=edges,
        )

    def runs(self, limit: int = 50, cursor: str | None = None) -> WorkflowPage:
        """The latest runs; the cursor is an execution id."""
        found, next_cursor = self._latest(limit, cursor)
        runs = [_run(one, rows) for one, rows in found.items()]
        return WorkflowPage(items=runs, next_cursor=next_cursor)

    def details(self, limit: int, cursor: str | None = None) -> WorkflowDetails:
        """The same with their tasks."""
        found, next_cursor = self._latest(limit, cursor)
        runs = [_detail(one, rows) for one, rows in found.items()]
        return WorkflowDetails(items=runs, next_cursor=next_cursor)

    def get(self, workflow_id: str) -> WorkflowDetail:
        """One run with its tasks; raises ``Problem``."""
        rows = self._rows(workflow_id)
        if not rows:
            raise not_found("workflow", workflow_id)
        return _detail(workflow_id, rows)

    def start(self, asked: WorkflowAsked, new_id: str | None = None) -> WorkflowStarted:
        """Run these tasks together; raises ``ValueError``."""
        try:
            made = self._scheduler.schedule_workflow(
                asked.tasks, asked.arguments, workflow_id=new_id
            )
        except InvalidArguments as error:  # its body has no ``kwargs`` to point into
            raise InvalidArguments(str(error)) from error
        first = self._scheduler.get_execution(next(iter(made.values())))
        run = "" if first is None or first.workflow_id is None else first.workflow_id
        return WorkflowStarted(workflow_id=run, executions=made)

    def retry(self, workflow_id: str, plan: Plan = unplanned) -> WorkflowStarted:
        """Run again what did not complete; raises ``ExecutionNotFound`` and ``ValueError``."""
        seen = plan(lambda: [row.execution_id for row in self._rows(workflow_id)[-1:]])
        made = self._scheduler.retry_workflow(workflow_id, seen=next(iter(seen), None))
        return WorkflowStarted(workflow_id=workflow_id, executions=made)

    def cancel(self, workflow_id: str) -> int:
        """Cancel what has not ended; answers how many. Raises ``Problem``."""
        rows = self._rows(workflow_id)
        if not rows:
            raise not_found("workflow", workflow_id)
        left = [row for row in rows if row.status not in FINAL]
        return sum(self._scheduler.cancel_task(row.execution_id) for row in left)

    def execution_of(self, workflow_id: str, task_id: str) -> str:
        """The newest execution of a task in a run; raises ``Problem``."""
        for row in self._rows(workflow_id):
            if row.task_id == task_id:
                return row.execution_id
        raise Problem(404, "task-not-found", f"workflow {workflow_id!r} has no task {task_id!r}")

    def _latest(
        self, limit: int, cursor: str | None
    ) -> tuple[dict[str, list[TaskExecution]], str | None]:
        """The rows of the latest runs among the next executions, and where to go on."""
        found: dict[str, None] = {}
        looked_at = 0
        while len(found) < limit and looked_at < _LOOKED_AT:
            page = self._scheduler.store.outlines(ExecutionFilter(cursor=cursor, limit=_STEP))
            for row in page:
                looked_at += 1
                if row.workflow_id is not None and row.workflow_id not in found:
                    if len(found) == limit:
                        break
                    found[row.workflow_id] = None
                cursor = row.execution_id
            if len(page) < _STEP:
                cursor = None
                break
        return {one: rows for one in found if (rows := self._rows(one))}, cursor

    def _rows(self, workflow_id: str) -> list[TaskExecution]:
        """The newest execution of each task, in the order in which they were made."""
        query = ExecutionFilter(workflow_id=workflow_id, limit=_MOST)
        newest: dict[str, TaskExecution] = {}
        for row in self._scheduler.store.find(query):
            newest.setdefault(row.task_id, row)
        return sorted(newest.values(), key=lambda row: row.execution_id)


def _edges(definitions: Mapping[str, TaskDefinition]) -> list[GraphEdge]:
    return [
        GraphEdge(source=one.task_id, target=definition.task_id, type=one.dependency_type)
        for definition in definitions.values()
        for one in definition.dependencies
        if one.task_id in definitions
    ]


def _longest(
    weights: Mapping[str, float], edges: Sequence[GraphEdge]
) -> tuple[dict[str, float], frozenset[str]]:
    """The weight of the heaviest way to each task, itself included, and the tasks on the heaviest.

    That is none where nothing weighs anything.
    """
    upstream: dict[str, list[str]] = {one: [] for one in weights}
    for edge in edges:
        upstream[edge.target].append(edge.source)
    ends: dict[str, float] = {}
    for one in TopologicalSorter(upstream).static_order():
        ends[one] = weights[one] + max((ends[other] for other in upstream[one]), default=0.0)
    way: list[str] = []
    last = max(ends, key=ends.__getitem__, default=None)
    while last is not None and ends[last] > 0:
        way.append(last)
        last = max(upstream[last], key=ends.__getitem__, default=None)
    return ends, frozenset(way)


def _run(workflow_id: str, rows: Sequence[TaskExecution]) -> WorkflowRun:
    counts = Counter(row.status for row in rows)
    begun = [row.started_time for row in rows if row.started_time is not None]
    ended = [row.completed_time for row in rows if row.completed_time is not None]
    made = [row.created_time for row in rows if row.created_time is not None]
    over = all(row.status in FINAL for row in rows)
    return WorkflowRun(
        id=workflow_id,
        status=next(one for one in _WORST if counts[one]).value,
        created_time=min(made, default=None),
        start_time=min(begun, default=None),
        end_time=max(ended, default=None) if over else None,
        tasks=len(rows),
        counts={status.value: number for status, number in counts.items()},
    )


def _detail(workflow_id: str, rows: Sequence[TaskExecution]) -> WorkflowDetail:
    return WorkflowDetail(**_run(workflow_id, rows).model_dump(), items=_tasks(rows))


def _tasks(rows: Sequence[TaskExecution]) -> list[WorkflowTask]:
    took = {row.task_id: row.metrics.get("execution_time") for row in rows}
    edges = {row.task_id: _upstream(row) for row in rows}
    inner = [one for some in edges.values() for one in some if one.source in took]
    _, critical = _longest({one: length or 0.0 for one, length in took.items()}, inner)
    return [
        WorkflowTask(
            task_id=row.task_id,
            execution_id=row.execution_id,
            status=row.status.value,
            start_time=row.started_time,
            end_time=row.completed_time,
            duration=took[row.task_id],
            reason=row.reason,
            critical=row.task_id in critical,
            upstream=edges[row.task_id],
        )
        for row in rows
    ]


def _upstream(row: TaskExecution) -> list[GraphEdge]:
    return [
        GraphEdge(source=one.task_id, target=row.task_id, type=one.dependency_type)
        for one in row.dependencies
    ]
