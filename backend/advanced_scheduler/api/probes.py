"""The probes, the scrape and the description of REST, in an application of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import SchedulerError
from ..metrics.series import SchedulerMetrics
from ..metrics.server import Page, Pages
from ..scheduler import AdvancedTaskScheduler
from .access import Access, demand
from .auth import Scope
from .problems import Problem, problem_of
from .routing import hardened, problem_response

Answer = Callable[[Request], Awaitable[Response]]

_PUBLIC: Final = frozenset({"/health/live", "/health/ready", "/health/startup"})
"""What tells nothing but whether all is well."""


def probes(scheduler: AdvancedTaskScheduler, access: Access, *, public_metrics: bool) -> APIRouter:
    """What ``serve_metrics`` answers as well; what has details, to those who may read."""
    public = _PUBLIC | {"/metrics"} if public_metrics else _PUBLIC
    pages, router = Pages(scheduler, SchedulerMetrics(scheduler)), APIRouter()
    for path, page in pages.by_path.items():
        answer = _answering(page)
        router.add_route(
            path,
            answer if path in public else _guarded(answer, access),
            methods=["GET", "HEAD"],
            include_in_schema=False,
        )
    return router


def add_description(app: FastAPI, access: Access) -> None:
    """The description of REST, to those who may read."""

    async def describe(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(app.openapi))

    path = "/api/v1/scheduler/openapi.json"
    app.add_route(path, _guarded(describe, access), include_in_schema=False)


def _guarded(answer: Answer, access: Access) -> Answer:
    async def check(request: Request) -> Response:
        try:
            demand(await access.principal(request), Scope.READ)
        except Problem as problem:
            return problem_response(problem, "-")
        except SchedulerError as error:
            return problem_response(problem_of(error), "-")
        return await answer(request)

    return check


def _answering(page: Page) -> Answer:
    async def answer(request: Request) -> Response:
        reply = await run_in_threadpool(page, request.headers.get("accept", ""))
        headers = dict(reply.headers)
        return hardened(Response(reply.body, reply.status, headers, reply.content_type))

    return answer
