"""The pages of those who operate: each button, what it asks, and what is so after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from advanced_scheduler.api.auth import Keyring, Scope
from advanced_scheduler.models import NodeState, Record, RecordKind, TaskStatus
from tests.support.waiting import eventually
from tests.web.browser import confirm, said, violations, watched
from tests.web.sites import Site

pytestmark = pytest.mark.browser


def test_drain_a_node_and_let_it_go_on(page: Page, site: Site) -> None:
    page.goto("nodes")
    expect(page.locator("[data-live=nodes]")).to_contain_text("this one")
    page.get_by_role("button", name="Drain").click()
    confirm(page, "here starts nothing more")
    said(page, "here drains")
    eventually(lambda: site.scheduler.nodes()[0].state is NodeState.DRAINING)
    page.get_by_role("button", name="Resume").click()
    said(page, "here goes on")
    eventually(lambda: site.scheduler.nodes()[0].state is NodeState.ALIVE)


def test_forget_a_node_that_was_lost(page: Page, site: Site) -> None:
    long_ago = site.scheduler.clock.now() - timedelta(minutes=5)
    (alive,) = site.scheduler.store.records(RecordKind.NODE, limit=10)
    lost = Record(
        kind=RecordKind.NODE,
        record_id="lost:1",
        written_time=long_ago,
        data={**alive.data, "name": "lost"},
    )
    site.scheduler.store.save_record(lost)
    page.goto("nodes")
    page.get_by_role("button", name="Forget").click()
    confirm(page, "lost has not been heard of")
    said(page, "lost is forgotten")
    assert [one.name for one in site.scheduler.nodes()] == ["here"]


def test_releasing_a_lock_takes_its_name_typed_out(page: Page, site: Site) -> None:
    eventually(lambda: site.scheduler.lock_manager.is_locked("hold"))
    page.goto("locks")
    expect(page.locator("[data-live=locks]")).to_contain_text("held")
    page.get_by_role("button", name="Force release").click()
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text("The holder may still be running")
    expect(dialog.locator("#confirm-yes")).to_be_disabled()
    dialog.get_by_role("textbox").fill("hol")
    expect(dialog.locator("#confirm-yes")).to_be_disabled()
    dialog.get_by_role("textbox").fill("hold")
    fence = site.scheduler.lock_manager.fence("hold")
    dialog.locator("#confirm-yes").click()
    said(page, "Released")
    eventually(
        lambda: (
            not site.scheduler.lock_manager.is_locked("hold")
            or site.scheduler.lock_manager.fence("hold") > fence
        )
    )
    line = site.scheduler.store.records(RecordKind.AUDIT, limit=1)[0]
    assert line.data["target"] == "hold"


def test_dead_letters_are_run_again_or_discarded(page: Page, site: Site) -> None:
    dead = {site.failed(), site.failed()}
    page.goto("dead-letters")
    groups = page.locator("[data-live=groups]")
    expect(groups).to_contain_text("mail.example refused")
    page.get_by_role("button", name="Retry all").click()
    confirm(page, "is run again as a new execution")
    said(page, "run again")
    assert not any(site.scheduler.get_execution(one) for one in dead)
    eventually(
        lambda: not site.scheduler.executions(statuses=["pending", "retrying"], task_id="break")
    )
    page.get_by_role("button", name="Discard all").click()
    confirm(page, "This cannot be undone.")
    said(page, "discarded")
    assert site.scheduler.executions(statuses=["failed"]) == []
    expect(groups).to_contain_text("Nothing has failed for good.")


def test_events_are_told_as_they_happen_filtered_and_paused(page: Page, site: Site) -> None:
    page.goto("events")
    expect(page.locator("#stream")).to_have_text("live")
    made = site.scheduler.schedule_task("greet")
    lines = page.locator("#tail tr")
    expect(lines.filter(has_text="execution.finished").first).to_contain_text("greet")
    assert violations(page) == []
    page.get_by_label("Show").select_option("execution.started")
    expect(lines.filter(has_text="execution.finished", visible=True)).to_have_count(0)
    page.get_by_label("with").fill(made)
    expect(lines.filter(visible=True)).to_have_count(1)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_label("with").fill("")
    other = site.scheduler.schedule_task("extract")
    site.until(other, TaskStatus.COMPLETED)
    expect(page.locator("#tail-state")).to_contain_text("more since the pause")
    expect(lines.filter(has_text="extract", visible=True)).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(lines.filter(has_text="extract", visible=True)).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    expect(lines).to_have_count(0)


def test_the_audit_tells_who_did_what(page: Page, site: Site) -> None:
    made = site.later()
    page.goto(f"executions/{made}")
    page.get_by_role("button", name="Cancel").click()
    confirm(page)
    said(page, "Cancelled")
    page.goto("events")
    first = page.locator("[data-live=audit] tbody tr").first
    expect(first).to_contain_text("anybody")
    expect(first).to_contain_text("POST /executions/{execution_id}/cancel")
    expect(first).to_contain_text(made)


def make_key(page: Page, name: str, **more: str) -> str:
    """Fill in the form of a new key; answers what the page shows once."""
    page.get_by_label("Name").fill(name)
    if "may" in more:
        page.get_by_label("May").select_option(more["may"])
    if "expires" in more:
        page.get_by_label("Expires (UTC)").fill(more["expires"])
    page.get_by_role("button", name="Make a key").click()
    shown = page.locator("output")
    expect(shown).to_contain_text("ask_")
    return shown.inner_text()


def test_keys_are_made_shown_once_and_revoked(browser: Browser, site: Site) -> None:
    keys = Keyring(site.scheduler.store, site.scheduler.clock)
    with watched(browser, site.url, refusals=[401]) as page:
        page.goto("settings")
        expect(page.get_by_text("From the first key on, every call must show one")).to_be_visible()
        admin = make_key(page, "operator")
        expect(page.locator("#stream")).to_have_text("log in again")
        expect(page.locator("output")).to_have_text(admin)  # it is shown once: nothing reloads it
        page.goto("settings")
        page.get_by_label("API key").fill(admin)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("[data-live=keys]")).to_contain_text("operator")
        token = make_key(page, "grafana", may="run", expires="2099-12-31T00:00")
        caller = keys.bearer(token)
        assert (caller.may(Scope.RUN), caller.may(Scope.WRITE)) == (True, False)
        page.goto("settings")
        assert token not in page.content()
        row = page.get_by_role("row").filter(has_text="grafana")
        row.get_by_role("button", name="Revoke").click()
        confirm(page, "The key grafana opens nothing more")
        said(page, "Revoked")
        (left,) = keys.all()
        assert left.name == "operator"
        keys.revoke(left.key_id)


def test_a_key_that_is_slow_to_come_is_not_lost(browser: Browser, site: Site) -> None:
    """The first key of all: until it is shown, the page would be told to log in."""
    keys = Keyring(site.scheduler.store, site.scheduler.clock)
    with watched(browser, site.url, refusals=[401]) as page:

        def slowly(route: Route) -> None:
            answer = route.fetch()
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            page.wait_for_timeout(500)  # in which the page would look, and ask for the key
            route.fulfill(response=answer)

        page.goto("settings")
        page.route("**/api/v1/scheduler/keys", slowly)
        assert keys.bearer(make_key(page, "operator")).name == "operator"
        (made,) = keys.all()
        keys.revoke(made.key_id)


def test_settings_tell_what_is_in_effect_and_hide_secrets(page: Page) -> None:
    page.goto("settings")
    about = page.locator("[data-live=about]")
    expect(about).to_contain_text("SqliteStore")
    expect(about).not_to_contain_text("not reached")
    row = page.get_by_role("row").filter(has_text="ADVANCED_SCHEDULER_STORE")
    expect(row).to_contain_text("********")
    links = page.locator("section", has_text="For machines").get_by_role("link")
    expect(links).to_have_count(6)
    for link in links.all():
        answer = page.request.get(link.evaluate("one => one.href"))
        assert answer.status == 200, answer.url


def test_without_the_scope_buttons_are_off_and_say_why(browser: Browser, site: Site) -> None:
    keys = Keyring(site.scheduler.store, site.scheduler.clock)
    token, made = keys.create("reader", {Scope.READ})
    header = {"authorization": f"Bearer {token}"}
    with watched(browser, site.url, extra_http_headers=header) as page:
        page.goto("nodes")
        drain = page.get_by_role("button", name="Drain")
        expect(drain).to_have_attribute("aria-disabled", "true")
        expect(drain).to_contain_text("needs a key with the scope “admin”")
        page.goto("settings")
        expect(page.get_by_text("To see and make keys")).to_be_visible()
        assert violations(page) == []
    keys.revoke(made.key_id)
