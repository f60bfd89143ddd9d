"""The door: a router for applications that have one, and an application for those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from .. import __version__
from ..errors import SchedulerError
from ..metrics.series import SchedulerMetrics
from ..metrics.server import Page, Pages
from ..scheduler import AdvancedTaskScheduler
from .access import Access, Authenticate, demand
from .asking import PROBLEMS
from .auth import Principal, Scope
from .limits import BodyLimit
from .live import wanted
from .openapi import DescribedApp
from .pages import pages_router
from .problems import Problem
from .routes import add_execution_verbs, add_executions, add_task_verbs, add_tasks
from .routes_operation import (
    add_cluster,
    add_dead_letters,
    add_keys,
    add_login,
    add_nodes,
    add_watching,
)
from .routes_schedules import (
    add_ledger,
    add_schedule_verbs,
    add_schedules,
    add_workflow_verbs,
    add_workflows,
)
from .routes_series import add_series
from .routing import problem_response, route_class
from .service import Service

PREFIX: Final = "/api/v1/scheduler"


def scheduler_router(
    scheduler: AdvancedTaskScheduler,
    *,
    authenticate: Authenticate | None = None,
    dashboard: bool = True,
) -> APIRouter:
    """All routes, for ``app.include_router``; the host starts and stops the scheduler.

    REST is under ``/api/v1/scheduler``, the ``dashboard`` beside it under ``/scheduler/``.

    ``authenticate(request)`` is the host's own check: a ``Principal``, or None for whom it does
    not know. Without it callers show an API key, but for those on this very machine.
    """
    service = Service(scheduler)
    access = Access(service.keys, authenticate)
    router = _routes(service, access)
    for add in (
        add_tasks,
        add_task_verbs,
        add_executions,
        add_execution_verbs,
        add_schedules,
        add_schedule_verbs,
        add_ledger,
        add_workflows,
        add_workflow_verbs,
        add_cluster,
        add_nodes,
        add_dead_letters,
        add_watching,
        add_series,
        add_keys,
    ):
        add(router, service)
    public = _routes(service, _nobody())
    add_login(public, service)
    router_of_all = APIRouter()
    router_of_all.include_router(router)
    router_of_all.include_router(public)
    _add_socket(router_of_all, service, access)
    if dashboard:
        router_of_all.include_router(pages_router(service, access))
    return router_of_all


def create_app(
    scheduler: AdvancedTaskScheduler,
    *,
    authenticate: Authenticate | None = None,
    run: bool = True,
) -> FastAPI:
    """An application of its own: routes, dashboard, probes and metrics.

    With ``run`` it starts and stops the scheduler as well; without, it only serves.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not run:
            yield
            return
        async with scheduler.lifespan():
            yield

    app = DescribedApp(
        title="advanced-scheduler",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    app.include_router(scheduler_router(scheduler, authenticate=authenticate))
    app.add_route("/", _to_the_dashboard, include_in_schema=False)
    app.include_router(probes_router(scheduler))
    app.add_exception_handler(HTTPException, _plain)
    app.add_middleware(BodyLimit)
    return app


def openapi() -> dict[str, Any]:
    """The description of REST (OpenAPI 3.1); it is the same of every scheduler."""
    scheduler = AdvancedTaskScheduler(store="memory://")
    try:
        return create_app(scheduler, run=False).openapi()
    finally:
        scheduler.close()


def _to_the_dashboard(_: Request) -> Response:
    return Response(status_code=307, headers={"location": "scheduler/"})


def _routes(service: Service, access: Access) -> APIRouter:
    return APIRouter(
        prefix=PREFIX,
        route_class=route_class(service, access),
        responses=PROBLEMS,
        generate_unique_id_function=lambda route: route.name,
    )


class _Nobody(Access):
    """Lets anybody in, with no scope at all."""

    def __init__(self) -> None:
        pass

    async def principal(self, connection: Any) -> Principal:
        return Principal(name="nobody", scopes=frozenset())


def _nobody() -> Access:
    return _Nobody()


def probes_router(scheduler: AdvancedTaskScheduler) -> APIRouter:
    """``/health``, ``/health/live``, ``/health/ready``, ``/health/startup`` and ``/metrics``.

    The same that ``serve_metrics`` answers, for hosts that include routers.
    """
    pages, router = Pages(scheduler, SchedulerMetrics(scheduler)), APIRouter()
    for path, page in pages.by_path.items():
        router.add_route(path, _answering(page), methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _answering(page: Page) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        reply = page(request.headers.get("accept", ""))
        headers = {"cache-control": "no-store", **reply.headers}
        return Response(reply.body, reply.status, headers, media_type=reply.content_type)

    return answer


def _add_socket(router: APIRouter, service: Service, access: Access) -> None:
    @router.websocket(f"{PREFIX}/events/ws")
    async def watch(socket: WebSocket) -> None:
        """The same events as ``/events``; opened by a ticket, never by a key in the address."""
        try:
            caller = await _socket_caller(socket, service, access)
            demand(caller, Scope.READ)
        except (Problem, SchedulerError):
            await socket.close(4401)
            return
        await socket.accept()
        client = service.live.join(wanted(_asked(socket.query_params)), transport="websocket")
        sending = asyncio.create_task(_send(socket, client))
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass
        finally:
            sending.cancel()
            service.live.leave(client)


async def _send(socket: WebSocket, client: Any) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            found = await client.next()
            if found is None:
                await socket.send_text('{"type":"resync","data":{}}')
            elif not found:
                await socket.send_text('{"type":"heartbeat","data":{}}')
            for one in found or ():
                await socket.send_text(one.json)


def _asked(query: QueryParams) -> dict[str, Any]:
    return {**query, "type": query.getlist("type")}


async def _socket_caller(socket: WebSocket, service: Service, access: Access) -> Principal:
    origin = socket.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != socket.headers.get("host"):
        raise Problem(403, "cross-site", "a page of another site may not listen")
    if ticket := socket.query_params.get("ticket"):
        return await run_in_threadpool(service.keys.take_ticket, ticket)
    return await access.principal(socket)


async def _plain(request: Request, error: Exception) -> Response:
    """What the framework says of a path or a method, as a problem."""
    status = getattr(error, "status_code", 500)
    codes = {404: "not-found", 405: "method-not-allowed"}
    detail = f"{request.method} {request.url.path}: {getattr(error, 'detail', '')}"
    problem = Problem(status, codes.get(status, "failed"), detail)
    response = problem_response(problem, "-")
    response.headers.update(getattr(error, "headers", None) or {})
    return response
