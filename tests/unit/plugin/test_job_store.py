"""The job store: what it keeps, on every store, and how processes share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from advanced_scheduler.plugin import AdvancedJobStore
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.triggers import CronTrigger as OurCronTrigger

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def work(day: date | None = None, *, times: int = 1) -> str:
    return f"{day} {times}"


def other() -> None: ...


class Process:
    """A scheduler that only does what it is told to, with a job store on ``store``."""

    def __init__(self, store: Store | str, **options: Any) -> None:
        self.jobs = AdvancedJobStore(store=store, **options)
        self.scheduler = BackgroundScheduler(timezone="UTC")
        self.scheduler.add_jobstore(self.jobs)
        self.scheduler.start(paused=True)

    def add(self, job_id: str = "job", func: Any = work, **options: Any) -> Job:
        """A job that is due now, and each minute from then on."""
        options = {"trigger": IntervalTrigger(minutes=1, start_date=NOW), **options}
        return self.scheduler.add_job(func, id=job_id, **{"next_run_time": NOW, **options})

    def submit(self, job: Job) -> None:
        """What APScheduler does with a due job, but for running it."""
        following = job.trigger.get_next_fire_time(job.next_run_time, NOW)
        if following is None:
            self.scheduler.remove_job(job.id)
        else:
            job._modify(next_run_time=following)
            self.jobs.update_job(job)

    def due(self, now: datetime = NOW) -> list[str]:
        return [job.id for job in self.jobs.get_due_jobs(now)]

    def state(self, job_id: str = "job") -> Job:
        job = self.scheduler.get_job(job_id)
        assert job is not None
        return job


@pytest.fixture
def processes(url_of_each: str) -> Iterator[list[Process]]:
    """Two processes on one store, which each has opened for itself."""
    url = url_of_each
    shared = open_store(url, auto_migrate=True)
    with ExitStack() as closing:
        shared.open()
        closing.callback(shared.close)
        both = [Process(shared), Process(shared if url == "memory://" else url)]
        for one in both:
            closing.callback(one.scheduler.shutdown)
        yield both


def test_a_job_comes_back_as_it_was_added(processes: list[Process]) -> None:
    first, second = processes
    added = first.add(
        args=[date(2030, 1, 2)],
        kwargs={"times": 3},
        name="größer",
        misfire_grace_time=None,
        coalesce=False,
        max_instances=4,
        executor="elsewhere",
    )
    second.add("known", work)
    for one in (first.state(), second.state()):
        assert (one.func, one.args, one.kwargs) == (work, (date(2030, 1, 2),), {"times": 3})
        assert (one.name, one.executor, one.next_run_time) == ("größer", "elsewhere", NOW)
        assert (one.misfire_grace_time, one.coalesce, one.max_instances) == (None, False, 4)
        assert one.trigger.get_next_fire_time(NOW, NOW) == NOW + MINUTE
    assert added.func(*added.args) == "2030-01-02 1"


def test_an_id_is_taken_once_unless_the_job_is_to_be_replaced(processes: list[Process]) -> None:
    first, second = processes
    first.add()
    with pytest.raises(ConflictingIdError):
        second.add()
    second.add(func=other, next_run_time=NOW + MINUTE, replace_existing=True)
    assert first.state().next_run_time == NOW + MINUTE
    assert second.state().func is other


def test_jobs_are_listed_by_time_and_paused_ones_last(processes: list[Process]) -> None:
    first, second = processes
    for number, when in enumerate([None, NOW + MINUTE, NOW, None, NOW + MINUTE]):
        first.add(f"{number}", next_run_time=when)
    assert [job.id for job in second.scheduler.get_jobs()] == ["2", "1", "4", "0", "3"]


def test_removed_jobs_are_gone_for_all(processes: list[Process]) -> None:
    first, second = processes
    for one in ("a", "b", "c"):
        first.add(one)
    second.scheduler.remove_job("b")
    assert [job.id for job in first.scheduler.get_jobs()] == ["a", "c"]
    with pytest.raises(JobLookupError):
        first.scheduler.remove_job("b")
    with pytest.raises(JobLookupError):
        first.jobs.update_job(Job(first.scheduler, "b", func=work, args=(), kwargs={}, **POLICIES))
    second.scheduler.remove_all_jobs()
    assert first.scheduler.get_jobs() == []


POLICIES: dict[str, Any] = {
    "trigger": DateTrigger(NOW),
    "next_run_time": NOW,
    "executor": "default",
    "name": "b",
    "misfire_grace_time": 1,
    "coalesce": True,
    "max_instances": 1,
}


def test_a_due_job_is_claimed_by_one_and_by_another_if_that_one_dies(
    processes: list[Process],
) -> None:
    first, second = processes
    first.add()
    second.add("later", next_run_time=NOW + MINUTE)
    assert second.due(NOW - MINUTE) == []
    assert first.due() == ["job"]
    assert second.due() == []
    assert second.due(NOW + timedelta(seconds=14)) == []
    assert first.due() == ["job"], "its own claim is no obstacle after a failure"
    assert second.due(NOW + timedelta(seconds=16)) == ["job"]
    assert first.due(NOW + timedelta(seconds=16)) == []


def test_a_job_has_its_next_run_time_once_it_is_submitted(processes: list[Process]) -> None:
    first, second = processes
    first.add()
    second.add("known", next_run_time=None)
    (job,) = first.jobs.get_due_jobs(NOW)
    assert second.state().next_run_time == NOW
    first.submit(job)
    assert second.state().next_run_time == NOW + MINUTE
    assert second.due() == []
    assert second.due(NOW + MINUTE) == ["job"]


def test_the_last_run_ends_a_job(processes: list[Process]) -> None:
    first, second = processes
    first.add(trigger="date", run_date=NOW)
    (job,) = first.jobs.get_due_jobs(NOW)
    first.submit(job)
    assert second.scheduler.get_jobs() == []


def test_edits_while_a_job_is_submitted_are_kept(processes: list[Process]) -> None:
    first, second = processes
    for one in ("paused", "renamed", "removed"):
        first.add(one)
    first.add("replaced", trigger="date", run_date=NOW)
    second.add("known", next_run_time=None)
    jobs = first.jobs.get_due_jobs(NOW)
    assert len(jobs) == 4
    second.scheduler.pause_job("paused")
    second.scheduler.modify_job("renamed", name="new")
    second.scheduler.remove_job("removed")
    second.add("replaced", trigger="date", run_date=NOW + MINUTE, replace_existing=True)
    for job in jobs:
        first.submit(job)
    left = {job.id: (job.name, job.next_run_time) for job in first.scheduler.get_jobs()}
    assert left == {
        "known": ("work", None),
        "paused": ("work", None),
        "renamed": ("new", NOW + MINUTE),
        "replaced": ("work", NOW),
    }, "what was replaced runs when its new trigger, or its user, says so"
    assert first.state("replaced").trigger.get_next_fire_time(None, NOW) == NOW + MINUTE


def test_edits_of_different_fields_at_the_same_time_are_both_kept(
    processes: list[Process],
) -> None:
    first, second = processes
    first.add()
    second.add("known")
    mine, theirs = first.state(), second.state()
    mine._modify(name="mine")
    theirs._modify(max_instances=7, args=(None,))
    first.jobs.update_job(mine)
    second.jobs.update_job(theirs)
    assert (first.state().name, first.state().max_instances) == ("mine", 7)
    assert first.state().args == (None,)


@pytest.mark.parametrize(
    "trigger",
    [
        IntervalTrigger(hours=5, start_date=NOW + MINUTE),
        CronTrigger(day_of_week="mon", hour=9, timezone="Europe/Berlin"),
        CalendarIntervalTrigger(months=1, hour=3, start_date="2030-01-31"),
        DateTrigger(NOW + MINUTE),
        OrTrigger([CronTrigger(hour=1, timezone="UTC"), CronTrigger(hour=2, timezone="UTC")]),
        OurCronTrigger("*/7 9 * * 1", timezone="Asia/Tokyo"),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_triggers_name_the_same_instants_when_they_come_back(trigger: Any) -> None:
    def instants(one: Any) -> Iterator[datetime | None]:
        last = None
        for _ in range(5):
            last = one.get_next_fire_time(last, last or NOW)
            yield last
            if last is None:
                return

    process = Process("memory://")
    process.add(trigger=trigger)
    assert list(instants(process.state().trigger)) == list(instants(trigger))
    process.scheduler.shutdown()
