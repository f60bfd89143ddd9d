"""The host of the ticker: a real scheduler of APScheduler, ours or the application's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler.clock import ManualClock, SystemClock
from advanced_scheduler.engine.timer import ALIAS, JOB_ID, Host, TickJobStore, Timer
from advanced_scheduler.errors import SchedulerStateError, StoreUnavailable
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import NOW

POLL = 0.02


class Ticks:
    """A tick that counts its calls, and does what a test says."""

    def __init__(self) -> None:
        self.count = 0
        self.failures: list[Exception] = []
        self.heard: list[Exception] = []
        self.following: datetime | None = None

    def __call__(self) -> datetime | None:
        self.count += 1
        if self.failures:
            raise self.failures.pop()
        return self.following


def timer(host: Host, ticks: Ticks, poll: float = POLL) -> Timer:
    return Timer(
        apscheduler=host, tick=ticks, failed=ticks.heard.append, clock=SystemClock(),
        poll_seconds=poll,
    )  # fmt: skip


@pytest.fixture
def host() -> Iterator[BackgroundScheduler]:
    made = BackgroundScheduler(timezone="UTC")
    yield made
    if made.running:
        made.shutdown()


@contextmanager
def started(made: Timer) -> Iterator[Timer]:
    made.start()
    try:
        yield made
    finally:
        made.stop()


def ticks_on(ticks: Ticks, more: int = 3) -> None:
    """Wait for ``more`` passes from now on."""
    wanted = ticks.count + more
    eventually(lambda: ticks.count >= wanted, what=f"{more} more passes")


def test_passes_come_once_a_poll_though_nothing_is_due(host: BackgroundScheduler) -> None:
    ticks = Ticks()
    with started(timer(host, ticks)) as made:
        ticks_on(ticks)
        assert made.alive
        assert made.last_pass is not None
    assert not made.alive


def test_a_wake_up_brings_a_pass_long_before_the_poll(host: BackgroundScheduler) -> None:
    ticks = Ticks()
    with started(timer(host, ticks, poll=60)) as made:
        eventually(lambda: ticks.count == 1)  # APScheduler asks once when it starts
        made.wake()
        eventually(lambda: ticks.count == 2)


def test_what_is_due_soon_is_fired_long_before_the_poll(host: BackgroundScheduler) -> None:
    ticks = Ticks()
    ticks.following = SystemClock().now() + timedelta(seconds=1.5)
    with started(timer(host, ticks, poll=60)):
        eventually(lambda: ticks.count >= 2)


def test_what_stays_due_is_looked_at_once_a_poll(host: BackgroundScheduler) -> None:
    ticks = Ticks()
    ticks.following = NOW - timedelta(days=3650)
    with started(timer(host, ticks, poll=60)) as made:
        eventually(lambda: ticks.count == 1)
        made.wake()
        eventually(lambda: ticks.count == 2)
        asked = made._jobs.get_next_run_time()
        assert asked is not None
        assert asked - SystemClock().now() > timedelta(seconds=30)


def test_a_store_that_is_away_is_reported_and_asked_again(host: BackgroundScheduler) -> None:
    ticks = Ticks()
    ticks.failures = [ZeroDivisionError("a bug"), StoreUnavailable("away")]
    with started(timer(host, ticks)) as made:
        ticks_on(ticks, 4)
        assert made.alive
    assert [str(error) for error in ticks.heard] == ["away", "a bug"]


def test_a_store_that_stays_away_is_logged_once_and_its_return_as_well(
    host: BackgroundScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = Ticks()
    ticks.failures = [StoreUnavailable("away") for _ in range(5)]
    with caplog.at_level(logging.INFO, "advanced_scheduler"), started(timer(host, ticks)):
        ticks_on(ticks, 7)
    assert caplog.messages == [
        "no schedules are fired until this is over: away",
        "schedules are fired again",
    ]


def test_an_application_s_own_scheduler_goes_on_when_ours_stops(
    host: BackgroundScheduler,
) -> None:
    called = threading.Event()
    host.start()
    host.add_job(called.set, "interval", seconds=3600, id="theirs")
    ticks = Ticks()
    for _ in range(2):
        with started(timer(host, ticks)):
            ticks_on(ticks)
        assert host.running
    assert [job.id for job in host.get_jobs()] == ["theirs"]
    host.modify_job("theirs", next_run_time=SystemClock().now())
    assert called.wait(10)


def test_a_scheduler_that_we_started_is_stopped_and_starts_again(
    host: BackgroundScheduler,
) -> None:
    ticks = Ticks()
    for _ in range(3):
        with started(timer(host, ticks)):
            assert host.running
            ticks_on(ticks)
        assert not host.running


def test_an_application_may_stop_its_scheduler_before_us(host: BackgroundScheduler) -> None:
    host.start()
    ticks = Ticks()
    with started(timer(host, ticks)) as made:
        ticks_on(ticks)
        host.shutdown()
        assert not made.alive
        made.wake()  # a pass is still made when somebody asks
        ticks_on(ticks, 1)


def test_an_application_may_take_our_parts_out_before_we_stop(host: BackgroundScheduler) -> None:
    host.start()
    with started(timer(host, Ticks())):
        host.remove_jobstore(ALIAS)
        host.remove_executor(ALIAS)
    assert host.running


def test_a_second_scheduler_of_ours_is_refused_and_leaves_the_first_alone(
    host: BackgroundScheduler,
) -> None:
    ticks = Ticks()
    with started(timer(host, ticks)):
        with pytest.raises(SchedulerStateError, match="give each of them its own"):
            timer(host, Ticks()).start()
        ticks_on(ticks)
    with started(timer(host, ticks)):
        ticks_on(ticks)


def test_a_host_that_does_not_start_is_left_as_it_was() -> None:
    class Refusing(BackgroundScheduler):  # type: ignore[misc]
        def start(self, *args: object, **kwargs: object) -> None:
            raise OSError("no")

    host = Refusing(timezone="UTC")
    made = timer(host, Ticks())
    with pytest.raises(OSError, match="no"):
        made.start()
    assert not made.alive
    assert (host._executors, host._jobstores) == ({}, {})


async def test_a_scheduler_on_the_application_s_event_loop_serves_as_well() -> None:
    host = AsyncIOScheduler(timezone="UTC")
    host.start()
    ticks = Ticks()
    made = timer(host, ticks)
    made.start()
    await eventually_async(lambda: ticks.count >= 3)
    made.stop()
    assert host.running
    host.shutdown()


def test_an_event_loop_that_was_closed_under_apscheduler_kills_no_thread(
    host: BackgroundScheduler,
) -> None:
    def wakeup() -> None:
        raise RuntimeError("Event loop is closed")

    ticks = Ticks()
    with started(timer(host, ticks)) as made:
        ticks_on(ticks)
        real, host.wakeup = host.wakeup, wakeup
        for _ in range(3):
            before = ticks.count
            made.wake()
            eventually(lambda before=before: ticks.count > before)  # type: ignore[misc]
        assert made.alive
        host.wakeup = real


def test_nothing_of_ours_shows_as_an_error_or_a_misfire(host: BackgroundScheduler) -> None:
    heard: list[object] = []
    host.add_listener(heard.append, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    ticks = Ticks()
    with started(timer(host, ticks)):
        ticks_on(ticks, 10)
    assert heard == []


def test_the_job_store_shows_one_job_and_takes_none(host: BackgroundScheduler) -> None:
    with started(timer(host, Ticks())) as made:
        eventually(lambda: [job.id for job in host.get_jobs(ALIAS)] == [JOB_ID])
        assert made._jobs.lookup_job(JOB_ID) is not None
        assert made._jobs.lookup_job("other") is None
        with pytest.raises(TypeError, match="use schedule_cron_task"):
            host.add_job(print, "interval", seconds=1, jobstore=ALIAS)
        host.remove_all_jobs(ALIAS)
        assert [job.id for job in host.get_jobs(ALIAS)] == [JOB_ID]


def test_the_job_store_answers_on_the_clock_that_asks_it(clock: ManualClock) -> None:
    jobs = TickJobStore(clock, poll_seconds=1)
    assert jobs.get_next_run_time() is None
    assert jobs.get_all_jobs() == []
    jobs.expect(60)
    asked = NOW + timedelta(days=1)
    assert jobs.get_due_jobs(asked) == []
    assert jobs.get_next_run_time() == asked + timedelta(seconds=1)  # a poll, at the latest
    clock.set(NOW - timedelta(days=1))  # the wall clock means nothing here
    assert jobs.get_next_run_time() == asked + timedelta(seconds=1)
    jobs.expect(-5)
    assert jobs.get_next_run_time() == asked
