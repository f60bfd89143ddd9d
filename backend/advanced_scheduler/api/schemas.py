"""How executions and tasks look from outside: what is answered, and what is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from .fields import (
    Answer,
    Asked,
    Id,
    Instant,
    JsonList,
    JsonObject,
    Page,
    PriorityName,
    StatusName,
    Text,
    iso,
)

# --- executions -----------------------------------------------------------------------------


class AttemptOut(Answer):
    """One call of the task's function; ``backoff`` says how ``retry_delay`` was computed.

    ``outcome`` is a status, ``timed_out``, or ``lost`` where the node went down under it.
    """

    attempt: int
    outcome: str
    started_time: datetime | None
    ended_time: datetime | None
    node: str | None
    error: str | None
    traceback: str | None
    retry_time: datetime | None
    retry_delay: float | None
    backoff: str | None


class ProgressOut(Answer):
    """How far an execution is, as its task has told."""

    done: float
    total: float | None
    message: str | None
    time: datetime | None


class DependencyOut(Answer):
    """What an execution waits, or has waited, for."""

    task_id: str
    type: str
    execution_id: str | None
    settled: bool


Cause: TypeAlias = Literal["api", "dependency", "retry", "schedule", "task"]


class ExecutionOut(Answer):
    """One run of a task; times in UTC, durations in seconds."""

    id: str
    task_id: str
    task: str
    task_name: str
    status: StatusName
    success: bool | None
    priority: PriorityName
    queue: str
    rank: int
    scheduled_time: datetime
    due_time: datetime
    created_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    duration: float | None
    queue_wait: float | None
    attempt: int
    retry_count: int
    crashes: int
    node: str | None
    error: str | None
    reason: str | None
    cause: str | None
    caused_by: Cause
    again: str | None
    parent: str | None
    tags: list[str]
    schedule_id: str | None
    workflow_id: str | None
    trace_session_id: str | None


class ExecutionEnded(ExecutionOut):
    """The same with its result, as document 001 lists the history of a task."""

    result: Any


class ExecutionDetail(ExecutionEnded):
    """The same with what may be long."""

    args: list[Any]
    kwargs: dict[str, Any]
    traceback: str | None
    metrics: dict[str, Any]
    metadata: dict[str, Any]
    lock_id: str | None
    timeout: float | None
    fence: int
    lease_until: datetime | None
    progress: ProgressOut | None
    dependencies: list[DependencyOut]
    attempts: list[AttemptOut]


class ExecutionPage(Page):
    """Executions, the newest first.

    ``complete`` is false where the search ended before the page was full, so as to answer soon;
    ``next_cursor`` goes on with it.
    """

    executions: list[ExecutionOut]
    complete: bool = True


class TaskHistory(Page):
    """The executions of one task, the newest first, with their results."""

    executions: list[ExecutionEnded]


Statuses = Annotated[frozenset[StatusName], Field(json_schema_extra={"uniqueItems": False})]
"""Any of these; to name one twice is no fault."""


class ExecutionQuery(Asked):
    """Which executions; all conditions must hold. ``text`` is looked for in names and errors."""

    status: Statuses | None = None
    task_id: Id | None = None
    schedule_id: Id | None = None
    workflow_id: Id | None = None
    queue: Id | None = None
    priority: PriorityName | None = None
    node: Id | None = None
    tag: Id | None = None
    text: Text | None = None
    since: Instant | None = None
    until: Instant | None = None


class ExecutionSearch(ExecutionQuery):
    """A page of them."""

    limit: int = Field(default=50, ge=1, le=1000)
    cursor: Id | None = None


class ExecutionExport(ExecutionQuery):
    """All of them as a file."""

    format: Literal["csv", "json"] = "csv"
    limit: int = Field(default=10_000, ge=1, le=100_000)


class Batch(Asked):
    """The same act on many executions: those named, or all that fit a query."""

    action: Literal["cancel", "retry", "delete"]
    ids: list[Id] | None = Field(default=None, max_length=10_000)
    query: ExecutionQuery | None = None
    dry_run: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.ids is None) is (self.query is None):
            raise ValueError("give ids, or a query: {} is all executions")
        return self


class PriorityAsked(Asked):
    """Another place among those that wait: of equal priority the higher rank goes first.

    ``first``: before all of its priority that wait now.
    """

    priority: PriorityName | None = None
    rank: int | None = Field(default=None, ge=-1000, le=1000, strict=True)
    first: bool = Field(default=False, strict=True)


class BatchOut(Answer):
    """``matched`` executions fitted; ``changed`` of them were changed; the rest says why not."""

    action: str
    dry_run: bool
    matched: int
    changed: int
    created: list[str]
    refused: dict[str, str]


class ExecutionStarted(Answer):
    """What was asked for is stored and runs as soon as a node is free."""

    execution_id: str
    status: Literal["running"] = "running"


class StatusOut(Answer):
    """What became of it, in one word."""

    status: str


# --- tasks ----------------------------------------------------------------------------------


class TaskOut(Answer):
    """Something that can be run: a registered task, or one that was scheduled by a call."""

    id: str
    name: str
    status: str
    next_execution: datetime | None
    recurring: bool
    interval_type: str | None = None
    interval_value: int | None = None
    kind: Literal["registered", "scheduled"]
    priority: PriorityName
    tags: list[str]


class TaskPage(Page):
    """Tasks by id."""

    tasks: list[TaskOut]


class RetryOut(Answer):
    """When it is tried again; delays in seconds."""

    strategy: str
    max_attempts: int
    initial_delay: float
    max_delay: float
    backoff_multiplier: float
    jitter: bool


class ParameterOut(Answer):
    """A parameter of the function, for a form."""

    name: str
    kind: Literal["positional", "keyword"]
    required: bool
    type: str | None
    default: JsonValue = None


class TaskDetail(TaskOut):
    """The same with its definition and how it has been doing."""

    description: str | None
    module_id: str
    function_name: str
    parameters: dict[str, Any]
    created_at: datetime | None
    execution_count: int
    last_execution: datetime | None
    schedules: list[str]
    retry: RetryOut | None
    timeout: float | None
    require_lock: bool
    lock_timeout: float | None
    executor: str | None
    at_most_once: bool
    dependencies: list[DependencyOut]
    signature: list[ParameterOut]
    recent: list[StatusName]
    success_rate: float | None
    p50_seconds: float | None
    p95_seconds: float | None


class TaskScheduled(Answer):
    """The id of the task that a call has scheduled."""

    task_id: str
    status: Literal["scheduled"] = "scheduled"


class TaskAsked(Asked):
    """Document 001's configuration of a task; the service checks it."""

    name: str
    module_id: str
    function_name: str
    description: str | None = None
    parameters: JsonObject = Field(default_factory=dict)
    schedule_time: Annotated[datetime, BeforeValidator(iso)] | None = None
    recurring: bool | None = Field(default=None, strict=True)
    interval_type: str | None = None
    interval_value: int | None = Field(default=None, strict=True)
    cron: str | None = None
    event: str | None = None
    max_executions: int | None = Field(default=None, strict=True)
    trace_session_id: str | None = None


class RunAsked(Asked):
    """How to run a task once; ``delay`` in seconds, at most one of it and ``at``."""

    args: JsonList = Field(default_factory=list)
    kwargs: JsonObject = Field(default_factory=dict)
    priority: PriorityName | None = None
    queue: Id | None = None
    at: Instant | None = None
    delay: float | None = Field(default=None, ge=0, strict=True)
    unique: Id | None = None
    tags: list[Id] = Field(default_factory=list)
    timeout: float | None = Field(default=None, gt=0, strict=True)
