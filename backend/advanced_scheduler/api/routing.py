"""What all routes have in common: who calls, what went wrong, the audit, and repeated requests."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..errors import SchedulerError, StoreError
from .access import SAFE, Access
from .auth import Principal
from .fields import PROBLEM
from .problems import Fault, Problem, pointer_to, problem_of
from .replies import Reply
from .service import Service

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def route_class(service: Service, access: Access) -> type[APIRoute]:
    """Routes of this service: whatever goes wrong in one is a problem, never a traceback."""

    class ServiceRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            return _handled(super().get_route_handler(), service, access)

    return ServiceRoute


def _handled(serve: Handler, service: Service, access: Access) -> Handler:
    async def handle(request: Request) -> Response:
        request_id = _request_id(request)
        caller: Principal | None = None
        try:
            caller = request.state.principal = await access.principal(request)
            await _check_kind(request)
            response = await _once(serve, request, service, caller)
        except Exception as error:
            response = problem_response(_problem(error), request_id)
        if caller is not None and request.method not in SAFE:
            await _audit(service, caller, request, response.status_code, request_id)
        response.headers["x-request-id"] = request_id
        response.headers.setdefault("cache-control", "no-store")
        return response

    return handle


async def _check_kind(request: Request) -> None:
    """A body is JSON; raises ``Problem`` for one that says it is something else, or nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json")) and await request.body():
        raise Problem(415, "unsupported-media-type", "a body must be application/json")


async def _once(serve: Handler, request: Request, service: Service, caller: Principal) -> Response:
    """Serve it; under an idempotency key that was used before, answer as then."""
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return await serve(request)
    body, path = await request.body(), request.url.path
    name, before = await run_in_threadpool(service.replies.begin, caller.name, key, path, body)
    if before is not None:
        headers = {"location": before.location} if before.location else {}
        return Response(before.body, before.status, headers, media_type="application/json")
    try:
        response = await serve(request)
    except BaseException:
        await run_in_threadpool(service.replies.give_up, name)
        raise
    reply = Reply(
        response.status_code,
        bytes(response.body).decode(),
        response.headers.get("location"),
    )
    await run_in_threadpool(service.replies.end, name, path, body, reply)
    return response


async def _audit(
    service: Service, caller: Principal, request: Request, status: int, request_id: str
) -> None:
    route = request.scope.get("route")
    action = f"{request.method} {getattr(route, 'path', request.url.path)}"
    target = "/".join(map(str, request.path_params.values())) or None
    try:
        await run_in_threadpool(
            lambda: service.audit.note(caller, action, target, status, request_id=request_id)
        )
    except StoreError as error:
        logger.error("audit: %s by %s was answered %d: %s", action, caller.name, status, error)


def problem_response(problem: Problem, request_id: str) -> Response:
    """A problem as it goes out."""
    body = json.dumps(problem.body(request_id))
    headers = {"cache-control": "no-store", "x-request-id": request_id}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if problem.status == 503:
        headers["retry-after"] = "1"
    return Response(body, problem.status.value, headers, media_type=PROBLEM)


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
        422, "invalid-request", "the request does not fit its schema", faults=faults[:20]
    )


def _pointer(where: tuple[int | str, ...]) -> str:
    place, *path = map(str, where) if where else ("",)
    return pointer_to(*path) if place == "body" else f"{place}:{'/'.join(path)}"


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
