"""The page for those who test: its application and its tests run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from advanced_scheduler.testing import SchedulerTester
from tests.docs.pages import ROOT, blocks_of, text_of

PAGE = text_of("backend/docs/testing.md")
FILES = {
    block.text.partition("\n")[0].removeprefix("# "): block.text
    for block in blocks_of(PAGE)
    if block.language == "python"
}


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "advanced_scheduler",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "backend"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # those of others take seconds to load
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    tests = FILES["test_jobs.py"].count("\ndef test_")
    assert f"\n{tests} passed" in done.stdout, done.stdout + done.stderr


def test_the_table_has_every_call_of_the_tester() -> None:
    calls = [name for name in vars(SchedulerTester) if not name.startswith("_")]
    text = PAGE.partition("## The tests of this repository")[0]
    assert [one for one in calls if not re.search(rf"\b{one}\b", text)] == ["close"]
