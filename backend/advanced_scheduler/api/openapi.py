"""The description of REST (OpenAPI 3.1): what the routes say, and what they cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from fastapi import FastAPI

from .access import COOKIE, CSRF_HEADER
from .fields import PROBLEM, ProblemOut

TAGS: Final = {
    "tasks": "What can be run: registered tasks, and what document 001's service has scheduled.",
    "executions": "Runs of tasks: to see, to search, to act on.",
    "schedules": "When tasks run by themselves, and what became of every instant.",
    "workflows": "The dependency graph, and the runs along it.",
    "queue": "What waits, and what is paused.",
    "locks": "Who holds which lock.",
    "nodes": "The processes that run tasks.",
    "dead-letters": "What failed for good, by task and kind of error.",
    "events": "What happens, live.",
    "series": "Numbers over time, for charts.",
    "audit": "Who did what.",
    "health": "How this node is.",
    "settings": "What is in effect.",
    "version": "What this is.",
    "keys": "API keys and their scopes.",
    "session": "Sessions of browsers.",
    "tickets": "What opens a WebSocket.",
}

_ABOUT: Final = """\
Everything is under `/api/v1/scheduler`. Times are ISO 8601 with an offset, answers in UTC;
durations are seconds.

- **Lists** answer `next_cursor`, which asks for the page after; it is null at the end. The list
  itself is named `items`, but `tasks` and `executions` where it has these.
- **Errors** are `application/problem+json` (RFC 9457): `code` is for programs and stays, `errors`
  has a JSON pointer into the body (or `query:name`, `path:name`) for every field that is wrong.
- **Schedules** have a version. `ETag` names it; with `If-Match` an edit is made only if nobody was
  faster (else 412). Without `If-Match` it is made in any case.
- **Repeating a POST** is safe with `Idempotency-Key`: for a day it is
  answered as the first time.
- **Bodies** are JSON of at most 1 MiB; a field that is not known is refused.
"""

_HEADERS: Final = {
    "x-request-id": {
        "description": "As sent by the caller, or made here; the audit has it.",
        "schema": {"type": "string"},
    }
}


_EXAMPLE: Final = {
    "type": "urn:advanced-scheduler:problem:invalid-value",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "invalid-value",
    "detail": "Invalid cron expression '61 * * * *': minute '61': it must be from 0 to 59",
    "request_id": "b3b1b1c0c2f44c2f9f2d3f3c7f0a1d55",
    "errors": [{"pointer": "/cron", "detail": "minute '61': it must be from 0 to 59"}],
}

_Fits = Callable[[str, str, dict[str, Any]], bool]
"""Whether a call (method, path, operation) may be answered with a status."""


def _takes_body(method: str, path: str, call: dict[str, Any]) -> bool:
    return "requestBody" in call


def _takes_input(method: str, path: str, call: dict[str, Any]) -> bool:
    return method == "post" or bool(call.get("parameters")) or "requestBody" in call


def _names_something(method: str, path: str, call: dict[str, Any]) -> bool:
    return "{" in path or path.endswith("/session") or "requestBody" in call


def _changes(method: str, path: str, call: dict[str, Any]) -> bool:
    return method != "get"


def _takes_version(method: str, path: str, call: dict[str, Any]) -> bool:
    return any(one["name"] == "if-match" for one in call.get("parameters", ()))


_FITTING: Final[dict[str, _Fits]] = {
    "400": _changes,
    "404": _names_something,
    "409": _changes,
    "412": _takes_version,
    "413": _takes_body,
    "415": _takes_body,
    "422": _takes_input,
}


class DescribedApp(FastAPI):
    """An application whose description has its security, its problems and its tags."""

    def openapi(self) -> dict[str, Any]:
        """The description; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def described(found: dict[str, Any]) -> dict[str, Any]:
    """The same with what the routes do not say."""
    found["info"] |= {"summary": "Durable task scheduling over APScheduler.", "description": _ABOUT}
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": CSRF_HEADER,
            "description": "With a cookie, every call that changes something shows this too.",
        },
    }
    schema = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
    parts["schemas"] |= schema.pop("$defs")
    parts["schemas"]["Problem"] = {**schema, "title": "Problem", "examples": [_EXAMPLE]}
    parts["responses"] = {}
    for method, path, call in _calls(found):
        tag = path.removeprefix("/api/v1/scheduler/").partition("/")[0]
        call["tags"] = [tag]
        _secure(method, path, call)
        _name_problems(method, path, call, parts["responses"])
    used = {tag for _, _, call in _calls(found) for tag in call["tags"]}
    found["tags"] = [{"name": one, "description": TAGS[one]} for one in TAGS if one in used]
    return found


def _calls(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in found["paths"].items():
        for method, call in methods.items():
            yield method, path, call


def _secure(method: str, path: str, call: dict[str, Any]) -> None:
    if method == "post" and path.endswith("/session"):
        call["security"] = []
        return
    cookie: dict[str, list[str]] = {"session": []}
    call["security"] = [{"key": []}, cookie if method == "get" else {**cookie, "csrf": []}]


def _name_problems(method: str, path: str, call: dict[str, Any], shared: dict[str, Any]) -> None:
    for code, response in list(call["responses"].items()):
        if PROBLEM not in response.get("content", {}):
            response.setdefault("headers", {}).update(_HEADERS)
            continue
        fits = _FITTING.get(code)
        if fits is not None and not fits(method, path, call):
            del call["responses"][code]
            continue
        shared[f"Problem{code}"] = {
            "description": response["description"],
            "headers": _HEADERS,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        call["responses"][code] = {"$ref": f"#/components/responses/Problem{code}"}
