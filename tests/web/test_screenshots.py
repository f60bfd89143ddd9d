"""The pictures of the README: of a real dashboard, and no larger than they need be.

``pytest tests/web/test_screenshots.py --screenshots`` renews those in ``backend/docs``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import watched
from tests.web.showcase import showcase
from tests.web.sites import Site

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "backend" / "docs" / "screenshots"
SIZE = {"width": 1280, "height": 800}
MOST_BYTES = 200_000

SHOTS = {
    "overview": ("", "Overview", "light"),
    "queue": ("queue", "Queue", "light"),
    "workflow": ("workflows/{run}", "Workflow run", "dark"),
    "schedules": ("schedules?cron=30+2+*+*+*&timezone=Europe/Berlin", "Schedules", "light"),
}
"""The address of each, its heading, and its colours."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A scheduler after an afternoon at work."""
    with showcase(tmp_path_factory.mktemp("show")) as found:
        yield found


@pytest.mark.parametrize("name", SHOTS)
def test_a_screenshot_can_be_made(
    browser: Browser, shown: Site, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address, heading, scheme = SHOTS[name]
    folder = FOLDER if request.config.getoption("--screenshots", default=False) else tmp_path
    with watched(browser, shown.url, viewport=SIZE, color_scheme=scheme) as page:
        page.goto(address.format(run=run_of(shown)))
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        expect(page.locator("#stream")).to_have_text("live")
        made = shot(page, folder / f"{name}.png")
    assert size_of(made) == (SIZE["width"], SIZE["height"])
    assert made.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", SHOTS)
def test_the_readme_has_one_that_is_small(name: str) -> None:
    kept = FOLDER / f"{name}.png"
    assert size_of(kept) == (SIZE["width"], SIZE["height"])
    assert kept.stat().st_size < MOST_BYTES
    assert f"backend/docs/screenshots/{name}.png" in (FOLDER.parents[2] / "README.md").read_text()


def run_of(site: Site) -> str:
    """The workflow that runs now."""
    rows = site.scheduler.executions(task_id="train_forecast", statuses=["running"])
    return str(rows[0].workflow_id)


def shot(page: Page, path: Path) -> Path:
    """The page as it is, as a file."""
    path.parent.mkdir(exist_ok=True)
    page.screenshot(path=path, animations="disabled")
    return path


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height
