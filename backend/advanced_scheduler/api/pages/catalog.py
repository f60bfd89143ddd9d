"""All pages of the dashboard, and the navigation that leads to them."""

from __future__ import annotations

from typing import Final

from . import executions, overview, queue, tasks
from .page import Page

PAGES: Final[tuple[Page, ...]] = (
    *overview.PAGES,
    *queue.PAGES,
    *executions.PAGES,
    *tasks.PAGES,
)

NAVIGATION: Final = tuple(
    sorted((one for one in PAGES if one.nav), key=lambda one: one.nav.rank if one.nav else 0)
)
"""The pages that have a place of their own in it."""
