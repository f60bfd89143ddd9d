"""The triggers in a plain APScheduler: as objects, by name, and in its own job stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.pool import NullPool

from advanced_scheduler.triggers import CronTrigger, IntervalTrigger, OneTimeTrigger, Trigger

BERLIN = "Europe/Berlin"


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[BackgroundScheduler]:
    """A paused scheduler in Berlin that keeps its jobs in SQLite."""
    # A pool of its own would be left behind open: Python 3.13 warns of that.
    url, options = f"sqlite:///{tmp_path / 'jobs.sqlite'}", {"poolclass": NullPool}
    store = SQLAlchemyJobStore(url, engine_options=options)
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=BERLIN)
    scheduler.start(paused=True)
    yield scheduler
    scheduler.shutdown()


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("cron", {"expression": "0 9 * * MON"}, CronTrigger("0 9 * * MON", timezone=BERLIN)),
        ("interval", {"interval": 5}, IntervalTrigger(5, timezone=BERLIN)),
        ("once", {"run_at": "2099-01-01"}, OneTimeTrigger("2099-01-01", timezone=BERLIN)),
    ],
)
def test_a_trigger_can_be_named_and_takes_the_zone_of_the_scheduler(
    scheduler: BackgroundScheduler, name: str, arguments: dict[str, Any], expected: Trigger
) -> None:
    job = scheduler.add_job(print, f"advanced_{name}", **arguments)

    assert job.trigger == expected
    assert str(job.next_run_time.tzinfo) == BERLIN


@pytest.mark.parametrize(
    "trigger",
    [
        CronTrigger("30 2 * * *", timezone="America/New_York", jitter=5),
        IntervalTrigger(0.5, start_time="2026-01-01", max_runs=10**12),
        OneTimeTrigger("2099-01-01T12:00"),
    ],
)
def test_a_job_store_of_apscheduler_gives_a_trigger_back(
    scheduler: BackgroundScheduler, trigger: Trigger
) -> None:
    added = scheduler.add_job(print, trigger)

    (kept,) = scheduler.get_jobs()

    assert kept.trigger is not trigger
    assert kept.trigger == trigger
    assert kept.next_run_time.astimezone(UTC) == added.next_run_time.astimezone(UTC)
