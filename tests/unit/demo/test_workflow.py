"""An audit as a workflow, step by step, with the clock in the test's hands."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    TaskFailed,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.context import CURRENT, TaskContext
from advanced_scheduler.demo.environment import site_folders
from advanced_scheduler.demo.report import Report
from advanced_scheduler.demo.workflow import Audit
from advanced_scheduler.models import ExecutionFilter, TaskExecution
from tests.support.environments import install


@dataclass
class Bench:
    """An audit on a scheduler that runs only when told to."""

    scheduler: AdvancedTaskScheduler
    audit: Audit
    folders: list[str]
    clock: ManualClock
    output: Path

    def run(self) -> None:
        """Run until there is nothing to do at this instant."""

        async def steps() -> None:
            while await self.scheduler.run_due():
                pass

        asyncio.run(steps())

    def run_to_the_end(self) -> None:
        """Run, and let the delays of retries pass."""
        self.run()
        while self.audit.unfinished():
            self.clock.advance(seconds=1)
            self.run()

    def executions(self, task_id: str) -> list[TaskExecution]:
        return self.scheduler.store.find(ExecutionFilter(task_id=task_id))

    def written(self) -> Report:
        report: Report = json.loads((self.output / "report.json").read_text("utf-8"))
        return report


@pytest.fixture
def bench(site: Path, tmp_path: Path, clock: ManualClock) -> Iterator[Bench]:
    output = tmp_path / "output"
    output.mkdir()
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{output}/audit.db", clock=clock)
    yield Bench(scheduler, Audit(scheduler, output), site_folders(site), clock, output)
    scheduler.close()


def test_an_audit_leads_from_collecting_to_a_written_report(bench: Bench) -> None:
    audit = bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    report = bench.written()
    assert report["audit"] == audit
    assert report["totals"]["distributions"] == 2
    assert report == bench.audit.wait(audit)
    assert (bench.output / "report.html").exists()


def test_every_kind_of_finding_reaches_the_report(bench: Bench, site: Path) -> None:
    (site / "alpha/__init__.py").write_text("A = 3\n")
    (site / "beta.py").unlink()
    (site / "stray.py").write_text("")
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    report = bench.written()
    assert [one["path"] for one in report["altered"]] == ["alpha/__init__.py"]
    assert [one["path"] for one in report["missing"]] == ["beta.py"]
    assert [one["path"] for one in report["unrecorded"]] == ["stray.py"]
    page = (bench.output / "report.html").read_text("utf-8")
    assert all(path in page for path in ("alpha/__init__.py", "beta.py", "stray.py"))


def test_what_cannot_be_read_is_tried_again(bench: Bench, site: Path) -> None:
    path = site / "alpha/data.txt"
    path.unlink()
    path.mkdir()
    bench.audit.begin(bench.folders)
    bench.run()
    (waiting,) = (row for row in bench.executions("verify") if row.args[1] == "alpha")
    assert waiting.status is TaskStatus.RETRYING
    assert "data.txt" in (waiting.error or "")

    path.rmdir()
    path.write_text("data\n")
    bench.run_to_the_end()
    report = bench.written()
    assert report["unreadable"] == []
    assert report["totals"]["retries"] == 1


def test_what_can_never_be_read_is_a_finding(bench: Bench, site: Path) -> None:
    path = site / "alpha/data.txt"
    path.unlink()
    path.symlink_to(path)
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    report = bench.written()
    (found,) = report["unreadable"]
    assert found["path"] == "alpha/data.txt"
    assert report["totals"]["retries"] == 3
    assert report["failed"] == []


def test_a_verification_that_fails_does_not_hold_the_report_back(bench: Bench, site: Path) -> None:
    (site / "beta-1.0.dist-info" / "RECORD").write_text("beta.py,sha256=AAAA,many\n")
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    (failed,) = bench.written()["failed"]
    assert failed["what"].endswith("beta 1.0")
    assert "damaged" in failed["error"]


def test_large_distributions_are_more_urgent_than_small_ones(bench: Bench, site: Path) -> None:
    install(site, "large", {"large.txt": "x" * 2_000_000})
    install(site, "medium", {"medium.txt": "x" * 100_000})
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    assert {row.args[1]: row.priority for row in bench.executions("verify")} == {
        "large": TaskPriority.HIGH,
        "medium": TaskPriority.NORMAL,
        "alpha": TaskPriority.LOW,
        "beta": TaskPriority.LOW,
    }


def test_collecting_again_after_a_crash_schedules_nothing_twice(bench: Bench, site: Path) -> None:
    (row,) = bench.scheduler.store.get([bench.audit.begin(bench.folders)])
    token = CURRENT.set(TaskContext(execution=row, node="crashes", started=bench.clock.now()))
    try:
        first = bench.audit.collect([str(site)])
        again = bench.audit.collect([str(site)])
    finally:
        CURRENT.reset(token)
    assert again == first
    counts = [len(bench.executions(task_id)) for task_id in ("verify", "unrecorded", "report")]
    assert counts == [2, 1, 1]


def test_another_process_finishes_what_was_begun(bench: Bench, site: Path) -> None:
    audit = bench.audit.begin(bench.folders)
    asyncio.run(bench.scheduler.run_due())
    bench.scheduler.close()

    heir = AdvancedTaskScheduler(store=f"sqlite:///{bench.output}/audit.db", clock=bench.clock)
    bench.audit, bench.scheduler = Audit(heir, bench.output), heir
    assert bench.audit.unfinished()
    bench.run_to_the_end()
    assert bench.written()["audit"] == audit


def test_the_second_report_compares_itself_with_the_first(bench: Bench, site: Path) -> None:
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    (site / "beta.py").write_text("B = 3\n")
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    changes = bench.written()["changes"]
    assert changes is not None
    assert changes["appeared"] == ["altered: beta.py"]
    assert len(bench.audit.reports(bench.folders)) == 2


def test_reports_on_other_folders_are_left_out(bench: Bench) -> None:
    bench.audit.begin(bench.folders)
    bench.run_to_the_end()
    other = AdvancedTaskScheduler(store=f"sqlite:///{bench.output}/audit.db", clock=bench.clock)
    assert Audit(other, bench.output).reports(["elsewhere"]) == []
    other.close()


def test_the_nightly_schedule_audits_by_itself(bench: Bench) -> None:
    schedule_id = bench.audit.every_night(bench.folders)
    assert bench.audit.every_night(bench.folders) == schedule_id
    (schedule,) = bench.scheduler.get_schedules()
    assert schedule.next_fire_time == datetime(2030, 1, 1, 2, 30, tzinfo=UTC)
    bench.run()
    assert not (bench.output / "report.json").exists()

    bench.clock.set(schedule.next_fire_time)
    bench.run_to_the_end()
    assert bench.written()["totals"]["distributions"] == 2


def test_what_vanishes_before_it_is_verified_is_told(bench: Bench, site: Path) -> None:
    bench.audit.begin(bench.folders)
    asyncio.run(bench.scheduler.run_due())
    shutil.rmtree(site / "beta-1.0.dist-info")
    bench.run_to_the_end()
    (failed,) = bench.written()["failed"]
    assert "beta 1.0 is not in" in failed["error"]


def test_an_environment_that_vanished_fails_the_audit(bench: Bench, site: Path) -> None:
    audit = bench.audit.begin(bench.folders)
    shutil.rmtree(site)
    bench.run_to_the_end()
    with pytest.raises(TaskFailed, match="nothing is installed"):
        bench.audit.wait(audit)
