"""A program that uses plain APScheduler gets all this for its jobs by two lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler import (
    AdvancedTaskScheduler,
    RetryConfig,
    RetryStrategy,
    TaskPriority,
    current_execution,
)
from advanced_scheduler.plugin import AdvancedExecutor
from advanced_scheduler.stores import open_store
from tests.support.programs import run_program
from tests.support.waiting import eventually

# What the user guide of APScheduler 3 and its examples teach: a background scheduler, an interval
# job, a listener, and a shutdown.
PROGRAM = """\
import threading

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.schedulers.background import BackgroundScheduler

enough = threading.Event()
runs = []


def beat():
    runs.append("beat")
    if len(runs) == 2:
        raise RuntimeError("a beat was skipped")
    return len(runs)


def listen(event):
    print(event.job_id, repr(event.exception) if event.exception else event.retval)
    if event.retval == 3:
        enough.set()


scheduler = BackgroundScheduler()
scheduler.add_listener(listen, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
scheduler.add_job(beat, "interval", seconds=0.2, id="heart", misfire_grace_time=60)
scheduler.start()
enough.wait(20)
scheduler.shutdown()
"""
PRINTS = "heart 1\nheart RuntimeError('a beat was skipped')\nheart 3\n"


def with_two_lines(program: str) -> str:
    """One line more, and one longer."""
    made = "scheduler = BackgroundScheduler()\n"
    added = 'scheduler.add_executor("advanced", "advanced", store="sqlite:///jobs.db")\n'
    return program.replace(made, made + added).replace(
        'id="heart"', 'id="heart", executor="advanced"'
    )


def output_of(program: str, folder: Path) -> str:
    done = run_program(program, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def apscheduler() -> Iterator[BackgroundScheduler]:
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
    yield scheduler
    scheduler.shutdown()


def ends_of(apscheduler: BackgroundScheduler) -> list[JobExecutionEvent]:
    """What the listeners hear, as it comes."""
    heard: list[JobExecutionEvent] = []
    apscheduler.add_listener(heard.append, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    return heard


def test_the_program_does_what_it_did_and_has_a_history(tmp_path: Path) -> None:
    assert output_of(PROGRAM, tmp_path).startswith(PRINTS)
    assert output_of(with_two_lines(PROGRAM), tmp_path).startswith(PRINTS)
    store = open_store(f"sqlite:///{tmp_path}/jobs.db")
    store.open()
    try:
        rows = AdvancedTaskScheduler(store=store).executions()[::-1]
    finally:
        store.close()
    assert [(row.task_id, row.status) for row in rows[:3]] == [
        ("__main__.beat", "completed"),
        ("__main__.beat", "failed"),
        ("__main__.beat", "completed"),
    ]
    assert "a beat was skipped" in (rows[1].traceback_str or "")


def test_an_executor_gives_its_jobs_priority_retries_and_a_lock(
    apscheduler: BackgroundScheduler,
) -> None:
    heard = ends_of(apscheduler)
    retry = RetryConfig(RetryStrategy.FIXED, max_attempts=3, initial_delay=0, jitter=False)
    executor = AdvancedExecutor(priority=TaskPriority.CRITICAL, retry=retry, lock=True)
    apscheduler.add_executor(executor, "careful")

    def fragile() -> int:
        context = current_execution()
        if context.attempt == 1:
            raise ConnectionError("once")
        return context.attempt

    apscheduler.add_job(fragile, executor="careful")
    apscheduler.start()
    assert eventually(lambda: heard, what="the job has ended")[0].retval == 2
    (row,) = executor.advanced.executions()
    assert row.priority is TaskPriority.CRITICAL
    assert row.retry_count == 1
    assert row.lock_id is not None


def test_jobs_and_tasks_of_one_application_share_a_scheduler(
    apscheduler: BackgroundScheduler,
) -> None:
    scheduler = AdvancedTaskScheduler()

    @scheduler.task(task_id="report", timeout=5, tags=["nightly"])
    def report() -> str:
        return "written"

    heard = ends_of(apscheduler)
    apscheduler.add_executor(AdvancedExecutor(scheduler))
    apscheduler.add_job(report, "cron", second="*")
    apscheduler.start()
    assert eventually(lambda: heard, what="cron has fired")[0].retval == "written"
    (row, *_) = scheduler.executions()
    assert (row.task_id, row.tags) == ("report", ("nightly",))
    assert scheduler.result(report.schedule(), timeout=10) == "written"
