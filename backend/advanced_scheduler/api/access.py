"""Who a request comes from, and whether it may do what it asks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from hmac import compare_digest
from inspect import isawaitable
from typing import Any, Final, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from .auth import ANYBODY, Keyring, Principal, Scope
from .problems import Problem

COOKIE: Final = "advanced_scheduler_session"
CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Authenticate: TypeAlias = Callable[[HTTPConnection], Any]
"""A check of the host application, plain or async; None, or a ``Problem``, for strangers."""


class Access:
    """Finds out who calls: by the host's own check, a key, a cookie, or because it is local.

    Without a check and without a key, only calls on this machine are let in: those to a
    loopback address, under a loopback name, that no proxy has passed on.
    """

    def __init__(self, keys: Keyring, authenticate: Authenticate | None = None) -> None:
        self._keys = keys
        self._authenticate = authenticate

    async def principal(self, connection: HTTPConnection) -> Principal:
        """Who calls; raises ``Problem``."""
        if self._authenticate is not None:
            found: Any = self._authenticate(connection)
            found = await found if isawaitable(found) else found
            if not isinstance(found, Principal):
                raise Problem(401, "unauthorized", "the application does not know who calls")
            return found
        headers = connection.headers
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return await run_in_threadpool(self._keys.bearer, token.strip())
        cookie = connection.cookies.get(COOKIE)
        if cookie:
            return await self._of_session(connection, cookie)
        if is_local(connection.scope, headers):
            _same_site(connection)
            return ANYBODY
        raise Problem(401, "unauthorized", "give an API key: Authorization: Bearer ask_...")

    async def _of_session(self, connection: HTTPConnection, cookie: str) -> Principal:
        session = await run_in_threadpool(self._keys.session, cookie)
        method = connection.scope.get("method", "GET")
        shown = connection.headers.get(CSRF_HEADER, "")
        if method not in SAFE and not compare_digest(shown.encode(), session.csrf.encode()):
            raise Problem(403, "csrf", f"a call with a cookie needs the header {CSRF_HEADER}")
        return session.principal


def demand(principal: Principal, scope: Scope) -> None:
    """Raise ``Problem`` unless the caller has the scope."""
    if not principal.may(scope):
        raise Problem(403, "forbidden", f"{principal.name!r} lacks the scope {scope.value!r}")


def is_local(scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """Whether a call comes from this machine, to an address that no other one can reach."""
    if any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False  # a proxy speaks for somebody else
    ends = (scope.get("server"), scope.get("client"))
    if not all(end and _is_loopback(str(end[0])) for end in ends):
        return False
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    return _is_loopback(host.strip("[]"))  # a page elsewhere may have a name of its own for it


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same_site(connection: HTTPConnection) -> None:
    """A page of another site must not act in the name of whoever sits here."""
    site = connection.headers.get("sec-fetch-site", "none")
    origin = connection.headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != connection.headers.get("host")
    if site not in ("none", "same-origin") or foreign:
        raise Problem(403, "cross-site", "a page of another site may not call this")
