"""Who a request comes from, and whether it may do what it asks for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from hmac import compare_digest
from inspect import isawaitable
from typing import Any, Final, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from .auth import ANYBODY, NOBODY, Keyring, Principal, Scope, csrf_of
from .problems import Problem

COOKIE: Final = "advanced_scheduler_session"
CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_PORT: Final = re.compile(r"(?<=[\w.\]]):\d+$")  # the port behind the name of a host
_BELOW: Final = re.compile(r"(?:/api/v1)?/scheduler(?=/|$)")
_PROXIES: Final = (
    *("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip"),
    *("x-original-", "x-envoy-", "true-client-ip", "cf-", "fly-", "fastly-", "tailscale-"),
)
"""How headers begin that only a proxy adds."""

Authenticate: TypeAlias = Callable[[HTTPConnection], Any]
"""A check of the host application, plain or async; None, or a ``Problem``, for strangers."""


class Access:
    """Finds out who calls: by the host's own check, a key, a cookie, or because it is local.

    Without a check, and as long as the store has no key, calls on this machine are let in: those
    to a loopback address, under a loopback name, that no proxy has passed on. ``trust_local``
    False refuses them as well.
    """

    def __init__(
        self, keys: Keyring, authenticate: Authenticate | None = None, *, trust_local: bool = True
    ) -> None:
        self._keys = keys
        self._authenticate = authenticate
        self._trust_local = trust_local

    @property
    def asks_store(self) -> bool:
        """Whether nobody can be known while the store is away."""
        return self._authenticate is None

    async def principal(self, connection: HTTPConnection) -> Principal:
        """Who calls, if it may from where it does; raises ``Problem``."""
        caller = await self.caller(connection)
        guard(connection, caller)
        return caller

    async def caller(self, connection: HTTPConnection) -> Principal:
        """Who calls; raises ``Problem``. Whether another site made it call, ``guard`` finds out."""
        if self._authenticate is not None:
            found: Any = self._authenticate(connection)
            found = await found if isawaitable(found) else found
            if not isinstance(found, Principal):
                raise Problem(401, "unauthorized", "the application does not know who calls")
            return found
        shown = connection.headers.getlist("authorization")
        if shown:
            return await run_in_threadpool(self._keys.bearer, _bearer(shown))
        return await run_in_threadpool(self._without_key, connection)

    async def still(
        self, connection: HTTPConnection, caller: Principal, *, vouched: bool
    ) -> Principal:
        """The same caller as of now; raises ``Problem`` for one that is not let in any more.

        ``vouched``: a ticket stands for it as yet, as the host may not know it by ``connection``.
        """
        if caller.key is not None:
            return await run_in_threadpool(self._keys.still, caller)
        if vouched and self._authenticate is not None:
            return caller
        return await self.principal(connection)

    def _without_key(self, connection: HTTPConnection) -> Principal:
        cookie = connection.cookies.get(COOKIE)
        if cookie and connection.scope["type"] == "http":  # a socket takes a ticket instead
            try:
                return self._keys.session(cookie).principal
            except Problem:
                pass  # one of long ago, which a browser keeps: as if there were none
        local = self._trust_local and is_local(connection.scope, connection.headers)
        if local and not self._keys.any():
            return ANYBODY
        raise Problem(401, "unauthorized", "give an API key: Authorization: Bearer ask_...")


def guard(connection: HTTPConnection, caller: Principal) -> None:
    """Raise ``Problem`` where a page of another site may have made a browser call this.

    The host may know its own callers by a cookie, which a browser adds, other than a key.
    """
    unsafe = connection.scope.get("method", "GET") not in SAFE
    of_host = caller.key is None and "authorization" not in connection.headers
    if caller is ANYBODY or caller is NOBODY or (unsafe and of_host):
        same_site(connection)
    elif caller.session is not None and unsafe:
        word = csrf_of(connection.cookies.get(COOKIE, ""))
        if not compare_digest(connection.headers.get(CSRF_HEADER, "").encode(), word.encode()):
            raise Problem(403, "csrf", f"a call with a cookie needs the header {CSRF_HEADER}")


def same_site(connection: HTTPConnection) -> None:
    """Raise ``Problem`` for a call that a browser says comes of a page of another site."""
    site = connection.headers.get("sec-fetch-site", "none")
    origin = connection.headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != connection.headers.get("host")
    if site not in ("none", "same-origin") or foreign:
        raise Problem(403, "cross-site", "a page of another site may not call this")


def cookie_path(request: HTTPConnection) -> str:
    """The address above both REST and dashboard, wherever the host has put them."""
    return _BELOW.split(request.scope["path"], maxsplit=1)[0] + "/"


def is_encrypted(request: HTTPConnection) -> bool:
    """Whether it came by https, if only as far as a proxy, which may say so: no harm in a lie."""
    said = request.headers.get("x-forwarded-proto", request.scope["scheme"])
    return said.lower() in ("https", "wss")


def demand(principal: Principal, scope: Scope) -> None:
    """Raise ``Problem`` unless the caller has the scope."""
    if not principal.may(scope):
        raise Problem(403, "forbidden", f"{principal.name!r} lacks the scope {scope.value!r}")


def is_local(scope: Mapping[str, Any], headers: Headers) -> bool:
    """Whether a call comes from this machine, to an address that no other one can reach."""
    if scope.get("http_version") == "1.0" or any(name.startswith(_PROXIES) for name in headers):
        return False  # a proxy speaks for somebody else
    ends = (scope.get("server"), scope.get("client"))
    if not all(end and _is_loopback(str(end[0])) for end in ends):
        return False
    hosts = headers.getlist("host")  # a page elsewhere may have a name of its own for this address
    return len(hosts) == 1 and _is_loopback(_PORT.sub("", hosts[0]).strip("[]").lower())


def _bearer(shown: list[str]) -> str:
    kind, _, token = shown[0].partition(" ")
    if len(shown) != 1 or kind.lower() != "bearer" or not token.strip():
        raise Problem(401, "unauthorized", "give one API key: Authorization: Bearer ask_...")
    return token.strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
