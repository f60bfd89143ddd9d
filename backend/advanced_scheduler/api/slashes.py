"""Lets names have slashes: one that an address has as ``%2F`` divides no path."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_STAND_IN: Final = "\ue02f"
"""A character of private use, which no name has."""

_WRITTEN: Final = re.compile("%2f", re.IGNORECASE)
_QUOTED: Final = quote(_STAND_IN)


class NamesWithSlashes:
    """Marks such slashes before a route is looked for, as servers tell them from no other.

    ``whole`` says what a part of the path was.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        written = (scope.get("raw_path") or b"").decode("latin-1")
        marked = _WRITTEN.sub(_QUOTED, written)
        if marked != written and unquote(written) == scope["path"]:
            scope = {**scope, "path": unquote(marked)}
        await self._app(scope, receive, send)


def whole(part: str) -> str:
    """A part of a path with its slashes."""
    return part.replace(_STAND_IN, "/")
