"""The browser and the dashboard that tests look at with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.web.browser import chromium, watched
from tests.web.sites import Site, furnish, site_on


def pytest_addoption(parser: pytest.Parser) -> None:
    """What this folder knows beside what pytest knows."""
    group = parser.getgroup("dashboard")
    group.addoption("--screenshots", action="store_true", help="renew backend/docs/screenshots")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for this folder: while it is open, its thread cannot run another event loop."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running scheduler with something of everything, and its dashboard."""
    with site_on(tmp_path_factory.mktemp("site")) as found:
        furnish(found)
        yield found


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the site, in which nothing may go wrong."""
    with watched(browser, site.url) as found:
        yield found
