"""What routes ask of a request: its scope, its page, its version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Query, Request

from .access import demand
from .auth import Principal, Scope
from .fields import PROBLEM, Id, ProblemOut
from .planning import Plan, unplanned
from .problems import Problem

_VERSION: Final = re.compile(r'(?:W/)?"v(\d{1,9})"')


@dataclass(frozen=True, slots=True)
class Needs:
    """A dependency: the caller has this scope."""

    scope: Scope

    def __call__(self, request: Request) -> None:
        """Raise ``Problem`` where it has not; routes have asked before they read the body."""
        principal: Principal = request.state.principal
        demand(principal, self.scope)


def needs(scope: Scope) -> Any:
    """The dependency of a route on this scope."""
    return Depends(Needs(scope))


READ: Final = needs(Scope.READ)
RUN: Final = needs(Scope.RUN)
WRITE: Final = needs(Scope.WRITE)
ADMIN: Final = needs(Scope.ADMIN)

PageLimit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[Id | None, Query(description="The next_cursor of the page before.")]
PathId = Annotated[Id, Path()]


def _new_id(request: Request) -> str | None:
    new_id: str | None = getattr(request.state, "new_id", None)
    return new_id


NewId = Annotated[str | None, Depends(_new_id)]
"""What a request under an idempotency key makes has this id, however often it is sent."""


def _plan(request: Request) -> Plan:
    planned: Plan = getattr(request.state, "plan", unplanned)
    return planned


Planned = Annotated[Plan, Depends(_plan)]
"""What a request that makes many things is about, and the ids of these, likewise."""


def if_match(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """The version that the caller has seen; raises ``Problem`` for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise Problem(412, "version-conflict", f"If-Match: {if_match!r} is no version of this")
    return int(found[1])


IfMatch = Annotated[int | None, Depends(if_match)]

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    code: {
        "description": text,
        "content": {PROBLEM: {"schema": ProblemOut.model_json_schema(mode="serialization")}},
    }
    for code, text in {
        400: "The request cannot be read.",
        401: "No key, or a wrong one.",
        403: "The key lacks the scope.",
        404: "There is no such thing.",
        408: "The body came too slowly.",
        409: "It is in another state.",
        412: "Another version is stored.",
        413: "The body is too long.",
        415: "The body is no JSON by what its header says.",
        422: "A value is wrong.",
        503: "A server cannot be reached.",
    }.items()
}
