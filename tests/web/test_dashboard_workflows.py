"""The pages of workflows: the graph, the runs, and what can be done to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from advanced_scheduler.models import TaskDependency, TaskStatus
from tests.support.waiting import eventually
from tests.web.browser import NARROW, confirm, overflow, said, violations, watched
from tests.web.sites import Site, site_on

pytestmark = pytest.mark.browser

S = TaskStatus
TASKS = ("fetch", "parse", "keep", "repair")


class Mill:
    """A workflow whose second task fails, waits or does well, as it is told."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.good = threading.Event()
        self.go = threading.Event()
        task = site.scheduler.task
        task(task_id="fetch")(lambda: None)
        task(task_id="parse", after=["fetch"])(self.parse)
        task(task_id="keep", after=["parse"])(lambda: None)
        failed = TaskDependency(task_id="parse", dependency_type="failure")
        task(task_id="repair", after=[failed])(lambda: None)

    def parse(self) -> None:
        """Wait for ``go``; fail unless it is to do well."""
        self.go.wait()
        if not self.good.is_set():
            raise ValueError("line 3")

    def run(self, *, go: bool, good: bool = False) -> str:
        """The id of a run that has ended, or waits."""
        for event, wanted in ((self.go, go), (self.good, good)):
            (event.set if wanted else event.clear)()
        made = self.site.scheduler.schedule_workflow(TASKS)
        if go:
            self.site.until(made["keep"], S.SKIPPED, S.COMPLETED)
            self.site.until(made["repair"], S.SKIPPED, S.COMPLETED)
        else:
            self.site.until(made["parse"], S.RUNNING)
        return str(self.site.row(made["fetch"]).workflow_id)

    def status(self, run: str, task_id: str) -> TaskStatus:
        """How the task of a run is now."""
        rows = self.site.scheduler.executions(workflow_id=run, task_id=task_id)
        return rows[0].status


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A site with the workflow."""
    folder: Path = tmp_path_factory.mktemp("mill")
    with site_on(folder) as site:
        found = Mill(site)
        try:
            yield found
        finally:
            found.go.set()


@pytest.fixture
def page(browser: Browser, mill: Mill) -> Iterator[Page]:
    """A page of that site."""
    with watched(browser, mill.site.url) as found:
        yield found


def test_run_all_leads_to_the_run_which_is_drawn_as_it_goes(page: Page, mill: Mill) -> None:
    mill.go.clear()
    mill.good.set()
    page.goto("workflows?of=fetch")
    expect(page.locator("svg.graph .node")).to_have_count(4)
    page.get_by_role("button", name="Run all 4").click()
    confirm(page, "These 4 tasks run together")
    page.wait_for_url("**/workflows/*")
    expect(page.locator("svg.graph .node.running")).to_have_count(1)
    expect(page.locator("svg.graph .edge.failure")).to_have_count(1)
    mill.go.set()
    expect(page.locator("svg.graph .node.completed")).to_have_count(3)
    expect(page.locator("h1")).to_contain_text("completed")
    page.get_by_role("link", name="parse, completed").click()
    page.wait_for_url("**/executions/*")


def test_retry_from_the_failed_task(page: Page, mill: Mill) -> None:
    run = mill.run(go=True)
    mill.good.set()
    page.goto(f"workflows/{run}")
    page.get_by_role("button", name="Retry from the failed task").click()
    confirm(page, "What did not complete")
    expect(page.locator("h1")).to_contain_text("completed")
    assert mill.status(run, "keep") is S.COMPLETED
    assert len(mill.site.scheduler.executions(workflow_id=run, task_id="fetch")) == 1


def test_skip_a_task_and_cancel_the_run(page: Page, mill: Mill) -> None:
    run = mill.run(go=False)
    page.goto(f"workflows/{run}")
    off = page.get_by_role("button", name="Retry from the failed task")
    expect(off).to_have_attribute("aria-disabled", "true")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="keep"))
    row.get_by_role("button", name="Skip").click()
    confirm(page, "keep does not run in this run")
    said(page, "Skipped")
    assert mill.status(run, "keep") is S.SKIPPED
    page.get_by_role("button", name="Cancel run").click()
    confirm(page, "are cancelled")
    said(page, "Cancelled")
    eventually(lambda: mill.status(run, "parse") is S.CANCELLED)
    mill.go.set()


def test_zoom_fit_and_follow(page: Page, mill: Mill) -> None:
    run = mill.run(go=False)
    page.set_viewport_size({"width": 500, "height": 500})
    page.goto(f"workflows/{run}")
    picture = page.locator("svg.graph")
    before = float(picture.get_attribute("width") or 0)
    for _ in range(8):
        page.get_by_role("button", name="Larger").click()
    large = float(picture.get_attribute("width") or 0)
    assert large > 3 * before
    page.get_by_label("Follow what runs").check()
    box, canvas = (
        page.locator(".node.running").bounding_box(),
        page.locator(".canvas").bounding_box(),
    )
    assert box is not None
    assert canvas is not None
    assert canvas["x"] < box["x"] + box["width"] / 2 < canvas["x"] + canvas["width"]
    mill.good.set()
    mill.go.set()
    expect(page.locator("svg.graph .node.running")).to_have_count(0)
    assert float(picture.get_attribute("width") or 0) == pytest.approx(large)
    page.get_by_role("button", name="Actual size").click()
    page.locator(".canvas").press("+")
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("button", name="Smaller").click()
    assert float(picture.get_attribute("width") or 0) < large / 3


def test_gantt_table_grid_and_other_runs(page: Page, mill: Mill) -> None:
    bad, good = mill.run(go=True), mill.run(go=True, good=True)
    page.goto(f"workflows/{bad}?view=gantt")
    expect(page.locator("svg.gantt .bar.failed")).to_have_count(1)
    for view in ("Graph", "Gantt", "Table"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("table")).to_contain_text("failure of parse")
        assert violations(page) == []
    page.get_by_text("Other runs").click()
    page.locator("#other-runs").get_by_role("link").first.click()
    page.wait_for_url(f"**/workflows/{good}**")
    page.goto("workflows?of=fetch")
    expect(page.locator("svg.grid-chart .bar.failed").last).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert overflow(page) == 0
    page.locator("[data-live=runs]").get_by_role("link", name=bad[-8:]).click()
    page.wait_for_url(f"**/workflows/{bad}")
