"""The report, from the executions of an audit to its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler.demo.report import (
    Report,
    build,
    readable_moment,
    readable_size,
    to_html,
    write,
)
from advanced_scheduler.models import TaskExecution, TaskStatus

START = datetime(2030, 1, 1, 2, 30, tzinfo=UTC)
NOW = START + timedelta(seconds=4)


def row(task_id: str, result: Any, **more: Any) -> TaskExecution:
    fields: dict[str, Any] = {
        "status": TaskStatus.COMPLETED,
        "scheduled_time": START,
        "started_time": START,
        "metrics": {"execution_time": 1.5},
        **more,
    }
    return TaskExecution(
        execution_id=f"{task_id}-id", task_id=task_id, task_name=task_id, result=result, **fields
    )


def verified(name: str = "alpha", **findings: Any) -> TaskExecution:
    verdict = {"distribution": name, "version": "1.0", "files": 3, "bytes": 2_000_000}
    verdict |= {"altered": [], "missing": [], "unreadable": [], **findings}
    return row("verify", verdict, args=("folder", name, "1.0"))


COLLECTED = row("collect", {"folders": ["folder"], "without_record": ["old 3"]})
ALTERED = {"path": "a.py", "distribution": "alpha", "expected": "11", "actual": "22"}


def report_on(*rows: TaskExecution, previous: Report | None = None) -> Report:
    return build(COLLECTED, rows, previous, NOW)


def test_the_totals_add_up_over_all_executions() -> None:
    strays = row("unrecorded", {"unrecorded": [{"path": "x.py"}], "expected": []}, retry_count=2)
    totals = report_on(verified(altered=[ALTERED]), verified("beta"), strays)["totals"]
    assert totals == {
        "distributions": 2,
        "files": 6,
        "bytes": 4_000_000,
        "altered": 1,
        "missing": 0,
        "unreadable": 0,
        "unrecorded": 1,
        "failed": 0,
        "retries": 2,
        "work_seconds": 4.5,
    }


def test_a_report_says_what_it_is_about_and_how_long_it_took() -> None:
    report = report_on()
    assert (report["audit"], report["folders"]) == ("collect-id", ["folder"])
    assert (report["seconds"], report["finished"]) == (4.0, "2030-01-01T02:30:04+00:00")
    assert report["without_record"] == ["old 3"]


def test_an_execution_without_a_verdict_is_named() -> None:
    broken = row("verify", None, status=TaskStatus.FAILED, error="boom", args=("folder", "beta"))
    (failed,) = report_on(broken)["failed"]
    assert failed == {"what": "verify folder beta", "error": "boom", "execution_id": "verify-id"}


def test_distributions_with_findings_come_first() -> None:
    lines = report_on(verified("alpha"), verified("beta", missing=[{"path": "b"}]))["distributions"]
    assert [line["distribution"] for line in lines] == ["beta", "alpha"]


def test_the_first_report_has_nothing_to_compare_with() -> None:
    assert report_on()["changes"] is None


def test_a_report_says_what_changed_since_the_one_before() -> None:
    before = report_on(verified("alpha", missing=[{"path": "gone.py"}]), verified("beta"))
    after = report_on(verified("alpha", altered=[ALTERED]), verified("gamma"), previous=before)
    assert after["changes"] == {
        "since": before["finished"],
        "appeared": ["altered: a.py"],
        "disappeared": ["missing: gone.py"],
        "installed": ["gamma 1.0"],
        "removed": ["beta 1.0"],
    }


def test_a_file_that_was_altered_again_is_news() -> None:
    before = report_on(verified(altered=[ALTERED]))
    after = report_on(verified(altered=[{**ALTERED, "actual": "33"}]), previous=before)
    assert after["changes"] is not None
    assert after["changes"]["appeared"] == ["altered: a.py"]


def test_both_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    report = report_on(verified(altered=[ALTERED]))
    (tmp_path / "report.json").write_text("an older one")
    assert write(report, tmp_path) == (tmp_path / "report.json", tmp_path / "report.html")
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_a_report_that_cannot_be_written_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("an older one")
    unwritable = report_on(verified(altered=[{**ALTERED, "path": "\ud800"}]))
    with pytest.raises(UnicodeEncodeError):
        write(unwritable, tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an older one"]


def test_the_page_shows_every_finding_with_both_hashes() -> None:
    page = to_html(report_on(verified(altered=[ALTERED], missing=[{"path": "lost.py"}])))
    for text in ("a.py", "11", "22", "lost.py", "Not every file is as it was installed"):
        assert text in page


@pytest.mark.parametrize(
    ("strays", "verdict"),
    [([], "Every file is as it was installed"), ([{"path": "x"}], "Every recorded file")],
)
def test_the_page_says_in_one_sentence_how_it_stands(
    strays: Sequence[Mapping[str, str]], verdict: str
) -> None:
    assert verdict in to_html(report_on(row("unrecorded", {"unrecorded": strays, "expected": []})))


def test_file_names_cannot_write_into_the_page() -> None:
    evil = {"path": "<script>alert(1)</script>.py", "why": "<b>"}
    page = to_html(report_on(verified(unreadable=[evil])))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_page_needs_no_other_file() -> None:
    page = to_html(report_on(verified(altered=[ALTERED])))
    assert re.findall(r"\b(?:src|href|url|@import)\b", page) == []


def test_a_long_list_is_cut_in_the_page() -> None:
    many = [{"path": f"{n}.py"} for n in range(501)]
    page = to_html(report_on(row("unrecorded", {"unrecorded": many, "expected": []})))
    assert "And 1 more in report.json" in page
    assert "499.py" in page
    assert "500.py" not in page


def test_sizes_and_instants_are_readable() -> None:
    assert [readable_size(n) for n in (7, 1_200, 1_500_000, 2e9)] == [
        "7 bytes",
        "1.2 kB",
        "1.5 MB",
        "2.0 GB",
    ]
    assert readable_moment("2030-01-01T02:30:00.123+00:00") == "2030-01-01 02:30:00 UTC"
