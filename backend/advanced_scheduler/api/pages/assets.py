"""Static files of the dashboard: read once, known by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Final

_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served; ``version`` changes with its content."""

    body: bytes
    kind: str
    version: str

    @property
    def etag(self) -> str:
        """What ``If-None-Match`` takes."""
        return f'"{self.version}"'


@cache
def assets() -> dict[str, Asset]:
    """The files by name."""
    folder = resources.files(__package__) / "static"
    return {
        one.name: Asset(body, _KINDS[PurePath(one.name).suffix], _version(body))
        for one in folder.iterdir()
        if (body := one.read_bytes())
    }


def address(name: str) -> str:
    """A file from the root of the dashboard, to be kept for ever under this address."""
    return f"static/{name}?v={assets()[name].version}"


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
