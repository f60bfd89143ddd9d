"""All pages of the dashboard, and the navigation that leads to them."""

from __future__ import annotations

from typing import Final

from . import executions, operation, overview, queue, schedules, tasks, workflows
from .page import Page

PAGES: Final[tuple[Page, ...]] = (
    *overview.PAGES,
    *queue.PAGES,
    *executions.PAGES,
    *tasks.PAGES,
    *workflows.PAGES,
    *schedules.PAGES,
    *operation.PAGES,
)

NAVIGATION: Final = tuple(
    sorted((one for one in PAGES if one.nav), key=lambda one: one.nav.rank if one.nav else 0)
)
"""The pages that have a place of their own in it."""
