"""What all routes have in common: who calls, what went wrong, the audit, and repeated requests."""

from __future__ import annotations

import json
import logging
import re
import reprlib
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..errors import SchedulerError, StoreError
from .access import SAFE, Access, demand, guard
from .asking import Needs
from .audit import asked_for
from .auth import NOBODY, Principal, Scope
from .fields import PROBLEM
from .limits import with_body
from .once import Handler, Once
from .problems import Fault, Problem, pointer_to, problem_of
from .schemas import ExecutionStarted
from .service import Service
from .slashes import whole

logger = logging.getLogger(__name__)

_SECRET: Final = ("/keys", "/session", "/tickets")  # whose answers nothing may keep
_HARDENED: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_CLOSING: Final = ("body-too-long", "body-too-slow", "invalid-length")  # what follows is no request
_MORE: Final = {
    HTTPStatus.UNAUTHORIZED: {"www-authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"retry-after": "1"},
}
_TOLD: Final = 20  # faults of one request
_REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}")


def route_class(service: Service, access: Access | None) -> type[APIRoute]:
    """Routes of this service: whatever goes wrong in one is a problem, never a traceback.

    Without ``access`` nobody is asked who it is.
    """

    class ServiceRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            wanted = [one.dependency for one in self.dependencies]
            needs = [one.scope for one in wanted if isinstance(one, Needs)]
            kept = not self.path.endswith(_SECRET)
            serve = Once(super().get_route_handler(), service.replies, kept=kept)
            return _handled(serve, _Terms(needs, _query_of(self.dependant)), service, access)

    return ServiceRoute


def started(execution_id: str, response: Response) -> ExecutionStarted:
    """What is answered for one that was made beneath another resource: where it is, and its id."""
    response.headers["location"] = f"../../executions/{execution_id}"
    return ExecutionStarted(execution_id=execution_id)


class _Terms(NamedTuple):
    """On what a route is served: the scopes of the caller, and no other query parameters."""

    needs: Sequence[Scope]
    query: frozenset[str]


def _query_of(found: Dependant) -> frozenset[str]:
    """The query parameters of a route, those that a host has added among them."""
    names = frozenset[str]().union(*map(_query_of, found.dependencies))
    for one in found.query_params:
        kind = one.field_info.annotation
        fields = getattr(kind, "model_fields", None)  # one that stands for many, or itself
        names |= {one.alias} if fields is None else fields.keys()
    return names


def _handled(serve: Once, terms: _Terms, service: Service, access: Access | None) -> Handler:
    async def handle(request: Request) -> Response:
        request_id = _request_id(request)
        asked: Mapping[str, Any] = {}
        request.state.principal = NOBODY
        parts = request.path_params.items()
        request.scope["path_params"] = {name: whole(part) for name, part in parts}
        try:
            if access is not None:
                request.state.principal = await access.caller(request)
            caller: Principal = request.state.principal
            guard(request, caller)
            for scope in terms.needs:
                demand(caller, scope)
            _check_query(request, terms.query)
            request.state.still = partial(_ask_again, request, access)
            request = await with_body(request)
            await _check_kind(request)
            asked = asked_for(await request.body())
            response = await serve(request, caller)
        except Exception as error:
            problem = _problem(error)
            asked = {**asked, "refused": problem.code}
            response = problem_response(problem, request_id)
        if request.method not in SAFE and request.state.principal is not NOBODY:
            await _audit(service, request, response, request_id, asked)
        response.headers["x-request-id"] = request_id
        return hardened(response)

    return handle


def _check_query(request: Request, known: frozenset[str]) -> None:
    """Raise ``Problem`` for a parameter that would be passed over: what it meant would not hold."""
    unknown = sorted(request.query_params.keys() - known)[:_TOLD]
    if unknown:
        there = f"there are {', '.join(sorted(known))}" if known else "there are none here"
        names = ", ".join(map(reprlib.repr, unknown))
        faults = [Fault(f"query:{one}", there) for one in unknown]
        detail = f"no query parameter {names}: {there}"
        raise Problem(422, "invalid-request", detail, faults=faults)


async def _check_kind(request: Request) -> None:
    """A body is JSON; raises ``Problem`` for one that says it is something else, or nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json")) and await request.body():
        raise Problem(415, "unsupported-media-type", "a body must be application/json")


async def _ask_again(request: Request, access: Access | None) -> None:
    """What a stream asks now and then: raises ``Problem`` where it would be refused by now."""
    if access is not None:
        demand(await access.principal(request), Scope.READ)


async def _audit(
    service: Service,
    request: Request,
    response: Response,
    request_id: str,
    asked: Mapping[str, Any],
) -> None:
    """Note who did what; not for strangers, who could fill the store."""
    caller: Principal = request.state.principal
    action = f"{request.method} {getattr(request.scope.get('route'), 'path', request.url.path)}"
    target = "/".join(map(str, request.path_params.values()))
    made = response.headers.get("location", "").rpartition("/")[2]
    status = response.status_code
    note = partial(service.audit.note, request_id=request_id, details=asked)
    try:
        await run_in_threadpool(note, caller, action, target or made or None, status)
    except StoreError as error:
        logger.error("audit: %s by %s was answered %d: %s", action, caller.name, status, error)


def problem_response(problem: Problem, request_id: str) -> Response:
    """A problem as it goes out."""
    body = json.dumps(problem.body(request_id))
    headers = {"x-request-id": request_id, **_MORE.get(problem.status, {})}
    if problem.code in _CLOSING:
        headers["connection"] = "close"
    return hardened(Response(body, problem.status.value, headers, media_type=PROBLEM))


def hardened(response: Response) -> Response:
    """The same, which no cache keeps, no browser takes for a page, and no other site reads."""
    for name, value in _HARDENED.items():
        response.headers.setdefault(name, value)
    return response


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return Problem(error.status_code, "invalid-request", str(error.detail))
    if isinstance(error, SchedulerError):
        return problem_of(error)
    logger.error("a request failed", exc_info=error)
    return Problem(500, "failed", "the request failed; the log of the server says why")


def _invalid(error: RequestValidationError) -> Problem:
    for one in error.errors():
        if one["type"] == "json_invalid":
            why = f"at character {one['loc'][-1]}: {one.get('ctx', {}).get('error', one['msg'])}"
            return Problem(400, "invalid-json", f"the body is no JSON: {why}")
    faults = [Fault(_pointer(one["loc"]), str(one["msg"])) for one in error.errors()]
    return Problem(
        422, "invalid-request", "the request does not fit its schema", faults=faults[:_TOLD]
    )


def _pointer(where: tuple[int | str, ...]) -> str:
    place, *path = map(str, where) if where else ("",)
    return pointer_to(*path) if place == "body" else f"{place}:{'/'.join(path)}"


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
