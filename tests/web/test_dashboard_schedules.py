"""The pages of schedules and workflows: each button, and what is in the store after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from advanced_scheduler.models import OverlapPolicy, Schedule, TaskStatus
from advanced_scheduler.triggers import CronTrigger, OneTimeTrigger
from tests.support.waiting import eventually
from tests.web.browser import NARROW, confirm, overflow, said, violations, watched
from tests.web.sites import Site

pytestmark = pytest.mark.browser

S = TaskStatus


@pytest.fixture
def nightly(site: Site, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Schedule]:
    """A schedule of its own for each test."""
    trigger = CronTrigger("30 2 * * *", timezone="Europe/Berlin", jitter=5)
    name = f"Nightly of {request.node.name}"
    made = site.scheduler.create_schedule("greet", trigger, name=name)
    yield site.scheduler.get_schedule(made)
    remove(site, made, *(page for context in browser.contexts for page in context.pages))


def remove(site: Site, schedule_id: str, *pages: Page) -> None:
    """Delete it once no page shows it: one that does would ask for what is not there any more."""
    for page in pages:
        page.goto("about:blank")
    site.scheduler.remove_schedule(schedule_id)


def now_of(site: Site, schedule: Schedule) -> Schedule:
    """The schedule as it is stored now."""
    return site.scheduler.get_schedule(schedule.schedule_id)


def test_the_list_says_in_words_when_what_runs(page: Page, nightly: Schedule) -> None:
    page.goto("schedules?task_id=greet")
    row = page.get_by_role("row").filter(has_text=str(nightly.name))
    expect(row).to_contain_text("At 02:30 every day, Europe/Berlin")
    page.get_by_label("State").select_option("paused")
    page.get_by_role("button", name="Filter").click()
    assert "status=paused" in page.url
    expect(page.get_by_text("No schedule fits.")).to_be_visible()


def test_a_name_may_have_slashes_and_tags(page: Page, site: Site) -> None:
    name = "a/b <img src=x onerror=alert(1)>\"' %2F"
    trigger = CronTrigger("30 2 * * *")
    made = site.scheduler.create_schedule("greet", trigger, schedule_id=name, name=name)
    page.goto("schedules?task_id=greet")
    page.get_by_role("link", name=name).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.get_by_role("button", name="Pause", exact=True).click()
    said(page, "Paused")
    assert site.scheduler.get_schedule(made).paused
    remove(site, made, page)


def test_pause_resume_and_run_now_from_the_list(page: Page, site: Site, nightly: Schedule) -> None:
    page.goto("schedules")
    row = page.get_by_role("row").filter(has_text=str(nightly.name))
    row.get_by_role("button", name="Pause").click()
    said(page, "Paused")
    assert now_of(site, nightly).paused
    row.get_by_role("button", name="Resume").click()
    said(page, "Resumed")
    assert not now_of(site, nightly).paused
    row.get_by_role("button", name="Run now").click()
    said(page, "Runs now:")
    (made,) = site.scheduler.executions(schedule_id=nightly.schedule_id)
    site.until(made.execution_id, S.COMPLETED)


def test_the_list_says_how_each_went_last(site: Site) -> None:
    """Also of two schedules of one task, of which only one ran it last."""
    started = site.scheduler.clock.now() + timedelta(seconds=0.2)
    made = [
        site.scheduler.create_schedule(task, OneTimeTrigger(started), name=f"Once {task}")
        for task in ("break", "greet", "greet")
    ]
    for one in made:
        eventually(lambda one=one: site.scheduler.executions(schedule_id=one))  # type: ignore[misc]
    ran = {one: site.scheduler.executions(schedule_id=one)[0].execution_id for one in made}
    site.until(ran[made[0]], S.FAILED)
    for one in made[1:]:
        site.until(ran[one], S.COMPLETED)
    rows = httpx.get(f"{site.url}schedules").text.split("<tr>")
    for one, status in zip(made, ("failed", "completed", "completed"), strict=True):
        (row,) = [row for row in rows if f"schedules/{quote(one, safe='')}" in row]
        assert f'executions/{ran[one]}"' in row
        assert f"s-{status}" in row
        site.scheduler.remove_schedule(one)


def test_a_preview_needs_no_script_and_tells_of_clock_changes(browser: Browser, site: Site) -> None:
    with watched(browser, site.url, java_script_enabled=False) as page:
        page.goto("schedules")
        page.get_by_label("Cron text").first.fill("30 2 28 3 *")
        page.get_by_label("Time zone").first.fill("Europe/Berlin")
        page.get_by_label("Runs", exact=True).fill("3")
        page.get_by_role("button", name="Preview").click()
        preview = page.locator("#preview")
        expect(preview).to_contain_text("At 02:30 on the 28th of March, Europe/Berlin")
        expect(preview.locator("tbody tr")).to_have_count(3)
        page.goto("schedules?cron=61+*+*+*+*")
        expect(page.get_by_role("alert").first).to_contain_text("minute '61'")


def test_a_new_schedule(page: Page, site: Site) -> None:
    page.goto("schedules")
    form = page.locator("form[data-api='POST schedules']")
    form.get_by_label("Name").fill("Every noon")
    form.get_by_label("Task").select_option("greet")
    form.get_by_label("Cron text").fill("0 12 * * *")
    form.get_by_role("button", name="Make a schedule").click()
    said(page, "Made")
    (made,) = [one for one in site.scheduler.find_schedules() if one.name == "Every noon"]
    assert made.trigger["expression"] == "0 12 * * *"
    page.goto(f"schedules/{made.schedule_id}")
    page.get_by_role("button", name="Remove").click()
    confirm(page, "It fires no more")
    page.wait_for_url("**/schedules")
    assert made.schedule_id not in {one.schedule_id for one in site.scheduler.find_schedules()}


def test_a_page_does_not_look_for_what_it_has_removed(page: Page, site: Site) -> None:
    """Also while the page that it leads to is slow to come."""
    made = site.scheduler.create_schedule("greet", CronTrigger("0 13 * * *"))
    page.goto(f"schedules/{made}")
    expect(page.locator("#stream")).to_have_text("live")
    looks = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(f"setInterval(() => {looks}, 50)")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/scheduler/schedules", hold)
    page.get_by_role("button", name="Remove").click()
    confirm(page)
    page.wait_for_timeout(1000)  # in which it would look, and be told that there is nothing
    held[0].continue_()
    page.wait_for_url("**/schedules")


def test_an_edit_keeps_what_it_does_not_name_and_can_be_rolled_back(
    page: Page, site: Site, nightly: Schedule
) -> None:
    page.goto(f"schedules/{nightly.schedule_id}")
    edit = page.locator("form[data-api^=PATCH]")
    edit.get_by_label("Cron text").fill("0 4 * * *")
    edit.get_by_label("If it still runs").select_option("queue_one")
    edit.get_by_label("By name").fill('{"times": 3}')
    edit.get_by_label("Why").fill("later at night")
    edit.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_role("button", name="Save as version 3")).to_be_visible()
    expect(page.locator("#stream")).to_have_text("live")  # the page is there anew, with its scripts
    edited = now_of(site, nightly)
    assert (edited.trigger["expression"], edited.trigger["jitter"]) == ("0 4 * * *", 5)
    assert (edited.overlap, dict(edited.kwargs)) == (OverlapPolicy.QUEUE_ONE, {"times": 3})
    expect(page.locator("[data-live=history]")).to_contain_text("later at night")
    page.get_by_role("button", name="Roll back").click()
    confirm(page, "What version 1 said becomes version 3.")
    said(page, "Rolled back")
    assert now_of(site, nightly).trigger["expression"] == "30 2 * * *"


def test_an_edit_of_what_somebody_else_has_changed_is_refused(
    browser: Browser, site: Site, nightly: Schedule
) -> None:
    with watched(browser, site.url, refusals=[412]) as page:
        page.goto(f"schedules/{nightly.schedule_id}")
        site.scheduler.update_schedule(nightly.schedule_id, kwargs={"times": 7})
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_role("alert")).to_contain_text("version")
        assert dict(now_of(site, nightly).kwargs) == {"times": 7}


def test_run_now_with_other_arguments(page: Page, site: Site, nightly: Schedule) -> None:
    page.goto(f"schedules/{nightly.schedule_id}")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Run with these"))
    form.get_by_label("By position").fill('["Grace"]')
    form.get_by_role("button").click()
    said(page, "Runs now:")
    (made,) = site.scheduler.executions(schedule_id=nightly.schedule_id)
    assert made.args == ("Grace",)


def test_resume_and_catch_up(page: Page, site: Site, nightly: Schedule) -> None:
    site.scheduler.pause_schedule(nightly.schedule_id)
    page.goto(f"schedules/{nightly.schedule_id}")
    expect(page.get_by_text("It is paused: these come once it goes on.")).to_be_visible()
    page.get_by_role("button", name="Resume and catch up").click()
    confirm(page, "counts as missed")
    said(page, "Resumed")
    assert not now_of(site, nightly).paused


def test_a_backfill_says_how_many_before_it_begins(
    page: Page, site: Site, nightly: Schedule
) -> None:
    page.goto(f"schedules/{nightly.schedule_id}")
    page.get_by_label("From (UTC)").fill("2026-01-01T00:00")
    page.get_by_label("Up to, without (UTC)").fill("2026-01-03T00:00")
    page.get_by_role("button", name="Backfill").click()
    confirm(page, "2 instants of the past fall into this window.")
    said(page, "Made: 2")
    assert len(site.scheduler.executions(schedule_id=nightly.schedule_id)) == 2


def test_the_ledger_and_why_something_did_not_run(page: Page, site: Site) -> None:
    made = site.scheduler.create_schedule("greet", CronTrigger("* * * * * *"), name="Each second")
    eventually(lambda: len(site.scheduler.executions(schedule_id=made)) >= 2)
    site.scheduler.pause_schedule(made)
    page.goto(f"schedules/{made}")
    ledger = page.locator("[data-live=ledger]")
    expect(ledger.get_by_role("row").nth(1)).to_contain_text("fired")
    expect(ledger).to_contain_text("completed")
    past = datetime.now(UTC) - timedelta(days=3)
    page.get_by_label("Instant (UTC)").fill(f"{past:%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explain")).to_contain_text("no record")
    remove(site, made, page)


def test_a_schedule_is_for_everybody(page: Page, nightly: Schedule) -> None:
    page.goto(f"schedules/{nightly.schedule_id}")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert overflow(page) == 0


@pytest.mark.parametrize("path", ["schedules/none", "workflows/none", "workflows?of=none"])
def test_what_is_unknown_is_not_found(browser: Browser, site: Site, path: str) -> None:
    with watched(browser, site.url, refusals=[404]) as page:
        page.goto(path)
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
