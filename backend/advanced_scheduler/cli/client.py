"""The one client of REST: every command that reads or acts asks a service through it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

from ..faults import has_no_address
from .outcome import CommandFailed, Exit

if TYPE_CHECKING:
    import httpx

PREFIX: Final = "/api/v1/scheduler"
SECONDS: Final = 30.0
"""How long one answer may take; a stream may be silent for twice as long."""

_CODES: Final[Mapping[int, Exit]] = {
    400: Exit.USAGE,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.USAGE,
    422: Exit.USAGE,
    503: Exit.UNREACHABLE,
}
_ADVICE: Final[Mapping[int, str]] = {
    401: "set ADVANCED_SCHEDULER_API_KEY to a key that is valid there",
    403: "use a key that has the scope: advanced-scheduler key create NAME --scope ...",
}
_TASK_MISSING: Final = "task-not-found"
_NO_TASKS: Final = "with --store alone no tasks are known; give --app MODULE:NAME, or --url"


def path_of(*parts: str) -> str:
    """A path below the prefix, of names that may have any character in them.

    Raises ``CommandFailed`` for a dot or two, which lead elsewhere in an address.
    """
    if any(map(has_no_address, parts)):
        raise CommandFailed("nothing can be asked of what is named with dots alone", Exit.NOT_FOUND)
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class Client:
    """Asks one service; what it answers is the JSON of REST. Raises ``CommandFailed``.

    ``remote`` says whether it is another process. ``knows_tasks`` is false for a store that was
    opened without an application; ``fleeting`` is true where nothing that is changed would
    outlive this process.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        remote: bool = False,
        knows_tasks: bool = True,
        fleeting: bool = False,
    ) -> None:
        self._http = http
        self.remote: Final = remote
        self.knows_tasks: Final = knows_tasks
        self.fleeting: Final = fleeting

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET; parameters that are None are left out."""
        return self._json("GET", path, params=_given(query))

    def post(self, path: str, body: Any = None) -> Any:
        """The answer to a POST."""
        self._check_lasting()
        return self._json("POST", path, json=body)

    def patch(self, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        """The answer to a PATCH."""
        self._check_lasting()
        return self._json("PATCH", path, json=body, headers=headers)

    def delete(self, path: str) -> Any:
        """The answer to a DELETE."""
        self._check_lasting()
        return self._json("DELETE", path)

    def preview(self, body: Any) -> Any:
        """The answer to a preview, which stores nothing."""
        return self._json("POST", "/schedules/preview", json=body)

    def probe(self, path: str) -> tuple[bool, Any]:
        """Whether a probe beside the prefix, such as ``/health/live``, is well, and its body."""
        response = self._send("GET", path)
        if response.status_code not in (200, 503):
            raise _failure(response)
        return response.status_code == 200, _body(response)

    def text(self, path: str) -> str:
        """The text of a page beside the prefix, such as ``/metrics``."""
        response = self._send("GET", path)
        if response.is_error:
            raise _failure(response)
        return response.text

    @contextmanager
    def lines(
        self, path: str, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Iterator[Iterator[str]]:
        """The lines of a stream, as they come."""
        import httpx

        request = self._http.build_request(
            "GET",
            f"{PREFIX}{path}",
            params=_given(query),
            headers=headers,
            timeout=httpx.Timeout(SECONDS, read=2 * SECONDS),
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.is_error:
                    response.read()
                    self._refuse(response)
                yield response.iter_lines()
            finally:
                response.close()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _json(self, method: str, path: str, **more: Any) -> Any:
        response = self._send(method, f"{PREFIX}{path}", **more)
        if not response.is_success:
            self._refuse(response)
        return _body(response)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        import httpx

        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> CommandFailed:
        return CommandFailed(
            f"{self._http.base_url} cannot be reached: {str(error) or type(error).__name__}",
            Exit.UNREACHABLE,
        )

    def _check_lasting(self) -> None:
        if self.fleeting:
            raise CommandFailed(
                "the application keeps everything in memory, so nothing can be changed from "
                "another process; give --url",
                Exit.USAGE,
            )

    def _refuse(self, response: httpx.Response) -> NoReturn:
        failure = _failure(response)
        if not self.knows_tasks and _problem(response).get("code") == _TASK_MISSING:
            failure = CommandFailed(f"{failure}: {_NO_TASKS}", failure.code)
        raise failure


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in query.items() if value is not None}


def _failure(response: httpx.Response) -> CommandFailed:
    """What a problem says, in one line."""
    status = response.status_code
    problem = _problem(response)
    if not problem:
        return CommandFailed(
            f"{response.url} answered {status}: is there an advanced-scheduler?",
            Exit.NOT_FOUND if status == 404 else Exit.FAILED,
        )
    said = [str(problem.get("detail") or problem.get("title"))]
    more = (one for one in problem.get("errors", ()) if one["detail"] not in said[0])
    said += [_fault(one["pointer"].removeprefix("query:"), one["detail"]) for one in more]
    if advice := _ADVICE.get(status):
        said.append(advice)
    return CommandFailed("; ".join(said), _CODES.get(status, Exit.FAILED))


def _fault(where: str, detail: str) -> str:
    said = detail.replace("Input should be", "it must be")
    return f"{where}: {said}" if where else said


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem that was answered; empty if the answer is no problem."""
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return {}
    found: dict[str, Any] = response.json()
    return found


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except json.JSONDecodeError:
        raise CommandFailed(
            f"{response.url} answered what is no JSON: is there an advanced-scheduler?"
        ) from None
