"""Every page as it looks: readable for everybody, on any screen, with and without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from advanced_scheduler.api.pages.catalog import PAGES
from tests.web.browser import NARROW, WIDE, overflow, violations, watched
from tests.web.sites import HUGE, Site, site_on

pytestmark = pytest.mark.browser

PLAIN = [one.path for one in PAGES if "{" not in one.path]


def of_state(site: Site, status: str) -> str:
    """The address of an execution of this status."""
    return f"executions/{site.scheduler.executions(statuses=[status])[0].execution_id}"


def test_there_are_pages() -> None:
    assert {"", "queue", "executions", "tasks"} <= {*PLAIN}


@pytest.mark.parametrize("path", [*PLAIN, "tasks/greet", "failed", "running", "completed"])
def test_a_page_is_for_everybody(page: Page, site: Site, path: str) -> None:
    if path in ("failed", "running", "completed"):
        path = of_state(site, path)
    page.goto(path)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert violations(page) == []
    assert overflow(page) == 0
    page.set_viewport_size({**WIDE, "width": 1920})  # type: ignore[typeddict-item]
    assert overflow(page) == 0


@pytest.fixture(scope="module")
def plain(browser: Browser, site: Site) -> Iterator[Page]:
    """A page without JavaScript."""
    with watched(browser, site.url, java_script_enabled=False) as found:
        yield found


@pytest.mark.parametrize("path", PLAIN)
def test_a_page_reads_without_scripts(plain: Page, path: str) -> None:
    plain.goto(path)
    expect(plain.locator("h1")).to_be_visible()
    expect(plain.locator("noscript .notice")).to_be_visible()
    assert [one for one in plain.locator("form[data-api]").all() if one.is_visible()] == []


def test_filters_work_without_scripts_and_are_in_the_address(plain: Page) -> None:
    plain.goto("executions")
    plain.get_by_label("Task", exact=True).fill("break")
    plain.get_by_label("Priority").select_option("normal")
    plain.get_by_role("button", name="Filter").click()
    assert "task_id=break" in plain.url
    assert "priority=normal" in plain.url
    rows = plain.locator("tr[data-row]")
    expect(rows).to_have_count(2)
    plain.get_by_role("link", name="failed").first.click()
    assert "task_id=break" in plain.url
    assert "status=failed" in plain.url
    expect(plain.locator("time").first).to_contain_text("UTC")


def test_a_filter_that_cannot_be_says_why(site: Site) -> None:
    for query, why in (("since=yesterday", "is no time"), ("priority=odd", "cannot be read")):
        answer = httpx.get(f"{site.url}executions?{query}")
        assert answer.status_code == 422
        assert why in answer.text


def test_a_span_of_time_is_picked_in_utc_or_written_in_the_address(plain: Page) -> None:
    plain.goto("executions?since=2030-01-31T12:00:30%2B02:00")
    since = plain.get_by_label("Since (UTC)")
    expect(since).to_have_value("2030-01-31T10:00:30")
    expect(plain.get_by_text("No execution fits.")).to_be_visible()
    since.fill("2020-01-31T10:00")
    plain.get_by_label("Until (UTC)").fill("2020-02-01T10:00")
    plain.get_by_role("button", name="Filter").click()
    assert "since=2020-01-31T10%3A00" in plain.url
    expect(plain.get_by_text("No execution fits.")).to_be_visible()
    plain.get_by_label("Until (UTC)").fill("")
    plain.get_by_role("button", name="Filter").click()
    expect(plain.locator("tr[data-row]").first).to_be_visible()


def test_what_needs_the_script_is_off_until_it_is_there(site: Site) -> None:
    made = site.failed()
    for path in (*PLAIN, "tasks/greet", f"executions/{made}"):
        for form in re.findall(
            r"<form[^>]*data-api.*?</form>", httpx.get(site.url + path).text, re.DOTALL
        ):
            buttons = re.findall(r"<button[^>]*>", form)
            assert buttons, form
            assert all(" disabled" in one or 'type="button"' in one for one in buttons), form


def test_nothing_is_cut_without_a_way_to_it(page: Page) -> None:
    for path in ("", "queue?lane=high", "executions", "schedules", "nodes", "dead-letters"):
        page.goto(path)
        for table in page.locator(".scroll").all():
            assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 0, path


@pytest.mark.parametrize("path", ["executions/none", "tasks/none", "nowhere", "no/where/at/all"])
def test_what_is_unknown_is_not_found(browser: Browser, site: Site, path: str) -> None:
    answer = httpx.get(site.url + path)
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text


def test_a_long_number_keeps_its_digits(page: Page, site: Site) -> None:
    made = site.scheduler.executions(task_id="extract")[0].execution_id
    page.goto(f"executions/{made}")
    expect(page.get_by_label("Result", exact=True)).to_have_text(str(HUGE))


def test_secrets_are_not_shown(page: Page, site: Site) -> None:
    made = site.scheduler.schedule_task("greet", password="hunter2")
    page.goto(f"executions/{made}")
    expect(page.get_by_label("Keyword arguments")).to_contain_text("********")
    assert "hunter2" not in page.content()


def test_attempts_have_their_tracebacks(page: Page, site: Site) -> None:
    page.goto(of_state(site, "failed"))
    summaries = page.locator("summary")
    expect(summaries).to_have_count(2)
    summaries.first.click()
    expect(page.get_by_label("Traceback of attempt 1")).to_contain_text("mail.example refused")
    expect(page.get_by_role("img", name="States of the execution")).to_be_visible()


def test_the_overview_names_what_failed_and_what_comes(page: Page, site: Site) -> None:
    site.failed()  # once more: a task that fails again and again has one line
    page.goto("")
    coming = page.locator("[data-live=coming]")
    expect(coming).to_contain_text("Nightly")
    errors = page.locator("[data-live=errors]")
    expect(errors).to_contain_text("mail.example refused")
    expect(page.locator("[data-live=tiles]")).to_contain_text("running, of all slots")
    often = errors.locator("tr", has_text="break").get_by_role("link", name=re.compile(r"^\d+$"))
    expect(often).to_have_count(1)
    often.click()
    expect(page.locator("tr[data-row]").first).to_contain_text("break")
    page.go_back()
    page.get_by_role("link", name="failed in the last hour").click()
    expect(page.locator("tr[data-row]").first).to_contain_text("failed")


def test_the_charts_go_back_as_far_as_the_address_says(page: Page) -> None:
    page.goto("")
    chart = page.locator("[data-live=chart]")
    expect(chart.get_by_role("img", name="Finished per second")).to_be_visible()
    page.get_by_role("link", name="6h").click()
    assert page.url.endswith("?chart=6h")
    expect(page.get_by_role("link", name="6h")).to_have_attribute("aria-current", "true")
    expect(chart.get_by_role("img", name="Queue wait, p95")).to_be_visible()


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("")
    page.get_by_role("button", name="Dark").click()
    page.goto("tasks")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Light")).to_be_visible()


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("tasks")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_policy_lets_in_nothing_foreign(site: Site) -> None:
    answer = httpx.get(site.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_static_files_are_kept_by_their_content(site: Site) -> None:
    address = next(
        part.split('"')[0] for part in httpx.get(site.url).text.split('href="') if "app.css" in part
    )
    first = httpx.get(site.url + address)
    assert "immutable" in first.headers["cache-control"]
    assert httpx.get(site.url + address.split("?")[0]).headers["cache-control"] == "no-cache"
    again = httpx.get(site.url + address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(f"{site.url}static/none.css").status_code == 404


def test_the_root_leads_to_the_dashboard(site: Site) -> None:
    for path in ("../", "../scheduler"):
        assert httpx.get(site.url + path, follow_redirects=True).url == httpx.URL(site.url)


def test_it_may_stand_below_any_prefix(browser: Browser, tmp_path: Path) -> None:
    with site_on(tmp_path, prefix="/deep/down") as site, watched(browser, site.url) as page:
        made = site.later()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("")
        page.get_by_role("link", name="Executions").click()
        page.locator("tr[data-row] a").first.click()
        page.get_by_role("button", name="Cancel").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("[data-live=head] .badge")).to_contain_text("cancelled")
        assert site.row(made).status == "cancelled"
        assert [one for one in asked if "/deep/down/" not in one] == []


def test_no_link_leads_nowhere(site: Site) -> None:
    """From the overview to whatever can be reached; lists of executions have many addresses."""
    waiting, known = [site.url], {site.url}
    with httpx.Client() as client:
        while waiting and len(known) < 200:
            page = client.get(address := waiting.pop())
            assert page.status_code == 200, address
            for found in re.findall(r'<a [^>]*href="([^"#]*)"', page.text):
                target = str(page.url.join(html.unescape(found)))
                ours = target.startswith(site.url) and "/executions?" not in target
                if ours and target not in known:
                    known.add(target)
                    waiting.append(target)
    assert len(known) > 20
