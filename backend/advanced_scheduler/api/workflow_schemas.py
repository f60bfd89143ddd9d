"""How the dependency graph and the runs of workflows look from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .fields import Answer, Asked, Id, JsonObject, Page, PriorityName, StatusName


class GraphNode(Answer):
    """A task; ``layer`` is how many tasks come before it on the longest way."""

    id: str
    name: str
    priority: PriorityName
    layer: int
    critical: bool


class GraphEdge(Answer):
    """``source`` comes before ``target``."""

    source: str
    target: str
    type: Literal["success", "failure", "completion"]


class GraphOut(Answer):
    """The dependencies of the registered tasks."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]


class WorkflowTask(Answer):
    """The newest execution of a task in a run; times in UTC, durations in seconds.

    ``critical``: it is on the way whose durations add up to most, so to make it faster is to be
    done earlier.
    """

    task_id: str
    execution_id: str
    status: StatusName
    start_time: datetime | None
    end_time: datetime | None
    duration: float | None
    reason: str | None
    critical: bool
    upstream: list[GraphEdge]


class WorkflowRun(Answer):
    """Executions that were created together, in one word: as bad as the worst of them."""

    id: str
    status: StatusName
    created_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    tasks: int
    counts: dict[StatusName, int]


class WorkflowDetail(WorkflowRun):
    """The same with its tasks, upstream ones first."""

    items: list[WorkflowTask]


class WorkflowPage(Page):
    """Runs, the latest first."""

    items: list[WorkflowRun]


class WorkflowDetails(Page):
    """Runs with their tasks, the latest first."""

    items: list[WorkflowDetail]


class WorkflowAsked(Asked):
    """Which tasks to run together, with keyword arguments by task id."""

    tasks: list[Id] = Field(min_length=1, max_length=10_000)
    arguments: dict[str, JsonObject] = Field(default_factory=dict)


class WorkflowStarted(Answer):
    """The run, and its executions by task id."""

    workflow_id: str
    executions: dict[str, str]
