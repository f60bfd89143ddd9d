"""The same application, on a build that fires a tick without looking who else has."""

from __future__ import annotations

from tests.scenarios import breaks

breaks.apply("no-compare")

from tests.web.app import app  # noqa: E402  # schedules are made when it is imported

__all__ = ["app"]
