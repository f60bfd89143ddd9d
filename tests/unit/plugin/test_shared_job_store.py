"""Real processes that share a job store, and what is left of it when one is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskExecution, TaskStatus
from tests.support.waiting import eventually

WORK = """\
import os, threading

began = threading.Event()


def work():
    with open("ran", "a") as file:
        file.write(f"{os.getpid()}\\n")
    began.set()
"""

# Arguments: the executor; when to die: "never", or "before" or "after" a submission; what triggers
# the job, if this one adds it; and for how many seconds a process that says nothing is waited for.
PROGRAM = """\
import json, os, sys

import work
from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from advanced_scheduler import AdvancedTaskScheduler, Settings
from advanced_scheduler.plugin import AdvancedExecutor, AdvancedJobStore

executor, death, trigger, lease = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
url = "sqlite:///jobs.db?synchronous=normal"


def submit(job, run_times):
    if death == "before":
        os._exit(9)
    submitted(job, run_times)
    if death == "after":
        if executor == "threads":
            work.began.wait(10)
        os._exit(9)


def heard(event):
    with open("heard", "a") as file:
        file.write(f"{os.getpid()} {event.scheduled_run_time.timestamp()}\\n")


if executor == "advanced":
    settings = Settings(lease_seconds=lease, poll_seconds=0.1)
    runner = AdvancedExecutor(AdvancedTaskScheduler(store=url, settings=settings))
else:
    runner = ThreadPoolExecutor()
submitted, runner._do_submit_job = runner._do_submit_job, submit
scheduler = BlockingScheduler(timezone="UTC")
scheduler.add_executor(runner)
jobs = AdvancedJobStore(store=url, modules=["work"], lease_seconds=lease, poll_seconds=0.2)
scheduler.add_jobstore(jobs)
scheduler.add_listener(heard, EVENT_JOB_EXECUTED)
if trigger:
    options = {"misfire_grace_time": None, "coalesce": False, "max_instances": 100}
    scheduler.add_job(work.work, **trigger, id="work", **options)
scheduler.start()
"""
STEP = timedelta(seconds=0.1)

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes that work on the same file."""
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "program.py").write_text(PROGRAM)
    processes: list[subprocess.Popen[bytes]] = []

    def begin(
        executor: str, death: str = "never", trigger: object = None, lease: int = 1
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "program.py", executor, death, json.dumps(trigger), str(lease)]
        processes.append(subprocess.Popen(command, cwd=tmp_path))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait(20)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def executions(folder: Path) -> list[TaskExecution]:
    """All of the store, by their run time."""
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{folder}/jobs.db")
    rows = scheduler.executions(limit=1000)
    scheduler.close()
    return sorted(rows, key=lambda row: row.scheduled_time)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # APScheduler's clock is real


def joined(start: Start, executor: str, lease: int = 1) -> list[subprocess.Popen[bytes]]:
    """Two processes: the first one adds the job, which is due every step."""
    trigger = {"trigger": "interval", "seconds": STEP.total_seconds()}
    return [start(executor, trigger=trigger, lease=lease), start(executor, lease=lease)]


def assert_no_gaps(run_times: list[datetime]) -> None:
    """One for each step, and none twice."""
    assert [round((one - run_times[0]) / STEP) for one in run_times] == list(range(len(run_times)))


@pytest.mark.parametrize("executor", ["advanced", "threads"])
def test_each_of_thirty_run_times_is_run_once(start: Start, tmp_path: Path, executor: str) -> None:
    processes = joined(start, executor, lease=30)  # however slow the machine is
    heard = tmp_path / "heard"

    def enough() -> bool:
        pids = {int(line.split()[0]) for line in lines(heard)}
        return len(lines(heard)) > 30 and len(pids) == 2

    eventually(enough, timeout=40, what="thirty have run, and some in each process")
    for process in processes:
        process.terminate()
        process.wait(20)
    run_times = sorted(float(line.split()[1]) for line in lines(heard))[:30]
    assert_no_gaps([datetime.fromtimestamp(one, UTC) for one in run_times])


def test_one_goes_on_when_the_other_is_killed_and_no_run_time_is_lost(
    start: Start, tmp_path: Path
) -> None:
    first, second = joined(start, "advanced")

    def told(process: subprocess.Popen[bytes]) -> int:
        return sum(line.startswith(f"{process.pid} ") for line in lines(tmp_path / "heard"))

    eventually(lambda: told(first) and told(second), timeout=60, what="both have run some")
    first.kill()
    before = told(second)
    eventually(lambda: told(second) >= before + 20, timeout=40, what="the other goes on")

    def ended() -> list[TaskExecution]:
        rows = executions(tmp_path)[: before + 20]
        return rows if all(row.status is TaskStatus.COMPLETED for row in rows) else []

    rows = eventually(ended, timeout=20, what="what the first one had begun has ended")
    assert_no_gaps([row.scheduled_time for row in rows])


@pytest.mark.parametrize(
    ("executor", "death", "runs"),
    [("threads", "before", 1), ("threads", "after", 2), ("advanced", "after", None)],
)
def test_a_run_time_is_taken_over_from_who_died_while_submitting(
    start: Start, tmp_path: Path, executor: str, death: str, runs: int | None
) -> None:
    trigger = {"trigger": "date", "run_date": now().isoformat()}
    assert start(executor, death, trigger).wait(20) == 9
    other = str(start(executor).pid)
    heard = tmp_path / "heard"
    eventually(
        lambda: any(line.startswith(other) for line in lines(heard)),
        timeout=30,
        what="the other has run it",
    )
    if runs is None:  # the execution was there already, so it is the only one
        assert [row.status for row in executions(tmp_path)] == [TaskStatus.COMPLETED]
    else:
        assert len(lines(tmp_path / "ran")) == runs
