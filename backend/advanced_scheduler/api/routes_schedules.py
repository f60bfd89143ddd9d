"""The routes of schedules and workflows."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from .asking import READ, RUN, WRITE, Cursor, IfMatch, NewId, PageLimit, PathId, Planned
from .fields import Id, Instant, Number
from .routing import started
from .schedule_schemas import (
    BackfillAsked,
    BackfillOut,
    LedgerOut,
    PreviewAsked,
    PreviewOut,
    ResumeAsked,
    RunScheduleAsked,
    ScheduleAsked,
    ScheduleDetail,
    ScheduleFields,
    ScheduleOut,
    SchedulePage,
    TickOut,
    VersionPage,
)
from .schemas import ExecutionStarted, StatusOut
from .service import Service
from .workflow_schemas import (
    GraphOut,
    WorkflowAsked,
    WorkflowDetail,
    WorkflowPage,
    WorkflowStarted,
)


def add_schedules(router: APIRouter, service: Service) -> None:
    """Schedules: to see, to make, to edit."""
    schedules = service.schedules

    @router.get("/schedules", dependencies=[READ])
    def list_schedules(
        limit: PageLimit = 100,
        cursor: Cursor = None,
        *,
        name: Annotated[Id | None, Query()] = None,
        task_id: Annotated[Id | None, Query()] = None,
        status: Annotated[Literal["active", "paused", "ended"] | None, Query()] = None,
        tag: Annotated[Id | None, Query()] = None,
    ) -> SchedulePage:
        """Schedules by id."""
        return schedules.page(limit, cursor, name=name, task_id=task_id, status=status, tag=tag)

    @router.post("/schedules", status_code=201, dependencies=[WRITE])
    def create_schedule(asked: ScheduleAsked, response: Response) -> ScheduleOut:
        """Run a registered task whenever a trigger says so."""
        made = schedules.create(asked)
        response.headers["location"] = f"schedules/{quote(made.id, safe='')}"
        return _tagged(made, response)

    @router.post("/schedules/preview", dependencies=[READ])
    def preview_trigger(asked: PreviewAsked) -> PreviewOut:
        """What a trigger means, and when it would run; nothing is stored."""
        return schedules.preview(asked)

    @router.get("/schedules/{schedule_id}", dependencies=[READ])
    def get_schedule(schedule_id: PathId, response: Response) -> ScheduleDetail:
        """One schedule, its next runs, and how it has been doing."""
        found = schedules.get(schedule_id)
        response.headers["etag"] = found.etag
        return found

    @router.patch("/schedules/{schedule_id}", dependencies=[WRITE])
    def update_schedule(
        schedule_id: PathId, asked: ScheduleFields, response: Response, version: IfMatch
    ) -> ScheduleOut:
        """Change what is given, on all nodes at once; ``If-Match`` guards what others did."""
        return _tagged(schedules.edit(schedule_id, asked, version), response)

    @router.delete("/schedules/{schedule_id}", dependencies=[WRITE])
    def remove_schedule(schedule_id: PathId) -> StatusOut:
        """Delete it; what it has done stays in the ledger."""
        schedules.remove(schedule_id)
        return StatusOut(status="removed")


def add_schedule_verbs(router: APIRouter, service: Service) -> None:
    """Schedules: to pause, to run, to explain."""
    schedules = service.schedules

    @router.post("/schedules/{schedule_id}/pause", dependencies=[WRITE])
    def pause_schedule(schedule_id: PathId, response: Response, plan: Planned) -> ScheduleOut:
        """Fire nothing more, on any node, once this is answered."""
        return _tagged(schedules.pause(schedule_id, plan), response)

    @router.post("/schedules/{schedule_id}/resume", dependencies=[WRITE])
    def resume_schedule(
        schedule_id: PathId, response: Response, plan: Planned, asked: ResumeAsked | None = None
    ) -> ScheduleOut:
        """Go on."""
        catch_up = asked is not None and asked.catch_up
        return _tagged(schedules.resume(schedule_id, catch_up=catch_up, plan=plan), response)

    @router.post("/schedules/{schedule_id}/run", status_code=202, dependencies=[RUN])
    def run_schedule(
        schedule_id: PathId,
        response: Response,
        new_id: NewId,
        asked: RunScheduleAsked | None = None,
    ) -> ExecutionStarted:
        """Run it once, now, also while it is paused."""
        return started(schedules.run(schedule_id, asked or RunScheduleAsked(), new_id), response)

    @router.post("/schedules/{schedule_id}/rollback/{version}", dependencies=[WRITE])
    def rollback_schedule(
        schedule_id: PathId, version: Number, response: Response, plan: Planned
    ) -> ScheduleOut:
        """Make what an earlier version said the next version."""
        return _tagged(schedules.rollback(schedule_id, version, plan), response)


def add_ledger(router: APIRouter, service: Service) -> None:
    """Schedules: what they were, and what they did."""
    schedules = service.schedules

    @router.get("/schedules/{schedule_id}/history", dependencies=[READ])
    def get_schedule_history(schedule_id: PathId) -> VersionPage:
        """Its versions with what each has changed, the latest first."""
        return schedules.history(schedule_id)

    @router.get("/schedules/{schedule_id}/ticks", dependencies=[READ])
    def get_ticks(
        schedule_id: PathId,
        start: Annotated[Instant, Query()],
        end: Annotated[Instant, Query()],
    ) -> LedgerOut:
        """What became of every instant from ``start`` up to, without, ``end``."""
        return schedules.ledger(schedule_id, start, end)

    @router.get("/schedules/{schedule_id}/explain", dependencies=[READ])
    def explain_instant(schedule_id: PathId, instant: Annotated[Instant, Query()]) -> TickOut:
        """Why it ran late, or not at all."""
        return schedules.explain(schedule_id, instant)

    @router.post("/schedules/{schedule_id}/backfill", dependencies=[WRITE])
    def backfill_schedule(schedule_id: PathId, asked: BackfillAsked, plan: Planned) -> BackfillOut:
        """Run it for instants of the past."""
        return schedules.backfill(schedule_id, asked, plan)


def add_workflows(router: APIRouter, service: Service) -> None:
    """The graph of the tasks, and the runs along it."""
    workflows = service.workflows

    @router.get("/workflows/graph", dependencies=[READ])
    def get_graph() -> GraphOut:
        """The dependencies of the registered tasks, upstream ones first."""
        return workflows.graph()

    @router.get("/workflows", dependencies=[READ])
    def list_workflows(limit: PageLimit = 20, cursor: Cursor = None) -> WorkflowPage:
        """Runs, the latest first."""
        return workflows.runs(limit, cursor)

    @router.post("/workflows", status_code=202, dependencies=[RUN])
    def run_workflow(asked: WorkflowAsked, response: Response, new_id: NewId) -> WorkflowStarted:
        """Run these tasks together."""
        made = workflows.start(asked, new_id)
        response.headers["location"] = f"workflows/{made.workflow_id}"
        return made

    @router.get("/workflows/{workflow_id}", dependencies=[READ])
    def get_workflow(workflow_id: PathId) -> WorkflowDetail:
        """One run with its tasks, upstream ones first."""
        return workflows.get(workflow_id)


def add_workflow_verbs(router: APIRouter, service: Service) -> None:
    """Runs: to go on after a failure, without a task, or not at all."""
    workflows = service.workflows

    @router.post("/workflows/{workflow_id}/retry", status_code=202, dependencies=[RUN])
    def retry_workflow(workflow_id: PathId, plan: Planned) -> WorkflowStarted:
        """Run again what did not complete."""
        return workflows.retry(workflow_id, plan)

    @router.post("/workflows/{workflow_id}/tasks/{task_id}/skip", dependencies=[RUN])
    def skip_workflow_task(workflow_id: PathId, task_id: PathId) -> StatusOut:
        """Leave out a task of a run that has not begun, and what depends on it."""
        service.executions.skip(workflows.execution_of(workflow_id, task_id))
        return StatusOut(status="skipped")

    @router.post("/workflows/{workflow_id}/cancel", dependencies=[RUN])
    def cancel_workflow(workflow_id: PathId) -> StatusOut:
        """Cancel what has not ended."""
        workflows.cancel(workflow_id)
        return StatusOut(status="cancelled")


def _tagged(schedule: ScheduleOut, response: Response) -> ScheduleOut:
    response.headers["etag"] = schedule.etag
    return schedule
