"""Document 002, every option of the scheduler and of a schedule: each makes a difference."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
from apscheduler.triggers.combining import OrTrigger as ForeignOr
from apscheduler.triggers.cron import CronTrigger as ForeignCron
from apscheduler.triggers.interval import IntervalTrigger as ForeignInterval

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    OverlapPolicy,
    ScheduleExists,
    SchedulerStateError,
    Settings,
    TaskStatus,
    TickOutcome,
    current_execution,
)
from advanced_scheduler.adapters.schedules import (
    CronSchedule,
    DailySchedule,
    IntervalSchedule,
    Scheduler,
    WeeklySchedule,
)
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.triggers import AndTrigger, CronTrigger, IntervalTrigger, OrTrigger
from tests.requirements.document_002 import START, Application, Call, Hours, executions

TASK: Final = "reports.generate_report"
HOURLY: Final = IntervalSchedule(timedelta(hours=1))
NIGHTLY: Final = DailySchedule(["02:30"])


@pytest.fixture
def scheduler(timetable: Scheduler) -> Scheduler:
    return timetable


def made(tasks: Application, clock: ManualClock, **options: Any) -> Scheduler:
    """A scheduler with these options, and with all tasks."""
    scheduler = Scheduler(clock=clock, **options)
    tasks.join(scheduler.scheduler)
    return scheduler


# --- Of the scheduler -----------------------------------------------------------------------


async def test_all_options_together(
    tasks: Application, hours: Hours, clock: ManualClock, tmp_path: Path
) -> None:
    scheduler = made(
        tasks,
        clock,
        queue_name="scheduled",
        timezone="Asia/Tokyo",
        check_interval=60,
        missed_threshold=300,
        lock_timeout=300,
        metrics_enabled=True,
        storage=f"sqlite:///{tmp_path}/schedules.db",
        instance_id="scheduler-1",
    )
    seen: list[Any] = []

    def look() -> None:
        seen.append(scheduler.scheduler.get_execution(current_execution().execution_id))

    tasks.bodies[TASK] = look
    schedule_id = scheduler.schedule(TASK, DailySchedule(["10:00"]))
    own = scheduler.schedule(TASK, HOURLY, queue="own", name="own")
    assert await hours.until(scheduler, "2023-04-12T01:00:00Z") == [Call(TASK)] * 2
    (row,) = executions(scheduler, schedule_id)
    assert row.queue == "scheduled"
    assert executions(scheduler, own)[0].queue == "own"
    assert [one.node.startswith("scheduler-1") for one in seen] == [True, True]
    assert {one.lease_until - clock.now() for one in seen} == {timedelta(seconds=300)}
    assert scheduler.scheduler.settings.poll_seconds == 60
    again = made(tasks, clock, storage=f"sqlite:///{tmp_path}/schedules.db")
    assert (await again.get_schedule(schedule_id)).grace_seconds == 300
    for one in (scheduler, again):
        await one.shutdown()


def test_checking_more_seldom_than_once_a_minute_is_checking_once_a_minute() -> None:
    settings = Settings(lease_seconds=7)
    scheduler = Scheduler(check_interval=3600, settings=settings)
    assert scheduler.scheduler.settings.poll_seconds == 60
    assert scheduler.scheduler.settings.lease_seconds == 7
    scheduler.scheduler.close()


@pytest.mark.parametrize(
    ("handling", "ran"),
    [({}, 1), ({"missed_schedule_handling": "latest"}, 1)]
    + [({"missed_schedule_handling": "skip"}, 0)]
    + [({"missed_schedule_handling": "trigger", "max_missed_schedules": n}, n) for n in (10, 3)],
)
async def test_missed_schedules_are_handled_as_asked(
    tasks: Application, hours: Hours, clock: ManualClock, handling: dict[str, Any], ran: int
) -> None:
    scheduler = made(tasks, clock, missed_threshold=300, **handling)
    schedule_id = scheduler.schedule(TASK, HOURLY)
    begun = clock.now()
    clock.set(datetime(2023, 4, 12, 12, 30, tzinfo=UTC))
    await scheduler.scheduler.run_due()
    await scheduler.scheduler.run_due()
    assert len(tasks.calls) == ran
    ledger = scheduler.scheduler.audit(schedule_id, begun, clock.now())
    assert len(ledger.ticks) == 12
    assert ledger.missing == []
    scheduler.scheduler.close()


async def test_what_is_late_by_less_than_the_threshold_was_not_missed(
    tasks: Application, hours: Hours, clock: ManualClock
) -> None:
    scheduler = made(tasks, clock, missed_threshold=300, missed_schedule_handling="skip")
    scheduler.schedule(TASK, HOURLY)
    assert await hours.until(scheduler, "2023-04-12T01:05:01Z") == []
    assert await hours.until(scheduler, "2023-04-12T02:04:59Z") == [Call(TASK)]
    scheduler.scheduler.close()


def test_metrics_are_served_unless_they_are_off(clock: ManualClock) -> None:
    scheduler, without = Scheduler(clock=clock), Scheduler(clock=clock, metrics_enabled=False)
    address = f"http://127.0.0.1:{scheduler.serve_metrics(port=0).port}/metrics"
    with urlopen(address, timeout=10) as answer:
        assert b"advanced_scheduler_build_info" in answer.read()
    with pytest.raises(SchedulerStateError, match="metrics_enabled=False"):
        without.serve_metrics(port=0)
    scheduler.scheduler.close()
    without.scheduler.close()


@pytest.mark.parametrize(
    "option",
    [
        {"timezone": "Mars/Olympus"},
        {"check_interval": 0},
        {"check_interval": "soon"},
        {"lock_timeout": -1},
        {"lock_timeout": float("nan")},
        {"missed_threshold": -1},
        {"missed_schedule_handling": "ignore"},
        {"max_missed_schedules": 0},
        {"queue_name": 7},
        {"storage": "schedules.db"},
    ],
)
def test_a_setting_that_cannot_work_is_named(option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    shown = {"storage": "store", "queue_name": "queue"}.get(name, name)
    with pytest.raises(ValueError, match=f"{shown}=.*{str(value)[:4]}"):
        Scheduler(**option)


async def test_saying_a_schedule_again_leaves_alone_what_it_does_not_say(
    scheduler: Scheduler,
) -> None:
    schedule_id = scheduler.schedule(TASK, HOURLY)
    edited = await scheduler.update_schedule(schedule_id, queue="other", misfire="skip")
    assert scheduler.schedule(TASK, HOURLY) == schedule_id
    assert await scheduler.get_schedule(schedule_id) == edited


def test_a_scheduler_that_is_given_keeps_its_own_settings(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="has its own check_interval"):
        Scheduler(scheduler=AdvancedTaskScheduler(clock=clock), check_interval=5)


# --- Of a schedule --------------------------------------------------------------------------


async def test_a_schedule_with_every_option_of_the_document(
    scheduler: Scheduler, hours: Hours, tasks: Application
) -> None:
    schedule_id = scheduler.schedule(
        task="reports.generate_report",
        schedule=CronSchedule("0 9 * * 1-5"),
        args=["daily", "pdf"],
        kwargs={"detailed": True},
        queue="reports",
        priority="high",
        start_date=datetime(2023, 4, 1),  # noqa: DTZ001  # in the zone of the schedule
        end_date=datetime(2023, 12, 31),  # noqa: DTZ001
        timezone="America/New_York",
        max_retries=3,
        retry_delay=60,
        tags=["report", "daily"],
        metadata={"department": "finance"},
        timeout=300,
        unique=True,
        name="daily-finance-report",
    )
    assert schedule_id.lint == []
    times = await scheduler.get_next_run_times(schedule_id, count=1000)
    assert (times[0], times[-1]) == ("2023-04-12T13:00:00Z", "2023-12-29T14:00:00Z")
    attempts = iter([ValueError, ValueError])

    def fail_twice() -> None:
        for error in attempts:
            raise error

    tasks.bodies[TASK] = fail_twice
    called = Call(TASK, ("daily", "pdf"), {"detailed": True})
    assert await hours.until(scheduler, "2023-04-12T13:00:00Z") == [called]
    assert await hours.passing(scheduler, seconds=59) == []
    assert await hours.passing(scheduler, seconds=1) == [called]
    assert await hours.passing(scheduler, seconds=60) == [called]
    (row,) = executions(scheduler, schedule_id)
    assert (row.status, row.queue, row.priority) == (TaskStatus.COMPLETED, "reports", 1)
    assert (row.tags, row.timeout) == (("report", "daily"), 300)
    assert row.extras["metadata"] == {"department": "finance"}
    assert (await scheduler.get_schedule_by_name("daily-finance-report")).schedule_id == schedule_id
    with pytest.raises(ScheduleExists, match="daily-finance-report"):
        scheduler.schedule("maintenance.cleanup", HOURLY, name="daily-finance-report")
    scheduler.schedule("maintenance.cleanup", HOURLY, name="daily-finance-report", replace=True)
    assert (await scheduler.get_schedule(schedule_id)).task_id == "maintenance.cleanup"


async def test_the_last_retry_is_the_last(
    scheduler: Scheduler, hours: Hours, tasks: Application
) -> None:
    tasks.bodies[TASK] = lambda: 1 / 0
    end = START + timedelta(hours=1, minutes=30)
    schedule_id = scheduler.schedule(TASK, HOURLY, max_retries=1, retry_delay=30, end_date=end)
    ran = [len(await hours.passing(scheduler, seconds=each)) for each in (3600, 29, 1, 60, 3600)]
    assert ran == [1, 0, 1, 0, 0]
    assert executions(scheduler, schedule_id)[0].status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("options", "outcomes"),
    [
        ({}, ["fired", "fired", "fired"]),
        ({"unique": False}, ["fired", "fired", "fired"]),
        ({"unique": True}, ["fired", "fired", "overlap"]),
        ({"unique": "queued"}, ["fired", "overlap", "overlap"]),
        ({"overlap": "skip"}, ["fired", "overlap", "overlap"]),
        ({"overlap": OverlapPolicy.QUEUE_ALL}, ["fired", "fired", "fired"]),
    ],
)
async def test_one_instance_runs_at_a_time_and_as_many_wait_as_asked(
    tasks: Application,
    hours: Hours,
    clock: ManualClock,
    options: dict[str, Any],
    outcomes: list[str],
) -> None:
    shared, begun, go_on = MemoryStore(), asyncio.Event(), asyncio.Event()
    busy, idle = (made(tasks, clock, storage=shared, lock_timeout=86400) for _ in range(2))

    async def hang() -> None:
        begun.set()
        await go_on.wait()

    tasks.bodies[TASK] = hang
    schedule_id = busy.schedule(TASK, HOURLY, **options)
    idle.scheduler.queues = frozenset({"another"})  # it fires, and runs nothing
    start = clock.now()
    clock.advance(hours=1)
    running = asyncio.create_task(busy.scheduler.run_due())
    await begun.wait()
    for _ in range(2):
        await hours.passing(idle, hours=1)
    ledger = busy.scheduler.audit(schedule_id, start, clock.now() + timedelta(seconds=1))
    assert [tick.outcome for tick in ledger.ticks] == [TickOutcome(one) for one in outcomes]
    waiting = [row for row in executions(busy, schedule_id) if row.blocked_by]
    assert bool(waiting) == (options.get("unique") is True or options.get("overlap") == "queue_all")
    go_on.set()
    await running
    busy.scheduler.close()
    idle.scheduler.close()


async def test_a_schedule_ends_after_max_runs(scheduler: Scheduler, hours: Hours) -> None:
    scheduler.schedule(TASK, HOURLY, max_runs=2)
    ran = [len(await hours.passing(scheduler, hours=1)) for _ in range(4)]
    assert ran == [1, 1, 0, 0]


async def test_a_schedule_pauses_itself_after_so_many_failures(
    scheduler: Scheduler, hours: Hours, tasks: Application
) -> None:
    tasks.bodies[TASK] = lambda: 1 / 0
    schedule_id = scheduler.schedule(TASK, HOURLY, pause_on_failure=2, max_retries=0)
    ran = [len(await hours.passing(scheduler, hours=1)) for _ in range(4)]
    assert ran == [1, 1, 0, 0]
    assert "2 failures in a row" in str((await scheduler.get_schedule(schedule_id)).changelog)


async def test_a_misfire_policy_of_its_own_goes_first(
    tasks: Application, hours: Hours, clock: ManualClock
) -> None:
    scheduler = made(tasks, clock, missed_schedule_handling="trigger")
    scheduler.schedule(TASK, HOURLY, misfire="skip", name="skips")
    scheduler.schedule("maintenance.cleanup", HOURLY)
    await hours.until(scheduler, "2023-04-12T04:50:00Z")
    assert tasks.ran == ["maintenance.cleanup"] * 4
    scheduler.scheduler.close()


async def test_jitter_is_stable_and_differs_between_schedules(
    scheduler: Scheduler, tasks: Application, clock: ManualClock
) -> None:
    def times_of(one: Scheduler) -> list[list[datetime]]:
        ids = [one.schedule(TASK, HOURLY, args=[n], jitter=600) for n in range(3)]
        return [[run.instant for run in one.scheduler.next_runs(at, 3)] for at in ids]

    times = times_of(scheduler)
    again = made(tasks, clock)
    assert times_of(again) == times
    again.scheduler.close()
    delays = [run.minute * 60 + run.second for runs in times for run in runs]
    assert len(set(delays)) == 9
    assert all(0 <= delay < 600 for delay in delays)
    ((first, *_), *_) = times
    changed = scheduler.schedule(TASK, HOURLY, args=["once"])
    await scheduler.update_schedule(changed, jitter=600)
    (moved,) = scheduler.scheduler.next_runs(changed, 1)
    assert moved.instant not in (first, datetime(2023, 4, 12, 1, tzinfo=UTC))


# --- Clock changes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "spring", "autumn"),
    [
        ({}, ["2024-03-31T01:00:00Z"], ["2023-10-29T00:30:00Z"]),
        ({"gap": "skip"}, ["2024-04-01T00:30:00Z"], ["2023-10-29T00:30:00Z"]),
        ({"fold": "second"}, ["2024-03-31T01:00:00Z"], ["2023-10-29T01:30:00Z"]),
        (
            {"fold": "both"},
            ["2024-03-31T01:00:00Z"],
            ["2023-10-29T00:30:00Z", "2023-10-29T01:30:00Z"],
        ),
    ],
)
@pytest.mark.parametrize(
    "schedule", [NIGHTLY, CronSchedule("30 2 * * *"), WeeklySchedule(["sun", "mon"], "02:30")]
)
async def test_a_schedule_says_and_does_what_is_asked_at_a_clock_change(
    scheduler: Scheduler,
    schedule: object,
    options: dict[str, Any],
    spring: list[str],
    autumn: list[str],
) -> None:
    schedule_id = scheduler.schedule(TASK, schedule, timezone="Europe/Berlin", **options)
    assert len(schedule_id.lint) == 4
    assert "2023-10-29 02:30 happens twice" in schedule_id.lint[0]
    assert "2024-03-31 02:30 does not exist" in schedule_id.lint[1]
    times = await scheduler.get_next_run_times(schedule_id, 400)
    assert [one for one in times if one.startswith("2023-10-29")] == autumn
    assert [one for one in times if one >= "2024-03-31"][: len(spring)] == spring
    runs = scheduler.scheduler.next_runs(
        schedule_id, len([one for one in times if one < "2024-05"])
    )
    assert len([run for run in runs if run.note]) == len(autumn) + 1


# --- Schedules of other kinds ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        (ForeignInterval(hours=2, start_date=START), "2023-04-12T00:00:01Z"),
        (ForeignCron(hour=5, timezone="UTC"), "2023-04-12T05:00:00Z"),
        (ForeignOr([ForeignCron(hour=h, timezone="UTC") for h in (7, 6)]), "2023-04-12T06:00:00Z"),
        (CronTrigger("0 9 * * *", timezone="Asia/Tokyo"), "2023-04-13T00:00:00Z"),
        (OrTrigger([CronTrigger("0 9 * * *"), IntervalTrigger(3600)]), "2023-04-12T01:00:00Z"),
        (AndTrigger([CronTrigger("0 * 13 * *"), CronTrigger("0 8 * * 5")]), "2023-10-13T08:00:00Z"),
    ],
)
async def test_any_trigger_will_do(scheduler: Scheduler, schedule: object, first: str) -> None:
    schedule_id = scheduler.schedule(TASK, schedule)
    assert await scheduler.get_next_run_times(schedule_id, 1) == [first]
