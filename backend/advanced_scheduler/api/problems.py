"""What may be wrong with a request, as RFC 9457 says it, whatever way it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from .. import errors
from ..faults import cleaned, describe_error


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is wrong; ``pointer`` is a JSON pointer into the body, or a name."""

    pointer: str
    detail: str

    def told(self) -> dict[str, str]:
        """As JSON."""
        return {"pointer": cleaned(self.pointer), "detail": cleaned(self.detail)}


def pointer_to(*path: object) -> str:
    """The JSON pointer (RFC 6901) to what lies on this path."""
    return "".join("/" + str(one).replace("~", "~0").replace("/", "~1") for one in path)


class Problem(Exception):
    """Ends a request: ``code`` is stable and for programs, ``detail`` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.more = more

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """The JSON object of ``application/problem+json``; its texts are plain enough for all."""
        return {
            "type": f"urn:advanced-scheduler:problem:{self.code}",
            "title": self.status.phrase,
            "status": self.status.value,
            "code": self.code,
            "detail": cleaned(self.detail),
            **({"request_id": request_id} if request_id else {}),
            **({"errors": [one.told() for one in self.faults]} if self.faults else {}),
            **self.more,
        }


def not_found(what: str, wanted: str) -> Problem:
    """There is nothing of this id."""
    return Problem(404, f"{what}-not-found", f"no {what} {wanted!r}")


_KINDS: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (errors.StoreUnavailable, 503, "store-unavailable"),
    (errors.LockUnavailable, 503, "lock-server-unavailable"),
    (errors.ExecutionNotFound, 404, "execution-not-found"),
    (errors.ScheduleNotFound, 404, "schedule-not-found"),
    (errors.NodeNotFound, 404, "node-not-found"),
    (errors.TaskNotRegistered, 404, "task-not-found"),
    (errors.VersionConflict, 412, "version-conflict"),
    (errors.ScheduleExists, 409, "schedule-exists"),
    (errors.NodeAlive, 409, "node-alive"),
    (errors.TaskInUse, 409, "task-in-use"),
    (errors.TaskAlreadyRegistered, 409, "task-exists"),
    (errors.SchedulerStateError, 409, "wrong-state"),
    (ValueError, 422, "invalid-value"),  # all that the facade refuses before anything is stored
)


def problem_of(error: errors.SchedulerError) -> Problem:
    """What the package raised on purpose, as a caller of the service is told of it."""
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            detail = describe_error(error).partition(": ")[2] or str(error)
            return Problem(status, code, detail, faults=_faults(error, detail))
    return Problem(500, "failed", "the request failed; the log of the server says why")


def _faults(error: Exception, detail: str) -> tuple[Fault, ...]:
    """Which argument is wrong, in the bodies that have ``args`` and ``kwargs``."""
    place = error.argument if isinstance(error, errors.InvalidArguments) else None
    if place is None:
        return ()
    return (Fault(pointer_to("args" if isinstance(place, int) else "kwargs", place), detail),)
