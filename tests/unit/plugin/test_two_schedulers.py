"""Two schedulers of APScheduler on one of our stores, as two processes have them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler import current_execution
from advanced_scheduler.plugin import AdvancedExecutor
from tests.support.waiting import eventually

RUNS: Counter[str] = Counter()


def work() -> None:
    RUNS[current_execution().execution_id] += 1


def test_each_run_time_runs_once_and_both_hear_of_it(tmp_path: Path) -> None:
    RUNS.clear()
    heard: list[list[JobExecutionEvent]] = [[], []]
    now = datetime.now(UTC)  # noqa: TID251  # APScheduler's clock is real
    executors = [AdvancedExecutor(store=f"sqlite:///{tmp_path}/jobs.db") for _ in heard]
    schedulers = [BackgroundScheduler(timezone="UTC") for _ in heard]
    for apscheduler, executor, ends in zip(schedulers, executors, heard, strict=True):
        apscheduler.add_executor(executor)
        apscheduler.add_listener(ends.append, EVENT_JOB_EXECUTED)
        apscheduler.add_job(
            work,
            "interval",
            seconds=0.2,
            start_date=now + timedelta(seconds=0.2),
            id="work",
            misfire_grace_time=None,
            max_instances=100,  # one that the other process ran counts until this one hears of it
        )
        apscheduler.start()

    def told() -> list[set[datetime]]:
        return [{event.scheduled_run_time for event in ends} for ends in heard]

    eventually(lambda: len(set.intersection(*told())) >= 3, what="both hear of three runs")
    for apscheduler in schedulers:
        apscheduler.shutdown()
    assert set(RUNS.values()) == {1}
    assert len(set.union(*told())) <= len(RUNS)
