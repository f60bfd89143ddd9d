"""The routes of the dashboard: who visits, what went wrong, and what browsers may do with it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from ... import __version__
from ...errors import SchedulerError
from ..access import COOKIE, Access, demand
from ..auth import Principal, Scope
from ..problems import Problem, not_found, problem_of
from ..service import Service
from ..slashes import whole
from .assets import assets
from .catalog import NAVIGATION, PAGES
from .page import Context, Page, Visit
from .rendering import render

logger = logging.getLogger(__name__)

PREFIX: Final = "/scheduler"
THEME_COOKIE: Final = "advanced_scheduler_theme"
_THEMES: Final = frozenset({"light", "dark"})
_NOBODY: Final = Principal(name="", scopes=frozenset())

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    )
)
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def pages_router(service: Service, access: Access) -> APIRouter:
    """The dashboard under ``/scheduler/``; REST must be beside it, under ``/api/v1/scheduler``."""
    router = APIRouter(include_in_schema=False)
    router.add_route(PREFIX, _to_the_root)
    router.add_route(f"{PREFIX}/static/{{name}}", _static)
    for page in PAGES:
        router.add_route(f"{PREFIX}/{page.path}", _serving(page, service, access))
    router.add_route(f"{PREFIX}/{_LOST.path}", _serving(_LOST, service, access))
    return router


def _lost(visit: Visit) -> Context:
    raise not_found("page", visit.path["rest"])


_LOST: Final = Page("{rest:path}", "problem.html", "Not found", _lost)


def _serving(
    page: Page, service: Service, access: Access
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        visitor = _NOBODY
        try:
            visitor = await access.principal(request)
            demand(visitor, Scope.READ)
            visit = _visit(page, service, request, visitor)
            return await run_in_threadpool(_page, page, visit, request)
        except Exception as error:
            problem = _problem(error)
            visit = _visit(page, service, request, visitor)
            return await run_in_threadpool(_refusal, page, visit, request, problem)

    return serve


def _visit(page: Page, service: Service, request: Request, visitor: Principal) -> Visit:
    asked = request.query_params
    return Visit(
        service=service,
        principal=visitor,
        root="../" * request.path_params.get("rest", page.path).count("/") or "./",
        now=service.scheduler.clock.now(),
        path={name: whole(part) for name, part in request.path_params.items()},
        query={name: asked.getlist(name) for name in asked},
    )


def _page(page: Page, visit: Visit, request: Request) -> Response:
    context = page.context(visit)
    return _html(page.template, visit, page, request, csrf=_csrf(visit, request), **context)


def _refusal(page: Page, visit: Visit, request: Request, problem: Problem) -> Response:
    """Why there is no page; whoever is unknown can show a key."""
    template = "login.html" if problem.status == 401 else "problem.html"
    found = _html(template, visit, page, request, csrf="", problem=problem)
    found.status_code = problem.status
    if problem.status == 401 and COOKIE in request.cookies:
        found.delete_cookie(COOKIE)  # of a session that is over
    return found


def _html(
    template: str, visit: Visit, page: Page, request: Request, *, csrf: str, **context: Any
) -> Response:
    theme = request.cookies.get(THEME_COOKIE, "")
    told = {
        "visit": visit,
        "page": page,
        "title": page.title,
        "navigation": NAVIGATION,
        "csrf": csrf,
        "theme": theme if theme in _THEMES else "",
        "version": __version__,
        **context,
    }
    return Response(render(template, told), headers=_HEADERS, media_type="text/html")


def _csrf(visit: Visit, request: Request) -> str:
    """The word that calls with the cookie of this session need; empty without a session."""
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        return ""
    try:
        return visit.service.keys.session(cookie).csrf
    except Problem:
        return ""  # it came in by other means


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, SchedulerError):
        return problem_of(error)
    logger.error("a page failed", exc_info=error)
    return Problem(500, "failed", "The page failed; the log of the server says why.")


def _to_the_root(request: Request) -> Response:
    return Response(status_code=307, headers={"location": f"{PREFIX.lstrip('/')}/"})


def _static(request: Request) -> Response:
    found = assets().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    known = request.query_params.get("v") == found.version
    headers = {
        "cache-control": _FOR_EVER if known else "no-cache",
        "etag": found.etag,
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.kind)
