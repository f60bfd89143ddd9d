"""The routes of tasks and executions: paths, bodies and fields of document 001, and more."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from .asking import READ, RUN, WRITE, Cursor, NewId, PageLimit, PathId, Planned
from .log_schemas import LogPage
from .routing import started
from .schemas import (
    Batch,
    BatchOut,
    ExecutionDetail,
    ExecutionExport,
    ExecutionOut,
    ExecutionPage,
    ExecutionSearch,
    ExecutionStarted,
    PriorityAsked,
    RunAsked,
    StatusOut,
    TaskAsked,
    TaskDetail,
    TaskHistory,
    TaskPage,
    TaskScheduled,
)
from .service import Service

_EXPORTED: Final = (
    *("id", "task_id", "task_name", "status", "priority", "queue", "node", "attempt"),
    *("scheduled_time", "start_time", "end_time", "duration", "queue_wait", "error"),
)


def add_tasks(router: APIRouter, service: Service) -> None:
    """Tasks: what can be run, and what document 001's service has scheduled."""
    tasks = service.tasks

    @router.get("/tasks", dependencies=[READ])
    def list_tasks(limit: PageLimit = 100, cursor: Cursor = None) -> TaskPage:
        """Tasks by id."""
        return tasks.page(limit, cursor)

    @router.post("/tasks", status_code=201, dependencies=[WRITE])
    async def schedule_task(asked: TaskAsked, response: Response, new_id: NewId) -> TaskScheduled:
        """Schedule a task as document 001 says; its function must be a registered task."""
        task_id = await tasks.schedule(asked, new_id)
        response.headers["location"] = f"tasks/{task_id}"
        return TaskScheduled(task_id=task_id)

    @router.get("/tasks/{task_id}", dependencies=[READ])
    def get_task(task_id: PathId) -> TaskDetail:
        """One task, and how it has been doing."""
        return tasks.get(task_id)

    @router.delete("/tasks/{task_id}", dependencies=[WRITE])
    async def cancel_task(task_id: PathId) -> StatusOut:
        """Remove a scheduled task, and cancel its executions that have not ended."""
        await tasks.cancel(task_id)
        return StatusOut(status="cancelled")


def add_task_verbs(router: APIRouter, service: Service) -> None:
    """Tasks: to pause, to run, and what became of them."""
    tasks = service.tasks

    @router.post("/tasks/{task_id}/pause", dependencies=[WRITE])
    def pause_task(task_id: PathId) -> StatusOut:
        """Let none of its schedules fire."""
        tasks.pause(task_id)
        return StatusOut(status="paused")

    @router.post("/tasks/{task_id}/resume", dependencies=[WRITE])
    def resume_task(task_id: PathId) -> StatusOut:
        """Let its schedules go on."""
        tasks.resume(task_id)
        return StatusOut(status="resumed")

    @router.post("/tasks/{task_id}/execute", status_code=202, dependencies=[RUN])
    def execute_task(
        task_id: PathId, response: Response, new_id: NewId, asked: RunAsked | None = None
    ) -> ExecutionStarted:
        """Run it once, as soon as a node is free."""
        return started(tasks.run(task_id, asked or RunAsked(), new_id), response)

    @router.get("/tasks/{task_id}/executions", dependencies=[READ])
    def list_task_executions(
        task_id: PathId, limit: PageLimit = 50, cursor: Cursor = None
    ) -> TaskHistory:
        """Its executions, the newest first."""
        return service.executions.history(tasks.executions_of(task_id), limit, cursor)


def add_executions(router: APIRouter, service: Service) -> None:
    """Executions: to see, to search, to act on many."""
    executions = service.executions

    @router.get("/executions", dependencies=[READ])
    def list_executions(wanted: Annotated[ExecutionSearch, Query()]) -> ExecutionPage:
        """Executions, the newest first."""
        return executions.page(wanted, wanted.limit, wanted.cursor)

    @router.get("/executions/export", dependencies=[READ], response_class=StreamingResponse)
    def export_executions(wanted: Annotated[ExecutionExport, Query()]) -> StreamingResponse:
        """The same as a file."""
        lines = _csv if wanted.format == "csv" else _json
        kind = "text/csv" if wanted.format == "csv" else "application/json"
        return StreamingResponse(
            lines(executions.all(wanted, wanted.limit)),
            media_type=kind,
            headers={"content-disposition": f"attachment; filename=executions.{wanted.format}"},
        )

    @router.post("/executions/batch", dependencies=[WRITE])
    def act_on_executions(asked: Batch, plan: Planned) -> BatchOut:
        """Cancel, retry or delete many; ``dry_run`` only counts them."""
        return executions.batch(asked, plan)

    @router.get("/executions/{execution_id}", dependencies=[READ])
    def get_execution(execution_id: PathId) -> ExecutionDetail:
        """One execution with all that is known of it."""
        return executions.get(execution_id)

    @router.get("/executions/{execution_id}/logs", dependencies=[READ])
    def get_execution_logs(
        execution_id: PathId, after: Annotated[int, Query(ge=0, le=2**53)] = 0
    ) -> LogPage:
        """The lines that its task has logged, from the one after ``after`` on."""
        return executions.logs(execution_id, after)


def add_execution_verbs(router: APIRouter, service: Service) -> None:
    """Executions: to cancel, to skip, to let past others, to run again."""
    executions = service.executions

    @router.post("/executions/{execution_id}/cancel", dependencies=[RUN])
    def cancel_execution(execution_id: PathId) -> StatusOut:
        """Cancel it, and skip what depends on it."""
        executions.cancel(execution_id)
        return StatusOut(status="cancelled")

    @router.post("/executions/{execution_id}/skip", dependencies=[RUN])
    def skip_execution(execution_id: PathId) -> StatusOut:
        """Leave out an execution that is pending, and what depends on it."""
        executions.skip(execution_id)
        return StatusOut(status="skipped")

    @router.post("/executions/{execution_id}/priority", dependencies=[WRITE])
    def reorder_execution(execution_id: PathId, asked: PriorityAsked) -> ExecutionOut:
        """Give an execution that is pending another place among those that wait."""
        return executions.reorder(execution_id, asked)

    @router.post("/executions/{execution_id}/retry", status_code=202, dependencies=[RUN])
    def retry_execution(
        execution_id: PathId, response: Response, new_id: NewId
    ) -> ExecutionStarted:
        """Run it again, as a new execution."""
        return started(executions.retry(execution_id, new_id), response)


def _csv(rows: Iterator[Any]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_EXPORTED)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in _EXPORTED])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    """A spreadsheet must not take a text for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _json(rows: Iterator[Any]) -> Iterator[str]:
    separator = "["
    for row in rows:
        yield separator + json.dumps(row.model_dump(mode="json"), ensure_ascii=False)
        separator = ",\n"
    yield "]" if separator != "[" else "[]"
