"""Owns the browser of the tests: what it must never do, and what it is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.servers import unavailable

_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_AXE = Axe()
_PATIENCE = 30_000  # milliseconds: a busy machine does not take so long


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of this machine: none is downloaded. Its event loop ends with it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        unavailable("no chromium on PATH")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=Path(path), args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def watched(
    browser: Browser, url: str, *, refusals: Collection[int] = (), **options: Any
) -> Iterator[Page]:
    """A page of its own; at its end nothing went wrong in it, and it stayed with its host.

    ``refusals`` are the status codes that the server may answer with.
    """
    context = browser.new_context(base_url=url, **{"viewport": WIDE, **options})
    context.set_default_timeout(_PATIENCE)
    wrong: list[str] = []
    host = urlsplit(url).netloc

    def looked_at(address: str) -> None:
        if urlsplit(address).scheme in ("http", "https") and urlsplit(address).netloc != host:
            wrong.append(f"asked another host: {address}")

    def looked_over(kind: str, text: str) -> None:
        if kind == "error" and not any(f"status of {code} " in text for code in refusals):
            wrong.append(text)

    context.on("request", lambda request: looked_at(request.url))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("console", lambda line: looked_over(line.type, line.text))
    page = context.new_page()
    try:
        yield page
        page.evaluate("0")  # what was told has arrived by now; what the end cuts off is no fault
        found = wrong.copy()
    finally:
        context.close()
    assert not found, found


WIDE: Mapping[str, int] = {"width": 1280, "height": 900}
NARROW: Mapping[str, int] = {"width": 360, "height": 740}


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page as it is."""
    found = _AXE.run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


def confirm(page: Page, what: str = "") -> None:
    """Say yes to a dialog, which says ``what`` happens."""
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text(what)
    dialog.locator("#confirm-yes").click()
    expect(dialog).to_be_hidden()


def said(page: Page, what: str) -> None:
    """It was said politely that ``what`` was done."""
    expect(page.get_by_role("status").get_by_text(what)).to_be_visible()
