"""Document 002, the schedules and what is done with them: every block does what its text says."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from advanced_scheduler import ManualClock, ScheduleNotFound, TaskFailed, VersionConflict
from advanced_scheduler.adapters.schedules import (
    CronSchedule,
    DailySchedule,
    EventTrigger,
    IntervalSchedule,
    MonthlySchedule,
    OneTimeSchedule,
    Scheduler,
    ScheduleTemplate,
    WeeklySchedule,
)
from advanced_scheduler.models import TaskPriority
from tests.requirements.document_002 import START, Application, Call, Hours, executions
from tests.support.waiting import eventually, eventually_async


@pytest.fixture
def scheduler(timetable: Scheduler) -> Scheduler:
    return timetable


# --- Schedule types -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "schedule", "instants"),
    [
        (
            "maintenance.clean_old_data",
            CronSchedule("30 2 * * *"),
            ["2023-04-12T02:30:00Z", "2023-04-13T02:30:00Z", "2023-04-14T02:30:00Z"],
        ),
        (
            "monitor.check_system_health",
            IntervalSchedule(timedelta(minutes=5)),
            ["2023-04-12T00:05:00Z", "2023-04-12T00:10:00Z", "2023-04-12T00:15:00Z"],
        ),
        (
            "reports.generate_status_report",
            DailySchedule(["09:00", "13:00", "17:00"]),
            [f"2023-04-{day}T{hour}:00:00Z" for day in (12, 13) for hour in ("09", "13", "17")],
        ),
        (
            "reports.generate_weekly_report",
            WeeklySchedule(days=["monday", "thursday"], time="10:00"),
            ["2023-04-13T10:00:00Z", "2023-04-17T10:00:00Z", "2023-04-20T10:00:00Z"],
        ),
        (
            "accounting.process_invoices",
            MonthlySchedule(days=[1, 15], time="12:00"),
            ["2023-04-15T12:00:00Z", "2023-05-01T12:00:00Z", "2023-05-15T12:00:00Z"],
        ),
        (
            "accounting.process_invoices",
            MonthlySchedule(days=[31], time="12:00"),
            ["2023-05-31T12:00:00Z", "2023-07-31T12:00:00Z", "2023-08-31T12:00:00Z"],
        ),
        (
            "accounting.process_invoices",
            MonthlySchedule(days=[31], time="12:00", short="last"),
            ["2023-04-30T12:00:00Z", "2023-05-31T12:00:00Z", "2023-06-30T12:00:00Z"],
        ),
    ],
)
async def test_a_schedule_runs_at_its_times_and_at_no_other(
    scheduler: Scheduler, hours: Hours, task: str, schedule: object, instants: list[str]
) -> None:
    schedule_id = scheduler.schedule(task=task, schedule=schedule)
    assert await scheduler.get_next_run_times(schedule_id, count=len(instants)) == instants
    for instant in instants:
        at = datetime.fromisoformat(instant)
        assert await hours.until(scheduler, at - timedelta(seconds=1)) == []
        assert await hours.until(scheduler, at) == [Call(task)]


async def test_a_one_time_schedule_runs_once(
    scheduler: Scheduler, hours: Hours, clock: ManualClock
) -> None:
    future_time = clock.now() + timedelta(hours=24)
    schedule_id = scheduler.schedule(
        task="notifications.send_reminder", schedule=OneTimeSchedule(future_time)
    )
    assert await hours.passing(scheduler, hours=23) == []
    assert await hours.passing(scheduler, hours=1) == [Call("notifications.send_reminder")]
    assert await hours.passing(scheduler, days=365) == []
    assert (await scheduler.get_schedule_status(schedule_id))["status"] == "ended"


# --- Managing schedules ---------------------------------------------------------------------


async def test_a_schedule_is_added_and_got_by_id_and_by_name(scheduler: Scheduler) -> None:
    schedule_id = await scheduler.schedule(
        task="maintenance.cleanup",
        schedule=CronSchedule("0 0 * * *"),
        name="daily-finance-report",
    )
    schedule = await scheduler.get_schedule(schedule_id)
    assert (schedule.task_id, schedule.name) == ("maintenance.cleanup", "daily-finance-report")
    assert await scheduler.get_schedule_by_name("daily-finance-report") == schedule
    with pytest.raises(ScheduleNotFound, match="nothing"):
        await scheduler.get_schedule("nothing")
    with pytest.raises(ScheduleNotFound, match="nothing"):
        await scheduler.get_schedule_by_name("nothing")


async def test_what_is_updated_runs_by_its_new_settings(scheduler: Scheduler, hours: Hours) -> None:
    schedule_id = await scheduler.schedule(
        task="reports.generate_report",
        schedule=CronSchedule("0 0 * * *"),
        args=["daily", "pdf"],
        kwargs={"detailed": True},
        priority="high",
    )
    await scheduler.update_schedule(
        schedule_id,
        schedule=CronSchedule("0 1 * * *"),
        args=["daily", "html"],
        priority="normal",
    )
    assert await hours.until(scheduler, "2023-04-12T01:00:00Z") == [
        Call("reports.generate_report", ("daily", "html"), {"detailed": True})
    ]
    assert await hours.until(scheduler, "2023-04-13T00:59:59Z") == []
    assert executions(scheduler, schedule_id)[0].priority is TaskPriority.NORMAL


async def test_a_paused_schedule_rests_until_it_is_resumed(
    scheduler: Scheduler, hours: Hours
) -> None:
    schedule_id = scheduler.schedule("maintenance.cleanup", DailySchedule(["09:00"]))
    await scheduler.pause_schedule(schedule_id)
    assert await hours.passing(scheduler, days=2) == []
    await scheduler.resume_schedule(schedule_id)
    assert await hours.passing(scheduler, seconds=1) == []
    assert len(await hours.passing(scheduler, days=1)) == 1


async def test_resuming_may_catch_up(scheduler: Scheduler, hours: Hours) -> None:
    schedule_id = scheduler.schedule("maintenance.cleanup", DailySchedule(["09:00"]))
    await scheduler.pause_schedule(schedule_id)
    await hours.passing(scheduler, days=2)
    await scheduler.resume_schedule(schedule_id, catch_up=True)
    assert len(await hours.passing(scheduler, seconds=1)) == 1


async def test_a_deleted_schedule_is_gone(scheduler: Scheduler, hours: Hours) -> None:
    schedule_id = scheduler.schedule("maintenance.cleanup", DailySchedule(["09:00"]))
    assert await scheduler.delete_schedule(schedule_id)
    assert not await scheduler.delete_schedule(schedule_id)
    assert await hours.passing(scheduler, days=2) == []
    assert await scheduler.list_schedules() == []


async def test_schedules_are_listed_by_status_and_tags(scheduler: Scheduler) -> None:
    daily = CronSchedule("0 9 * * *")
    report = scheduler.schedule("reports.generate_report", daily, tags=["report", "daily"])
    resting = scheduler.schedule("maintenance.cleanup", daily, tags=["report"])
    other = scheduler.schedule("maintenance.clean_old_data", daily)
    await scheduler.pause_schedule(resting)
    schedules = await scheduler.list_schedules()
    assert {one.schedule_id for one in schedules} == {report, resting, other}
    (found,) = await scheduler.list_schedules(status="active", tags=["report"])
    assert found.schedule_id == report
    (paused,) = await scheduler.list_schedules(status="paused")
    assert paused.schedule_id == resting
    with pytest.raises(ValueError, match="status='asleep' must be one of active, paused, ended"):
        await scheduler.list_schedules(status="asleep")  # type: ignore[arg-type]


# --- Lifecycle ------------------------------------------------------------------------------


async def test_a_scheduler_starts_pauses_resumes_and_shuts_down(tasks: Application) -> None:
    scheduler = Scheduler()
    tasks.join(scheduler.scheduler)
    schedule_id = scheduler.schedule("maintenance.cleanup", CronSchedule("* * * * * *"))
    await scheduler.start()
    await eventually_async(lambda: tasks.ran)
    await scheduler.pause()
    assert (await scheduler.get_schedule(schedule_id)).paused
    tasks.calls.clear()
    await scheduler.resume()
    await eventually_async(lambda: tasks.ran)
    await scheduler.shutdown()
    assert not scheduler.scheduler.running_tasks


async def test_a_scheduler_runs_within_a_block(tasks: Application) -> None:
    async with Scheduler() as scheduler:
        tasks.join(scheduler.scheduler)
        scheduler.schedule("maintenance.cleanup", EventTrigger("now"))
        await scheduler.trigger_event("now")
        await eventually_async(lambda: tasks.ran)


async def test_what_was_paused_alone_stays_so_when_all_are_resumed(scheduler: Scheduler) -> None:
    daily = CronSchedule("0 9 * * *")
    alone = scheduler.schedule("maintenance.cleanup", daily)
    others = [scheduler.schedule("reports.generate_report", daily, args=[n]) for n in range(2)]
    await scheduler.pause_schedule(alone)
    await scheduler.pause()
    await scheduler.update_schedule(others[1], tags=["edited"])
    again = Scheduler(scheduler=scheduler.scheduler)  # as after a restart
    assert await again.list_schedules("active") == []
    await again.resume()
    assert {one.schedule_id for one in await again.list_schedules("active")} == {*others}
    (still,) = await again.list_schedules("paused")
    assert still.schedule_id == alone


# --- Immediate execution --------------------------------------------------------------------


async def test_a_schedule_is_triggered_now_with_its_own_arguments_or_others(
    scheduler: Scheduler, hours: Hours
) -> None:
    schedule_id = scheduler.schedule(
        "reports.generate_report", CronSchedule("0 9 * * *"), args=["daily"], kwargs={"n": 1}
    )
    await scheduler.trigger_now(schedule_id)
    assert await hours.passing(scheduler) == [Call("reports.generate_report", ("daily",), {"n": 1})]
    execution_id = await scheduler.trigger_now(
        schedule_id, args=["special-report"], kwargs={"urgent": True}
    )
    assert await hours.passing(scheduler, seconds=1) == [
        Call("reports.generate_report", ("special-report",), {"n": 1, "urgent": True})
    ]
    assert executions(scheduler, schedule_id)[0].execution_id == execution_id
    assert (await scheduler.get_next_run_times(schedule_id, 1)) == ["2023-04-12T09:00:00Z"]


# --- Observability --------------------------------------------------------------------------


async def test_the_status_of_a_schedule_tells_how_it_is_doing(
    scheduler: Scheduler, hours: Hours, tasks: Application, clock: ManualClock
) -> None:
    schedule_id = scheduler.schedule(
        "reports.generate_report", CronSchedule("0 9 * * *"), name="daily-finance-report"
    )
    tasks.bodies["reports.generate_report"] = lambda: clock.advance(seconds=20)
    await hours.until(scheduler, "2023-04-12T09:00:00Z")
    tasks.bodies["reports.generate_report"] = lambda: 1 / 0
    await hours.until(scheduler, "2023-04-13T09:00:00Z")
    assert await scheduler.get_schedule_status(schedule_id) == {
        "name": "daily-finance-report",
        "status": "active",
        "last_run": "2023-04-13T09:00:00Z",
        "last_result": "error",
        "next_run": "2023-04-14T09:00:00Z",
        "run_count": 2,
        "success_count": 1,
        "error_count": 1,
        "average_duration": 10.0,
    }


async def test_the_statistics_tell_how_all_schedules_are_doing(
    scheduler: Scheduler, hours: Hours
) -> None:
    active, paused = (
        scheduler.schedule(task, DailySchedule(["09:00"]))
        for task in ("maintenance.cleanup", "maintenance.clean_old_data")
    )
    await scheduler.pause_schedule(paused)
    for day in ("2023-04-12", "2023-04-13", "2023-04-16"):
        await hours.until(scheduler, f"{day}T09:00:00Z")
    assert active
    assert await scheduler.get_statistics() == {
        "schedules_total": 2,
        "schedules_active": 1,
        "schedules_paused": 1,
        "jobs_triggered_total": 3,
        "jobs_triggered_last_24h": 1,
        "success_rate": 1.0,
        "scheduler_uptime": 4 * 86400 + 9 * 3600 - 1,
        "missed_schedules": 2,
    }


# --- Error handling -------------------------------------------------------------------------


async def test_error_handlers_are_told_of_every_execution_that_fails(
    scheduler: Scheduler, hours: Hours, tasks: Application
) -> None:
    told: list[tuple[str, Exception]] = []

    @scheduler.on_schedule_error
    def careless(schedule_id: str, exception: Exception) -> None:
        raise RuntimeError("a handler that fails harms nothing")

    @scheduler.on_schedule_error
    async def handle_schedule_error(schedule_id: str, exception: Exception) -> None:
        told.append((schedule_id, exception))

    tasks.bodies["maintenance.cleanup"] = lambda: 1 / 0
    failing = scheduler.schedule("maintenance.cleanup", DailySchedule(["09:00"]))
    scheduler.schedule("maintenance.clean_old_data", DailySchedule(["09:00"]))
    scheduler.scheduler.schedule_task("maintenance.cleanup")  # of no schedule
    await hours.passing(scheduler, days=1)
    eventually(lambda: told)
    ((schedule_id, exception),) = told
    assert schedule_id == failing
    assert isinstance(exception, TaskFailed)
    assert "division by zero" in str(exception)
    assert await hours.passing(scheduler, days=1) != []


# --- Advanced features ----------------------------------------------------------------------


async def test_a_template_gives_what_is_not_said(scheduler: Scheduler, hours: Hours) -> None:
    daily_morning_template = ScheduleTemplate(
        schedule=CronSchedule("0 9 * * *"),
        timezone="America/New_York",
        max_retries=3,
        retry_delay=60,
    )
    schedule_id = scheduler.schedule(
        task="reports.generate_daily_report",
        template=daily_morning_template,
        kwargs={"department": "sales"},
    )
    other = scheduler.schedule(
        "reports.generate_daily_report",
        CronSchedule("0 10 * * *"),
        template=daily_morning_template,
        timezone="UTC",
    )
    assert await scheduler.get_next_run_times(schedule_id, 1) == ["2023-04-12T13:00:00Z"]
    assert await scheduler.get_next_run_times(other, 1) == ["2023-04-12T10:00:00Z"]
    for one in (schedule_id, other):
        retry = (await scheduler.get_schedule(one)).retry
        assert (retry["max_attempts"], retry["initial_delay"]) == (3, 60)
    assert (await scheduler.get_schedule(schedule_id)).kwargs == {"department": "sales"}


async def test_an_event_runs_what_waits_for_it(scheduler: Scheduler, hours: Hours) -> None:
    scheduler.schedule(
        task="inventory.reorder_products",
        schedule=EventTrigger("inventory.low_stock"),
        kwargs={"threshold": 10},
    )
    assert await hours.passing(scheduler, days=30) == []
    await scheduler.trigger_event("inventory.low_stock", {"product_id": 123})
    assert await hours.passing(scheduler) == [
        Call("inventory.reorder_products", (), {"threshold": 10, "product_id": 123})
    ]
    assert await scheduler.trigger_event("inventory.other") == []


async def test_history_is_read_compared_and_rolled_back_to(
    scheduler: Scheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.schedule("maintenance.cleanup", CronSchedule("0 0 * * *"), tags=["a"])
    await scheduler.update_schedule(schedule_id, tags=["b"])
    clock.advance(hours=1)
    await scheduler.update_schedule(
        schedule_id,
        schedule=CronSchedule("0 1 * * *"),
        version=2,
        changelog="Updated schedule to run at 1 AM instead of midnight",
    )
    history = await scheduler.get_schedule_history(schedule_id)
    assert [one.version for one in history] == [1, 2, 3]
    assert [one.changelog for one in history[1:]] == [
        None,
        "Updated schedule to run at 1 AM instead of midnight",
    ]
    assert history[2].changed_time == START + timedelta(hours=1)
    assert history[1].changed_since(history[0]) == {"tags": (("a",), ("b",))}
    assert history[2].changed_since(history[0]).keys() == {"tags", "trigger"}
    await scheduler.rollback_schedule(schedule_id, 1)
    back = (await scheduler.get_schedule_history(schedule_id))[-1]
    assert back.version == 4
    assert back.changed_since(history[0]) == {}
    assert await scheduler.get_next_run_times(schedule_id, 1) == ["2023-04-13T00:00:00Z"]


async def test_an_update_of_a_stale_version_is_refused_and_loses_nothing(
    scheduler: Scheduler,
) -> None:
    schedule_id = scheduler.schedule("maintenance.cleanup", CronSchedule("0 0 * * *"))
    seen = await scheduler.update_schedule(schedule_id, tags=["kept"], version=1)
    with pytest.raises(VersionConflict, match=r"version 2.*version 1"):
        await scheduler.update_schedule(schedule_id, CronSchedule("0 1 * * *"), version=1)
    assert await scheduler.get_schedule(schedule_id) == seen
