"""Document 004, when jobs run: its four triggers, and triggers and decorators of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from advanced_scheduler import InvalidTrigger
from advanced_scheduler.adapters import jobs
from advanced_scheduler.adapters.background import Shared
from advanced_scheduler.adapters.jobs import (
    CronTrigger,
    IntervalTrigger,
    OneTimeTrigger,
    Scheduler,
    TimestampTrigger,
    Trigger,
    get_scheduler,
    scheduled_job,
)
from tests.requirements.document_004 import (
    Days,
    RandomIntervalTrigger,
    automated_task,
    is_finished,
    nothing,
    unix_now,
    utc,
)
from tests.support.waiting import eventually

# --- Trigger types --------------------------------------------------------------------------------


async def test_timestamps_are_milliseconds_from_the_start_of_the_job(days: Days) -> None:
    ran: list[float] = []
    trigger = TimestampTrigger([0, 500, 1000, 2000])
    days.clock.advance(hours=1)
    start = days.clock.monotonic()
    days.jobs.add_job("replay", trigger, lambda: ran.append(days.clock.monotonic() - start))
    await days.scheduler.run_due()
    await days.go_by(seconds=3, step=0.1)
    assert ran == [0, 0.5, 1, 2]
    assert days.status("replay")["status"] == "completed"


async def test_an_interval_starts_late_and_ends_after_so_many_runs(days: Days) -> None:
    ran: list[float] = []
    now = days.clock.now().timestamp()
    trigger = IntervalTrigger(interval_seconds=5.0, max_runs=10, start_time=now + 10)
    days.jobs.add_job("sync", trigger, lambda: ran.append(days.clock.monotonic()))
    await days.go_by(seconds=100, step=1)
    assert ran == [10 + 5 * n for n in range(10)]


async def test_an_interval_may_be_a_timedelta(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_interval_job("tick", timedelta(minutes=5), lambda: ran.append(1), max_runs=2)
    await days.go_by(minutes=20, step=60)
    assert ran == [1, 1]
    with pytest.raises(ValueError, match=r"interval=-1\.0|-1\.0"):
        IntervalTrigger(timedelta(seconds=-1))


async def test_a_one_time_job_runs_in_thirty_seconds(days: Days) -> None:
    ran: list[float] = []
    trigger = OneTimeTrigger(days.clock.now().timestamp() + 30)
    days.jobs.add_job("once", trigger, lambda: ran.append(days.clock.monotonic()))
    await days.go_by(seconds=100, step=1)
    assert ran == [30]


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is America/New_York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_a_datetime_without_a_zone_is_local_time(days: Days) -> None:
    nine = datetime.fromisoformat("2030-06-01 09:00")
    days.jobs.add_one_time_job("once", nine, nothing)
    days.jobs.add_interval_job("often", 60, nothing, start_time=nine)
    days.jobs.add_cron_job("minutely", "* * * * *", nothing, start_time=nine)
    reports = days.jobs.get_all_statuses().values()
    assert [one["next_run_time"] for one in reports] == 3 * [utc(2030, 6, 1, 13)]


def test_cron_follows_the_clock_of_its_zone(days: Days) -> None:
    trigger = CronTrigger(
        cron_expression="0 9 * * MON-FRI",
        max_runs=None,
        timezone="America/New_York",
        start_time=days.clock.now() + timedelta(days=4),  # a Saturday
    )
    days.jobs.add_job("weekday", trigger, nothing)
    assert days.status("weekday")["next_run_time"] == utc(2030, 1, 7, 14)


def test_cron_text_of_six_fields_begins_with_seconds(days: Days) -> None:
    days.jobs.add_cron_job("seconds", "*/15 * * * * *", nothing)
    days.clock.advance(seconds=1)
    days.jobs.add_cron_job("sundays", "30 0 12 * * 7", nothing)
    assert days.status("seconds")["next_run_time"] == utc(2030, 1, 1)
    assert days.status("sundays")["next_run_time"] == utc(2030, 1, 6, 12, 0, 30)


# --- Triggers by themselves -----------------------------------------------------------------------


def test_a_trigger_tells_its_next_run_also_without_a_job() -> None:
    now = unix_now()
    assert IntervalTrigger(5, start_time=now).get_next_run_time(now + 7) == pytest.approx(now + 10)
    assert OneTimeTrigger(now + 30).get_next_run_time(now) == pytest.approx(now + 30)
    assert CronTrigger("0 0 1 1 *").get_next_run_time(utc(2030, 6, 1)) == utc(2031, 1, 1)
    assert TimestampTrigger([0, 500]).get_next_run_time(now - 10) == pytest.approx(now, abs=5)


def test_a_trigger_tells_that_its_instants_have_passed() -> None:
    assert OneTimeTrigger(unix_now() - 1).is_finished()
    assert not OneTimeTrigger(unix_now() + 60).is_finished()
    assert not IntervalTrigger(1, max_runs=1).is_finished()
    assert OneTimeTrigger(0).get_next_run_time() is None


# --- Contributing ---------------------------------------------------------------------------------


async def test_a_trigger_of_ones_own_decides_when_a_job_runs(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_job(
        "random", RandomIntervalTrigger(10, 20), lambda: ran.append(days.clock.monotonic())
    )
    await days.go_by(minutes=10, step=1)
    gaps = [after - before for before, after in zip([0.0, *ran], ran, strict=False)]
    assert 600 / 20 - 1 <= len(ran) <= 600 / 10
    assert all(9 <= gap <= 21 for gap in gaps)
    assert days.status("random")["trigger_type"] == "custom"


class ThreeTimes(IntervalTrigger):
    """One of the four, with a rule of its own."""

    def __init__(self) -> None:
        super().__init__(60)
        self.left = 3

    def get_next_run_time(self, after_time: float | None = None) -> float | None:
        assert after_time is not None
        self.left -= 1
        return after_time + 1

    def is_finished(self) -> bool:
        return self.left == 0


async def test_a_trigger_that_is_finished_ends_its_job(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_job("three", ThreeTimes(), lambda: ran.append(days.clock.monotonic()))
    await days.go_by(seconds=10, step=0.5)
    assert ran == [1, 2, 3]
    assert days.status("three")["status"] == "completed"


class BrokenTrigger(Trigger):
    def get_next_run_time(self, after_time: float | None = None) -> float:
        raise OSError("no calendar")

    def is_finished(self) -> bool:
        return False


def test_a_trigger_that_raises_is_refused(days: Days) -> None:
    with pytest.raises(InvalidTrigger, match="no calendar"):
        days.jobs.add_job("broken", BrokenTrigger(), nothing)
    assert days.jobs.list_jobs() == []
    assert days.jobs.add_interval_job("broken", 1, nothing)


async def test_a_decorator_adds_the_function_as_a_job(days: Days) -> None:
    job_id = f"{automated_task.__module__}.automated_task"
    for decorate in (
        days.jobs.scheduled_job(IntervalTrigger(60)),
        scheduled_job(IntervalTrigger(30), days.jobs),
    ):
        assert decorate(automated_task) is automated_task
        assert days.jobs.list_jobs() == [job_id]
        await days.go_by(seconds=60)
        assert days.status(job_id)["execution_count"] >= 1
        days.jobs.remove_job(job_id)


def test_a_decorator_without_a_scheduler_uses_the_one_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "_shared", Shared(Scheduler))
    scheduled_job(TimestampTrigger([0]))(automated_task)
    (job_id,) = get_scheduler().list_jobs()
    eventually(lambda: is_finished(get_scheduler(), job_id))
    get_scheduler().shutdown()


# --- Bad input ------------------------------------------------------------------------------------

FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001  # local time


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IntervalTrigger(0), "interval=0 must be at least a microsecond"),
        (lambda: IntervalTrigger(-1), "interval=-1"),
        (lambda: IntervalTrigger("5"), "interval='5' is not a number of seconds"),  # type: ignore[arg-type]
        (lambda: IntervalTrigger(float("nan")), "interval=nan"),
        (lambda: IntervalTrigger(10**400), "interval=1000"),
        (lambda: IntervalTrigger(1e12), "interval_seconds=1000000000000.0 is more than 100 years"),
        (lambda: IntervalTrigger(1, start_time="soon"), "start_time='soon'"),  # type: ignore[arg-type]
        (lambda: IntervalTrigger(1, start_time=True), "start_time=True is not a time"),
        (lambda: IntervalTrigger(1, 0), "max_runs=0 must be a whole number"),
        (lambda: IntervalTrigger(1, True), "max_runs=True must be a whole number"),
        (lambda: CronTrigger("@daily", -1), "max_runs=-1 must be a whole number"),
        (lambda: CronTrigger("@daily", start_time=FIRST), "start_time=.* is out of range"),
        (lambda: OneTimeTrigger(FIRST), "run_at=.* is out of range"),
        (lambda: OneTimeTrigger(LAST), "run_at=.* is out of range"),
        (lambda: OneTimeTrigger(False), "run_at=False is not a time"),
        (lambda: TimestampTrigger([]), "timestamps has 0 items"),
        (lambda: TimestampTrigger([-1]), r"timestamps\[0\]=-1"),
        (lambda: TimestampTrigger(5), "timestamps=5 is not a list"),  # type: ignore[arg-type]
        (lambda: OneTimeTrigger(float("inf")), "run_at=inf"),
        (lambda: OneTimeTrigger("soon"), "run_at='soon'"),  # type: ignore[arg-type]
        (lambda: OneTimeTrigger(None), "run_at=None"),  # type: ignore[arg-type]
        (lambda: CronTrigger("0 25 * * *"), "25"),
        (lambda: CronTrigger("* * * *"), "Invalid cron expression"),
        (lambda: CronTrigger("@daily", timezone="Mars/Olympus"), "Mars/Olympus"),
    ],
)
def test_a_trigger_that_cannot_work_is_refused(make: Callable[[], Trigger], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
