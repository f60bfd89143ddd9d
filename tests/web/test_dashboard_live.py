"""What changes while somebody looks: it is shown, and takes nothing out of anybody's hands."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from advanced_scheduler.models import TaskStatus
from tests.web.sites import Site

pytestmark = pytest.mark.browser


def live(page: Page, path: str) -> None:
    """Open a page, and wait until it hears what happens."""
    page.goto(path)
    expect(page.locator("#stream")).to_have_text("live")


def test_a_page_follows_an_execution_to_its_end(page: Page, site: Site) -> None:
    made = site.later()
    live(page, f"executions/{made}")
    expect(page.locator("[data-live=head]")).to_contain_text("pending")
    site.scheduler.cancel_task(made)
    expect(page.locator("[data-live=head]")).to_contain_text("cancelled")


def test_a_running_execution_tells_how_far_it_is(page: Page, site: Site) -> None:
    (running,) = site.scheduler.executions(statuses=["running"])
    live(page, f"executions/{running.execution_id}")
    timeline = page.locator("[data-live=timeline]")
    expect(timeline).to_contain_text("40 of 100 steps")
    expect(timeline.get_by_role("progressbar")).to_have_js_property("value", 40)
    expect(page.locator("[data-live=logs]")).to_contain_text("WARNING the gate is shut")


def test_new_rows_are_announced_and_push_nothing_away(page: Page, site: Site) -> None:
    known = site.later(tags=["fresh"])
    live(page, "executions?tag=fresh")
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(1)
    added = [site.later(tags=["fresh"]) for _ in range(2)]
    expect(page.locator("[data-news]")).to_have_text("2 new")
    expect(rows).to_have_count(1)
    site.scheduler.cancel_task(known)  # what is shown is kept up to date meanwhile
    expect(rows.first).to_contain_text("cancelled")
    page.get_by_role("button", name="2 new").click()
    expect(rows).to_have_count(3)
    expect(rows.first).to_have_attribute("data-row", added[-1])


def test_what_is_ticked_stays_ticked(page: Page, site: Site) -> None:
    made = site.later(tags=["ticked"])
    live(page, "executions?tag=ticked")
    box = page.locator("tr[data-row]").get_by_role("checkbox")
    box.check()
    page.get_by_label("Task", exact=True).focus()
    site.scheduler.cancel_task(made)
    expect(page.locator("tr[data-row]")).to_contain_text("cancelled")
    expect(box).to_be_checked()


def test_a_region_that_holds_the_focus_waits(page: Page, site: Site) -> None:
    made = site.later()
    live(page, f"executions/{made}")
    page.get_by_role("button", name="Copy id").focus()
    with page.expect_response(lambda answer: made in answer.url and "/api/" not in answer.url):
        site.scheduler.cancel_task(made)
    expect(page.locator("[data-live=timeline]")).to_contain_text("cancelled")
    expect(page.locator("[data-live=head]")).to_contain_text("pending")
    expect(page.get_by_role("button", name="Copy id")).to_be_focused()
    page.get_by_role("button", name="Pause live updates").focus()
    expect(page.locator("[data-live=head]")).to_contain_text("cancelled")


def test_paused_nothing_moves_not_even_for_the_focus(page: Page, site: Site) -> None:
    made = site.later()
    live(page, f"executions/{made}")
    button = page.get_by_role("button", name="Pause live updates")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#stream")).to_have_text("paused")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    site.scheduler.cancel_task(made)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_role("button", name="Copy id").focus()
    button.focus()
    page.wait_for_timeout(1000)  # more than twice as long as it takes when it is not paused
    assert fetched == []
    expect(page.locator("[data-live=head]")).to_contain_text("pending")
    button.click()
    expect(page.locator("[data-live=head]")).to_contain_text("cancelled")
    assert site.row(made).status is TaskStatus.CANCELLED


def test_times_are_told_in_words_and_exactly_on_hover(page: Page, site: Site) -> None:
    made = site.later()
    live(page, f"executions/{made}")
    due = page.locator("dt:has-text('Due') + dd time")
    expect(due).to_have_text(re.compile(r"^in (1 h|59 min)$"))
    row = site.row(made)
    title = due.get_attribute("title") or ""
    assert f"{row.due:%Y-%m-%d %H:%M:%S}" in title
