"""``advanced-scheduler demo``, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "advanced_scheduler.cli", "demo"]


def command(site: Path, *options: str) -> list[str]:
    return [*COMMAND, "--environment", str(site), "--output", str(output_of(site)), *options]


def output_of(site: Path) -> Path:
    return site.parents[2] / "demo"


def run(arguments: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, capture_output=True, text=True, check=False, timeout=90, cwd=cwd
    )


def audited(site: Path, *options: str) -> str:
    """Run the demo to its good end; answers what it printed."""
    done = run(command(site, *options))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def report_of(site: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((output_of(site) / "report.json").read_text("utf-8"))
    return report


def test_a_sound_environment_is_said_to_be_sound(site: Path) -> None:
    shown = audited(site)
    report = report_of(site)
    assert report["totals"]["distributions"] == 2
    assert report["totals"]["files"] > 10
    assert report["altered"] == report["missing"] == report["unrecorded"] == []
    assert "0 altered, 0 missing" in shown
    page = (output_of(site) / "report.html").read_text("utf-8")
    assert "Every file is as it was installed" in page


def test_the_end_tells_health_metrics_schedule_and_where_the_report_is(site: Path) -> None:
    shown = audited(site)
    titles = [line.split()[0] for line in shown.splitlines() if line and not line.startswith(" ")]
    for title in ("audit", "found", "health", "metrics", "nightly", "history", "report", "store"):
        assert title in titles
    assert "healthy; success rate 100.0 %" in shown
    assert "http://127.0.0.1:" in shown
    assert 'advanced_scheduler_executions_finished_total{outcome="completed"' in shown
    assert "02:30:00 UTC" in shown
    assert str(output_of(site) / "report.html") in shown
    assert {path.name for path in output_of(site).glob("*report*")} == {
        "report.html",
        "report.json",
    }


def test_altering_one_file_of_a_real_distribution_shows_in_the_report(site: Path) -> None:
    with (site / "tenacity" / "retry.py").open("a") as file:
        file.write("# altered\n")
    shown = audited(site)
    (found,) = report_of(site)["altered"]
    assert (found["distribution"], found["path"]) == ("tenacity", "tenacity/retry.py")
    assert found["expected"] != found["actual"]
    page = (output_of(site) / "report.html").read_text("utf-8")
    assert all(text in page for text in (found["path"], found["expected"], found["actual"]))
    assert "altered: tenacity/retry.py" in shown


def test_missing_unrecorded_and_unreadable_files_show_as_well(site: Path) -> None:
    (site / "alpha/__init__.py").unlink()
    (site / "stray.py").write_text("")
    data = site / "alpha/data.txt"
    data.unlink()
    data.symlink_to(data)
    shown = audited(site)
    report = report_of(site)
    assert [one["path"] for one in report["missing"]] == ["alpha/__init__.py"]
    assert [one["path"] for one in report["unrecorded"]] == ["stray.py"]
    assert [one["path"] for one in report["unreadable"]] == ["alpha/data.txt"]
    assert "retry verify alpha" in shown


@pytest.mark.parametrize(("damage", "code"), [("altered", 1), ("missing", 1), ("stray", 0)])
def test_strict_makes_damage_an_error(site: Path, damage: str, code: int) -> None:
    path = site / ("stray.py" if damage == "stray" else "alpha/data.txt")
    path.unlink() if damage == "missing" else path.write_text("other")
    assert run(command(site, "--strict")).returncode == code


def test_a_second_run_resumes_the_history(site: Path) -> None:
    assert "this was the first run" in audited(site)
    first = report_of(site)["totals"]
    (site / "alpha/data.txt").write_text("dada\n")
    shown = audited(site)
    # collect, one for each distribution, unrecorded, report
    assert f"{first['distributions'] + 3} executions of earlier runs" in shown
    assert "1 findings that are new" in shown
    assert report_of(site)["changes"]["appeared"] == ["altered: alpha/data.txt"]


def test_a_run_that_was_killed_is_finished_by_the_next(site: Path) -> None:
    (site / "alpha/data.txt").unlink()
    (site / "alpha/data.txt").mkdir()
    # unbuffered, or the line that we wait for stays with the process until it ends
    killed = subprocess.Popen(
        [*COMMAND[:1], "-u", *command(site)[1:]], stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    with killed:
        assert any(line.startswith("retry verify alpha") for line in killed.stdout)
        killed.kill()
    assert not (output_of(site) / "report.json").exists()

    heir = run(command(site))  # which says on stderr whose leases ran out
    assert heir.returncode == 0, heir.stderr
    assert "executions that an earlier run left behind" in heir.stdout
    report = report_of(site)
    assert [one["path"] for one in report["unreadable"]] == ["alpha/data.txt"]
    assert report["changes"] is not None, "the killed audit has left a report, too"
    assert "left behind" not in audited(site)


def test_an_interrupt_ends_it_and_loses_nothing(site: Path) -> None:
    (site / "alpha/data.txt").unlink()
    (site / "alpha/data.txt").mkdir()
    interrupted = subprocess.Popen(
        [*COMMAND[:1], "-u", *command(site)[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets them, and us, ignore SIGINT.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert interrupted.stdout is not None
    with interrupted:
        assert any(line.startswith("retry verify alpha") for line in interrupted.stdout)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=30)
    assert (interrupted.returncode, said) == (
        130,
        "interrupted; the next run finishes what was begun\n",
    )
    assert "left behind" in audited(site)


def test_quiet_prints_nothing(site: Path) -> None:
    assert audited(site, "--quiet") == ""
    assert (output_of(site) / "report.html").exists()


def test_the_history_can_live_elsewhere(site: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/elsewhere.db"
    assert store in audited(site, "--store", store)
    assert (tmp_path / "elsewhere.db").exists()
    assert not (output_of(site) / "audit.db").exists()


def test_an_audit_that_cannot_be_written_fails_and_says_why(site: Path) -> None:
    (output_of(site) / "report.json").mkdir(parents=True)
    failed = run(command(site))
    assert failed.returncode == 1
    assert "report.json" in failed.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--environment", "."], "nothing is installed"),
        (["--store", "nowhere"], "store"),
        (["--concurrency", "0"], "max_concurrent_tasks"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    refused = run([*COMMAND, *options], cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr


def test_by_default_the_running_environment_is_audited_into_a_hidden_folder(
    tmp_path: Path,
) -> None:
    done = run(COMMAND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / ".demo" / "report.json").read_text("utf-8"))
    assert "rich" in {line["distribution"] for line in report["distributions"]}
    assert report["failed"] == []
