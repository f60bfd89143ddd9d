"""The job store: what it refuses, what it parks, and what it does while its store is away."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import BaseJobStore, TransientJobError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from advanced_scheduler import AdvancedTaskScheduler, result_of
from advanced_scheduler.models import RecordKind
from advanced_scheduler.plugin import AdvancedExecutor, AdvancedJobStore, UnknownFunction
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from tests.support.waiting import eventually, eventually_async

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
RUNS: list[str] = []

MODULE = """\
from os import getcwd


def work() -> None: ...


class Jobs:
    @classmethod
    def work(cls) -> None: ...
"""


def work(name: str = "") -> None:
    RUNS.append(name)


def _ran(count: int) -> bool:
    return len(RUNS) == count


def _is_empty(scheduler: BaseScheduler) -> bool:
    """Before that it cannot be shut down: a race of APScheduler's own."""
    return not scheduler.get_jobs()


def ago(**amount: float) -> datetime:
    return datetime.now(UTC) - timedelta(**amount)  # noqa: TID251  # APScheduler's clock is real


class Odd(BaseTrigger):  # type: ignore[misc]  # APScheduler has no type hints
    """A trigger that cannot state itself."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        return NOW if previous is None else None


@pytest.fixture
def store() -> MemoryStore:
    RUNS.clear()
    return MemoryStore()


@pytest.fixture
def schedulers() -> Iterator[list[BaseScheduler]]:
    """Those that are to be shut down."""
    made: list[BaseScheduler] = []
    yield made
    for one in made:
        one.shutdown()


@pytest.fixture
def paused(store: MemoryStore, schedulers: list[BaseScheduler]) -> BaseScheduler:
    """A scheduler that runs nothing, on ``store``."""
    return started(schedulers, AdvancedJobStore(store=store), paused=True)


@pytest.fixture
def strange_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that can be imported by this name."""
    (tmp_path / "strange_jobs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("strange_jobs", None)


def started(made: list[BaseScheduler], jobs: BaseJobStore, *, paused: bool) -> BaseScheduler:
    scheduler = BackgroundScheduler(timezone="UTC", jobstores={"default": jobs})
    scheduler.start(paused=paused)
    made.append(scheduler)
    return scheduler


def rename_function(store: MemoryStore, path: str, **fields: Any) -> None:
    """What another process, or an intruder, has stored."""
    (record,) = store.records(RecordKind.JOB)
    store.save_record(replace(record, data={**record.data, "function": path, **fields}))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"func": lambda: None}, TransientJobError, "reference"),
        ({"func": [].append, "args": [1]}, TransientJobError, "reference"),
        ({"args": [object()]}, ValueError, "argument 'name'"),
        ({"args": [result_of("some execution")]}, ValueError, "ResultOf"),
        ({"args": ["x" * 2_000_000]}, ValueError, "bytes of JSON"),
        ({"trigger": Odd()}, ValueError, "Odd"),
        ({"id": "a\0b"}, ValueError, "id="),
        ({"id": "a" * 201}, ValueError, "id="),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_stored(
    paused: BaseScheduler, store: MemoryStore, options: dict[str, Any], error: type, match: str
) -> None:
    with pytest.raises(error, match=match):
        paused.add_job(**{"func": work, **options})
    assert store.records(RecordKind.JOB) == []


def test_an_edit_that_cannot_be_stored_changes_nothing(paused: BaseScheduler) -> None:
    paused.add_job(work, "interval", hours=1, id="job", args=["a"])
    with pytest.raises(ValueError, match="argument 'name'"):
        paused.modify_job("job", args=[object()], name="new")
    job = paused.get_job("job")
    assert (job.name, job.args) == ("work", ("a",))


def test_a_job_that_changes_its_arguments_changes_no_stored_ones(paused: BaseScheduler) -> None:
    paused.add_job(print, "interval", hours=1, id="job", args=[["a"]])
    paused.get_job("job").args[0].append("b")
    assert paused.get_job("job").args == (["a"],)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "store="),
        ({"store": "memory://", "scheduler": AdvancedTaskScheduler()}, "store="),
        ({"store": "nowhere://"}, "names no store"),
        ({"store": "memory://", "modules": "jobs,,reports"}, "modules="),
        ({"store": "memory://", "lease_seconds": "0"}, "lease_seconds="),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        AdvancedJobStore(**options)


@pytest.mark.usefixtures("strange_jobs")
def test_a_function_that_nobody_allowed_is_not_imported_and_its_job_is_parked(
    paused: BaseScheduler,
    store: MemoryStore,
    schedulers: list[BaseScheduler],
    caplog: pytest.LogCaptureFixture,
) -> None:
    paused.add_job(work, "interval", hours=1, id="job", next_run_time=NOW)
    rename_function(store, "strange_jobs:work")
    jobs = AdvancedJobStore(store=store)
    stranger = started(schedulers, jobs, paused=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert jobs.get_due_jobs(NOW) == []
            assert jobs.get_next_run_time() > ago(seconds=0), "what is parked wakes nobody"
    (told,) = [one.message for one in caplog.records if "parked" in one.message]
    assert "(1): 'job': this process has added no job of 'strange_jobs:work'" in told
    assert "strange_jobs" not in sys.modules
    assert list(jobs.parked()) == ["job"]
    assert isinstance(stranger.get_job("job").func, UnknownFunction)
    stranger.pause_job("job")
    stranger.modify_job("job", name="still there", next_run_time=NOW)

    allowed = AdvancedJobStore(store=store, modules="strange_jobs, reports")
    started(schedulers, allowed, paused=True)
    (job,) = allowed.get_due_jobs(NOW)
    assert (job.name, job.func) == ("still there", sys.modules["strange_jobs"].work)
    assert allowed.parked() == {}


@pytest.mark.usefixtures("strange_jobs")
@pytest.mark.parametrize(
    ("path", "parked"),
    [
        ("strange_jobs:Jobs.work", None),
        ("strange_jobs:getcwd", "is defined elsewhere"),
        ("strange_jobs:missing", "missing"),
        ("os:getcwd", "is not allowed"),
        ("strange_jobs_2:work", "is not allowed"),
    ],
)
def test_an_allowed_module_lends_what_it_defines_and_nothing_else(
    paused: BaseScheduler,
    store: MemoryStore,
    schedulers: list[BaseScheduler],
    path: str,
    parked: str | None,
) -> None:
    paused.add_job(work, "interval", hours=1, id="job")
    rename_function(store, path)
    jobs = AdvancedJobStore(store=store, modules=["strange_jobs"])
    started(schedulers, jobs, paused=True)
    assert (parked or "") in jobs.parked().get("job", "")
    assert ("job" in jobs.parked()) is (parked is not None)


@pytest.mark.parametrize(
    "damage",
    [
        {"v": 2},
        {"trigger": {"type": "of a later release", "v": 1}},
        {"next_run_time": "soon"},
        {"args": 5},
        {"claim": "mine"},
    ],
)
def test_what_cannot_be_read_is_parked_and_stays(
    paused: BaseScheduler, store: MemoryStore, damage: dict[str, Any]
) -> None:
    paused.add_job(work, "interval", hours=1, id="job", next_run_time=NOW)
    rename_function(store, "x:y", **damage)
    jobs = paused._lookup_jobstore("default")
    assert jobs.get_due_jobs(NOW) == []
    assert jobs.get_next_run_time() > ago(seconds=0)
    assert list(jobs.parked()) == ["job"]
    assert len(store.records(RecordKind.JOB)) == 1
    paused.remove_job("job")


def test_a_job_whose_executor_is_elsewhere_is_left_to_whom_it_is_known(
    paused: BaseScheduler, store: MemoryStore, schedulers: list[BaseScheduler]
) -> None:
    paused.add_job(
        work, args=["a"], id="job", executor="other", next_run_time=ago(), misfire_grace_time=None
    )
    paused.resume()
    jobs = paused._lookup_jobstore("default")
    eventually(lambda: jobs._parked, what="it has looked")
    assert "no executor 'other'" in jobs.parked()["job"]
    knowing = BackgroundScheduler(timezone="UTC")
    knowing.add_jobstore(AdvancedJobStore(store=store, modules=[__name__]))
    knowing.add_executor(ThreadPoolExecutor(), "other")
    schedulers.append(knowing)
    knowing.start()
    eventually(lambda: RUNS, what="it runs where its executor is")
    eventually(partial(_is_empty, knowing), what="APScheduler has done with it")


def test_a_submission_that_the_store_did_not_hear_of_is_told_it_later(
    store: MemoryStore, schedulers: list[BaseScheduler]
) -> None:
    faulty = FaultyStore(store)
    jobs = AdvancedJobStore(store=faulty.face)
    scheduler = started(schedulers, jobs, paused=True)
    scheduler.add_job(work, "date", run_date=NOW, id="once")
    scheduler.add_job(work, "interval", hours=1, start_date=NOW, id="job", next_run_time=NOW)
    due = jobs.get_due_jobs(NOW)
    faulty.break_down()
    scheduler.remove_job("once")
    job = next(one for one in due if one.id == "job")
    job._modify(next_run_time=NOW + timedelta(hours=1))
    jobs.update_job(job)
    assert jobs.get_next_run_time() > ago(seconds=0)
    faulty.come_back()
    assert jobs.get_due_jobs(NOW) == []
    assert [one.next_run_time for one in scheduler.get_jobs()] == [NOW + timedelta(hours=1)]


def test_a_scheduler_outlives_an_outage_of_its_store(
    store: MemoryStore, schedulers: list[BaseScheduler]
) -> None:
    faulty = FaultyStore(store)
    jobs = AdvancedJobStore(store=faulty.face, poll_seconds=0.05)
    scheduler = started(schedulers, jobs, paused=False)
    scheduler.jobstore_retry_interval = 0.05
    faulty.break_down()
    before = faulty.calls["records"]
    eventually(lambda: faulty.calls["records"] > before + 3, what="it goes on asking")
    faulty.come_back()
    scheduler.add_job(work, args=["after"], misfire_grace_time=None)
    eventually(lambda: RUNS == ["after"], what="it goes on")
    eventually(partial(_is_empty, scheduler), what="APScheduler has done with it")


def test_more_jobs_than_one_look_takes_are_all_run_once(
    paused: BaseScheduler, store: MemoryStore
) -> None:
    for number in range(250):
        paused.add_job(
            work, args=[f"{number}"], next_run_time=ago(seconds=1), misfire_grace_time=None
        )
    paused.resume()
    eventually(lambda: len(RUNS) >= 250, what="all have run")
    assert sorted(RUNS, key=int) == [f"{number}" for number in range(250)]
    eventually(lambda: not store.records(RecordKind.JOB), what="none is left")


def test_a_configuration_of_texts_makes_one() -> None:
    scheduler = BackgroundScheduler(
        {
            "apscheduler.timezone": "UTC",
            "apscheduler.jobstores.default.type": "advanced",
            "apscheduler.jobstores.default.store": "memory://",
            "apscheduler.jobstores.default.modules": "myapp.jobs, myapp.reports",
            "apscheduler.jobstores.default.lease_seconds": "30",
        }
    )
    scheduler.add_jobstore("advanced", "second", store="memory://")
    RUNS.clear()
    scheduler.start()
    try:
        scheduler.add_job(work, args=["second"], jobstore="second", misfire_grace_time=None)
        eventually(lambda: RUNS == ["second"], what="it runs")
        eventually(partial(_is_empty, scheduler), what="APScheduler has done with it")
        assert isinstance(scheduler._lookup_jobstore("default"), AdvancedJobStore)
    finally:
        scheduler.shutdown()


def test_an_executor_and_a_job_store_share_a_scheduler(tmp_path: Path) -> None:
    RUNS.clear()
    advanced = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db?synchronous=normal")
    for count, name in enumerate(("first", "second"), start=1):
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_executor(AdvancedExecutor(advanced))
        scheduler.add_jobstore(AdvancedJobStore(advanced))
        scheduler.add_job(work, args=[name], id=name, misfire_grace_time=None)
        scheduler.start()
        eventually(partial(_ran, count), what="it has run")
        eventually(partial(_is_empty, scheduler), what="APScheduler has done with it")
        scheduler.shutdown()
    assert [row.status for row in advanced.executions()] == ["completed"] * 2
    advanced.close()


def test_a_blocking_scheduler_runs_its_jobs(store: MemoryStore) -> None:
    scheduler = BlockingScheduler(timezone="UTC")
    scheduler.add_jobstore(AdvancedJobStore(store=store))
    options: dict[str, Any] = {"next_run_time": ago(seconds=1), "misfire_grace_time": None}
    scheduler.add_job(work, "interval", hours=1, args=["blocking"], **options)
    scheduler.add_listener(lambda _: scheduler.shutdown(wait=False), EVENT_JOB_EXECUTED)
    scheduler.start()
    assert RUNS == ["blocking"]


async def test_on_an_event_loop_a_job_advances_when_its_execution_is_stored(
    store: MemoryStore,
) -> None:
    faulty = FaultyStore(MemoryStore())
    executor = AdvancedExecutor(AdvancedTaskScheduler(store=faulty.face))
    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_jobstore(AdvancedJobStore(store=store))
    scheduler.add_executor(executor)
    scheduler.start()
    await eventually_async(lambda: executor.advanced.started, what="the engine runs")
    faulty.break_down()
    first = ago(seconds=1)
    options: dict[str, Any] = {"next_run_time": first, "misfire_grace_time": None}
    scheduler.add_job(work, "interval", hours=1, id="job", **options)
    looks = faulty.calls["add"]
    await eventually_async(lambda: faulty.calls["add"] > looks, what="it was submitted")
    assert scheduler.get_job("job").next_run_time == first
    faulty.come_back()
    await eventually_async(lambda: RUNS, what="it runs")
    await eventually_async(
        lambda: scheduler.get_job("job").next_run_time > first, what="it goes on"
    )
    assert RUNS == [""]
    scheduler.shutdown()
    await executor.advanced.stop()
