"""Every button of the dashboard: what it asks, what it says, and what is in the store after it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from advanced_scheduler.api.auth import Keyring, Scope
from advanced_scheduler.models import TaskPriority, TaskStatus
from tests.support.waiting import eventually
from tests.web.browser import confirm, said, violations, watched
from tests.web.sites import HUGE, Site

pytestmark = pytest.mark.browser

S = TaskStatus


def row_of(page: Page, execution_id: str) -> Locator:
    """The row of an execution in a table."""
    return page.locator(f'tr[data-row="{execution_id}"]')


def test_retry_now_leads_to_the_new_execution(page: Page, site: Site) -> None:
    made = site.failed()
    page.goto(f"executions/{made}")
    page.get_by_role("button", name="Retry now").click()
    page.wait_for_url(lambda url: "/executions/" in url and made not in url)
    again = page.url.rpartition("/")[2]
    assert site.row(again).extras["again"] == made


def test_cancel_and_then_the_audit_says_who(page: Page, site: Site) -> None:
    made = site.later()
    page.goto(f"executions/{made}")
    page.get_by_role("button", name="Cancel").click()
    confirm(page, "What depends on it is skipped.")
    said(page, "Cancelled")
    assert site.row(made).status is S.CANCELLED
    expect(page.locator("[data-live=head]")).to_contain_text("cancelled")
    expect(page.locator("[data-live=audit]")).to_contain_text("anybody cancel")


def test_a_dialog_that_is_left_does_nothing(page: Page, site: Site) -> None:
    made = site.later()
    page.goto(f"executions/{made}")
    page.get_by_role("button", name="Cancel").click()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Back").click()
    assert site.row(made).status is S.PENDING


def test_skip(page: Page, site: Site) -> None:
    made = site.later()
    page.goto(f"executions/{made}")
    page.get_by_role("button", name="Skip").click()
    confirm(page)
    said(page, "Skipped")
    assert site.row(made).status is S.SKIPPED


def test_what_is_refused_is_said_aloud(browser: Browser, site: Site) -> None:
    made = site.later()
    with watched(browser, site.url, refusals=[409]) as page:
        page.goto(f"executions/{made}")
        page.get_by_role("button", name="Pause live updates").click()
        site.scheduler.cancel_task(made)
        page.get_by_role("button", name="Cancel").click()
        confirm(page)
        expect(page.get_by_role("alert")).to_contain_text("is cancelled")


def test_run_now_sends_what_the_form_says(page: Page, site: Site) -> None:
    page.goto("tasks/greet")
    page.get_by_label("name").fill("Grace")
    page.get_by_label("times").fill(str(HUGE))
    page.get_by_text("Options").click()
    page.get_by_label("Priority").select_option("critical")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/executions/*")
    made = site.row(page.url.rpartition("/")[2])
    assert (made.args, dict(made.kwargs)) == (("Grace",), {"times": HUGE})
    assert made.priority is TaskPriority.CRITICAL


def test_run_now_says_what_is_no_json(page: Page) -> None:
    page.goto("tasks/greet")
    page.get_by_label("times").fill("one")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("alert")).to_contain_text("times:")


def test_pause_and_resume_a_task(page: Page, site: Site) -> None:
    page.goto("tasks/greet")
    page.get_by_role("button", name="Pause", exact=True).click()
    confirm(page, "None of its schedules (1) fires")
    said(page, "Its schedules are paused")
    (schedule,) = site.scheduler.find_schedules(task_id="greet")
    assert schedule.paused
    page.get_by_role("button", name="Resume", exact=True).click()
    said(page, "Its schedules go on")
    (schedule,) = site.scheduler.find_schedules(task_id="greet")
    assert not schedule.paused


def test_pause_and_resume_dispatch(page: Page, site: Site) -> None:
    page.goto("")
    page.get_by_role("button", name="Pause dispatch").click()
    confirm(page, "No node starts anything new")
    said(page, "Dispatch is paused")
    assert site.scheduler.pauses().everything
    expect(page.locator("[data-live=attention]")).to_contain_text("Dispatch is paused")
    page.get_by_role("button", name="Resume dispatch").click()
    said(page, "Dispatch goes on")
    assert not site.scheduler.pauses().everything


def test_pause_and_resume_a_lane(page: Page, site: Site) -> None:
    page.goto("queue")
    lane = page.locator("[data-live=lanes] tr", has_text="background")
    lane.get_by_role("button", name="Pause").click()
    confirm(page, "the lane background")
    said(page, "Lane background is paused")
    assert site.scheduler.pauses().priorities == {TaskPriority.BACKGROUND}
    lane.get_by_role("button", name="Resume").click()
    said(page, "Lane background goes on")
    assert not site.scheduler.pauses().priorities


def test_the_order_of_a_lane_can_be_changed(page: Page, site: Site) -> None:
    first, second = (site.later(priority=TaskPriority.CRITICAL) for _ in range(2))
    page.goto("queue?lane=critical")
    expect(page.locator("tr[data-row]").nth(1)).to_contain_text(second[-8:])
    row_of(page, second).get_by_role("button", name="Run first").click()
    said(page, "First of its lane")
    assert site.row(second).rank > site.row(first).rank
    expect(page.locator("tr[data-row]").first).to_contain_text(second[-8:])
    row_of(page, first).get_by_role("combobox").select_option("low")
    row_of(page, first).get_by_role("button", name="Move").click()
    said(page, "Moved to the lane low")
    assert site.row(first).priority is TaskPriority.LOW
    row_of(page, second).get_by_role("button", name="Cancel").click()
    confirm(page, "does not run")
    said(page, "Cancelled")
    assert site.row(second).status is S.CANCELLED


def test_a_whole_lane_can_be_cancelled(page: Page, site: Site) -> None:
    waiting = [site.later(priority=TaskPriority.CRITICAL) for _ in range(3)]
    page.goto("queue?lane=critical")
    page.get_by_role("button", name="Cancel all of this lane").click()
    confirm(page, "is skipped: 3.")
    said(page, "3 cancelled")
    assert {site.row(one).status for one in waiting} == {S.CANCELLED}


def test_the_selected_are_cancelled_and_deleted(page: Page, site: Site) -> None:
    one, other = site.later(tags=["picked"]), site.later(tags=["picked"])
    page.goto("executions?tag=picked")
    row_of(page, one).get_by_role("checkbox").check()
    selected = page.locator("#selection")
    selected.get_by_role("button", name="Cancel").click()
    confirm(page, "is skipped: 1.")
    said(page, "1 cancelled")
    assert (site.row(one).status, site.row(other).status) == (S.CANCELLED, S.PENDING)
    expect(row_of(page, one)).to_contain_text("cancelled")
    selected.get_by_role("button", name="Delete").click()
    confirm(page, "deleted for good, with their results and errors: 1.")
    said(page, "1 deleted")
    assert site.scheduler.get_execution(one) is None
    expect(row_of(page, one)).to_have_count(0)
    page.get_by_label("Selected:").check()
    selected.get_by_role("button", name="Cancel").click()
    confirm(page, "is skipped: 1.")
    eventually(lambda: site.row(other).status is S.CANCELLED, what="the other is cancelled")


def test_all_that_fit_the_filter_run_again(page: Page, site: Site) -> None:
    made = [site.later("greet", tags=["again"]) for _ in range(3)]
    for one in made:
        site.scheduler.cancel_task(one)
    page.goto("executions?tag=again&status=cancelled")
    page.get_by_role("button", name="Retry").nth(1).click()
    confirm(page, "each as a new one: 3.")
    said(page, "3 run again")
    rows = site.scheduler.executions(task_id="greet", limit=50)
    assert {row.extras["again"] for row in rows if "again" in row.extras} == {*made}


def test_the_list_can_be_taken_home(page: Page, site: Site) -> None:
    page.goto("executions?task_id=break&status=failed")
    count = page.locator("tr[data-row]").count()
    with page.expect_download() as started:
        page.get_by_role("link", name="JSON").click()
    rows = json.loads(started.value.path().read_text("utf-8"))
    assert {one["status"] for one in rows} == {"failed"}
    assert len(rows) == count
    address = page.get_by_role("link", name="CSV").get_attribute("href")
    assert address is not None
    lines = httpx.get(str(httpx.URL(page.url).join(address))).text.splitlines()
    assert len(lines) == count + 1


def test_copies_where_pages_have_no_clipboard(browser: Browser, site: Site) -> None:
    made = site.failed()
    with watched(browser, site.url) as page:
        page.add_init_script(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
            "document.addEventListener('copy', () => window.copied = String(getSelection()) ||"
            " document.activeElement.value)"
        )
        page.goto(f"executions/{made}")
        page.get_by_role("button", name="Copy as curl").click()
        said(page, "Copied")
        copied: Any = page.evaluate("window.copied")
    root = site.url.removesuffix("scheduler/")
    assert copied.endswith(f"{root}api/v1/scheduler/executions/{made}/retry")


@pytest.fixture
def stranger(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of somebody who is not at this machine; to be turned away is no fault."""
    proxied = {"x-forwarded-for": "192.0.2.7"}
    with watched(browser, site.url, extra_http_headers=proxied, refusals=[401]) as found:
        yield found


def key_of(site: Site, *scopes: Scope) -> str:
    """A new API key."""
    return Keyring(site.scheduler.store, site.scheduler.clock).create("Ada", scopes)[0]


def test_a_stranger_logs_in_acts_and_logs_out(stranger: Page, site: Site) -> None:
    made = site.later()
    stranger.goto(f"executions/{made}")
    stranger.get_by_label("API key").fill("ask_wrong")
    stranger.get_by_role("button", name="Log in").click()
    field = stranger.get_by_label("API key")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("no key"))
    expect(field).to_be_focused()
    assert violations(stranger) == []
    stranger.get_by_label("API key").fill(key_of(site, Scope.RUN))
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("heading", name="greet")).to_be_visible()
    stranger.get_by_role("button", name="Cancel").click()
    confirm(stranger)
    said(stranger, "Cancelled")
    assert site.row(made).status is S.CANCELLED
    stranger.get_by_role("button", name="Log out Ada").click()
    expect(stranger.get_by_label("API key")).to_be_visible()


def test_buttons_that_need_more_are_off_and_say_why(stranger: Page, site: Site) -> None:
    stranger.goto("")
    stranger.get_by_label("API key").fill(key_of(site, Scope.READ))
    stranger.get_by_role("button", name="Log in").click()
    button = stranger.get_by_role("button", name="Pause dispatch")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "needs a key with the scope “write”")
    button.click(force=True)
    eventually(lambda: not site.scheduler.pauses().everything, what="nothing is paused")
    stranger.goto("executions")
    for one in stranger.get_by_role("button", name="Retry").all():
        expect(one).to_be_disabled()
