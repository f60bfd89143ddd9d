"""The door: a router for applications that have one, and an application for those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from .. import __version__
from ..engine.leaving import heard_first
from ..scheduler import AdvancedTaskScheduler
from .access import Access, Authenticate
from .asking import PROBLEMS
from .auth import Keyring
from .openapi import DescribedApp
from .probes import add_description, probes
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
from .shared_time import SharedClock
from .slashes import NamesWithSlashes, whole
from .sockets import add_socket

PREFIX: Final = "/api/v1/scheduler"


def scheduler_router(
    scheduler: AdvancedTaskScheduler,
    *,
    authenticate: Authenticate | None = None,
    trust_local: bool = True,
    dashboard: bool = True,
) -> APIRouter:
    """All routes, for ``app.include_router``; the host starts and stops the scheduler.

    REST is under ``/api/v1/scheduler``, the ``dashboard`` beside it under ``/scheduler/``.

    ``authenticate(request)`` is the host's own check: a ``Principal``, or None for whom it does
    not know. Without it callers show an API key; ``trust_local`` lets in those on this very
    machine until there is a key. Give False where a proxy on this machine might tell nothing
    of itself.
    """
    service = Service(scheduler)
    access = Access(service.keys, authenticate, trust_local=trust_local)
    return APIRouter(routes=_routes(service, access, dashboard=dashboard))


def create_app(
    scheduler: AdvancedTaskScheduler,
    *,
    authenticate: Authenticate | None = None,
    trust_local: bool = True,
    public_metrics: bool = False,
    run: bool = True,
    node: bool = True,
    dashboard: bool = True,
) -> FastAPI:
    """An application of its own: routes, ``dashboard``, probes and metrics.

    With ``run`` it starts and stops the scheduler as well; without, somebody else does, unless
    there is to be no ``node`` here: then it is alive and ready without one. Whoever asks for
    ``/metrics`` must be let in to read, as for REST, unless these are ``public_metrics``.
    """
    service = Service(scheduler)
    access = Access(service.keys, authenticate, trust_local=trust_local)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        home = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            if run:
                await stack.enter_async_context(scheduler.lifespan())
            else:  # nobody else tells those who listen that the server is to stop
                dismiss = partial(home.call_soon_threadsafe, service.live.dismiss)
                stack.enter_context(heard_first(dismiss))
            stack.callback(service.live.dismiss)
            yield

    app = DescribedApp(
        title="advanced-scheduler",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # by an address that is built from the Host header
        routes=_routes(service, access, dashboard=dashboard),
    )
    if dashboard:
        app.add_route("/", _to_the_dashboard, include_in_schema=False)
    app.include_router(probes(scheduler, access, public_metrics=public_metrics, node=node))
    add_description(app, access)
    app.add_exception_handler(HTTPException, _plain)
    app.add_middleware(NamesWithSlashes)
    return app


def _routes(service: Service, access: Access, *, dashboard: bool) -> list[BaseRoute]:
    """Side by side: FastAPI makes each route again for every router that is put into another."""
    router = _router(service, access)
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
    public = _router(service, None)
    add_login(public, service)
    add_socket(public, service, access, "/events/ws")
    routes = [*router.routes, *public.routes]
    if dashboard:
        from .pages import pages_router  # a command in this process needs no templates

        routes += pages_router(service, access).routes
    return routes


def _router(service: Service, access: Access | None) -> APIRouter:
    return APIRouter(
        prefix=PREFIX,
        route_class=route_class(service, access),
        responses=PROBLEMS,
        generate_unique_id_function=lambda route: route.name,
    )


def probes_router(
    scheduler: AdvancedTaskScheduler,
    *,
    authenticate: Authenticate | None = None,
    trust_local: bool = True,
    public_metrics: bool = False,
) -> APIRouter:
    """``/health``, ``/health/live``, ``/health/ready``, ``/health/startup`` and ``/metrics``.

    The same that ``serve_metrics`` answers, for hosts that include routers. What has details is
    for those who may read, by the same rules as ``create_app``.
    """
    keys = Keyring(scheduler.store, SharedClock(scheduler.store, scheduler.clock))
    access = Access(keys, authenticate, trust_local=trust_local)
    return probes(scheduler, access, public_metrics=public_metrics)


def openapi() -> dict[str, Any]:
    """The description of REST (OpenAPI 3.1); it is the same of every scheduler."""
    scheduler = AdvancedTaskScheduler(store="memory://")
    try:
        return create_app(scheduler, run=False).openapi()
    finally:
        scheduler.close()


def _to_the_dashboard(_: Request) -> Response:
    return Response(status_code=307, headers={"location": "scheduler/"})


async def _plain(request: Request, error: Exception) -> Response:
    """What the framework says of a path or a method, as a problem."""
    status = getattr(error, "status_code", 500)
    codes = {404: "not-found", 405: "method-not-allowed"}
    detail = f"{request.method} {whole(request.url.path)}: {getattr(error, 'detail', '')}"
    problem = Problem(status, codes.get(status, "failed"), detail)
    response = problem_response(problem, "-")
    response.headers.update(getattr(error, "headers", None) or {})
    return response
