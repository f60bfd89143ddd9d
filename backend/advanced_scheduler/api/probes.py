"""The probes, the scrape and the description of REST, in an application of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..engine.probe import PATIENCE
from ..errors import SchedulerError
from ..metrics.recent import Recent
from ..metrics.series import SchedulerMetrics
from ..metrics.server import BARE_FAILURE, Page, Pages, Reply
from ..scheduler import AdvancedTaskScheduler
from .access import Access, demand
from .auth import Scope
from .problems import Problem, problem_of
from .routing import hardened, problem_response

Answer = Callable[[Request], Awaitable[Response]]

_REPORT, _METRICS = "/health", "/metrics"
_THREADS: Final = 8  # of their own: a store that hangs holds those of all other requests


def probes(
    scheduler: AdvancedTaskScheduler, access: Access, *, public_metrics: bool, node: bool = True
) -> APIRouter:
    """What ``serve_metrics`` answers as well; what has details, to those who may read."""
    pages = Pages(scheduler, SchedulerMetrics(scheduler), node=node)
    pinged = Recent(scheduler.store.ping, scheduler.clock, keep=2, wait=PATIENCE)
    threads, router = CapacityLimiter(_THREADS), APIRouter()

    def answering(page: Page) -> Answer:
        async def answer(request: Request) -> Response:
            asked = request.headers.get("accept", "")
            return _response(await to_thread.run_sync(page, asked, limiter=threads))

        return answer

    def known(answer: Answer) -> Answer:
        """To those who may read; at once, where they cannot be looked up."""
        guarded = _guarded(answer, access)

        async def check(request: Request) -> Response:
            if access.asks_store:
                try:
                    await to_thread.run_sync(pinged.get, limiter=threads)
                except (TimeoutError, SchedulerError):
                    return _response(BARE_FAILURE)
            return await guarded(request)

        return check

    answers = {path: answering(page) for path, page in pages.by_path.items()}
    for path in (_REPORT,) if public_metrics else (_REPORT, _METRICS):
        answers[path] = known(answers[path])
    for path, answer in answers.items():
        router.add_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False)
    return router


def add_description(app: FastAPI, access: Access) -> None:
    """The description of REST, to those who may read."""

    async def describe(_: Request) -> Response:
        return hardened(JSONResponse(await run_in_threadpool(app.openapi)))

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


def _response(reply: Reply) -> Response:
    headers = dict(reply.headers)
    return hardened(Response(reply.body, reply.status, headers, reply.content_type))
