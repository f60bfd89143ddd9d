"""A schedule is a trigger, a task and policies: made, edited, rolled back, paused, run by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.interval import IntervalTrigger as ForeignInterval

from advanced_scheduler import (
    AdvancedTaskScheduler,
    AndTrigger,
    CronTrigger,
    DailyTrigger,
    IntervalTrigger,
    ManualClock,
    MonthlyTrigger,
    OneTimeTrigger,
    OrTrigger,
    Placeholder,
    ScheduleExists,
    ScheduleNotFound,
    TaskDefinition,
    TickOutcome,
    TimestampTrigger,
    VersionConflict,
    WeeklyTrigger,
)

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)  # a Tuesday; where the clock stands at first
HOURLY = IntervalTrigger(timedelta(hours=1), start_time=MIDNIGHT + timedelta(hours=1))


@pytest.fixture
def told() -> list[str]:
    """What the task ``tell`` was called with."""
    return []


@pytest.fixture
def scheduler(clock: ManualClock, told: list[str]) -> Iterator[AdvancedTaskScheduler]:
    scheduler = AdvancedTaskScheduler(clock=clock)

    def tell(what: object = "hello", to: str = "all") -> None:
        told.append(f"{what} {to}")

    scheduler.register_task(TaskDefinition("tell", "Tell", tell))
    yield scheduler
    scheduler.close()


def run(scheduler: AdvancedTaskScheduler) -> int:
    return asyncio.run(scheduler.run_due())


# --- When -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "instants"),
    [
        (CronTrigger("15 9 * * MON-FRI"), ["01-01 09:15", "01-02 09:15", "01-03 09:15"]),
        (IntervalTrigger(timedelta(hours=8)), ["01-01 00:00", "01-01 08:00", "01-01 16:00"]),
        (DailyTrigger(["09:00", "13:00"]), ["01-01 09:00", "01-01 13:00", "01-02 09:00"]),
        (WeeklyTrigger(["monday", "thu"], "10:00"), ["01-03 10:00", "01-07 10:00", "01-10 10:00"]),
        (MonthlyTrigger([1, 31], "12:00"), ["01-01 12:00", "01-31 12:00", "02-01 12:00"]),
        (MonthlyTrigger(31, "12:00", short="last"), ["01-31 12:00", "02-28 12:00", "03-31 12:00"]),
        (OneTimeTrigger("2030-06-01 08:00"), ["06-01 08:00"]),
        (TimestampTrigger([0, 60_000]), ["01-01 00:00", "01-01 00:01"]),
        (
            OrTrigger([DailyTrigger("09:00"), WeeklyTrigger("tue", "10:00")]),
            ["01-01 09:00", "01-01 10:00", "01-02 09:00"],
        ),
        (
            AndTrigger([MonthlyTrigger(13, "00:00"), WeeklyTrigger("friday", "00:00")]),
            ["09-13 00:00", "12-13 00:00"],
        ),
        (ForeignInterval(hours=2, start_date=MIDNIGHT), ["01-01 00:00", "01-01 02:00"]),
    ],
    ids=lambda one: None if isinstance(one, list) else type(one).__name__,
)
def test_a_trigger_says_when(
    scheduler: AdvancedTaskScheduler, trigger: object, instants: list[str]
) -> None:
    schedule_id = scheduler.create_schedule("tell", trigger)
    runs = scheduler.next_runs(schedule_id, count=len(instants))
    assert [f"{one.instant:%m-%d %H:%M}" for one in runs] == instants


def test_a_schedule_runs_at_its_instants_and_at_no_other(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    scheduler.create_schedule("tell", DailyTrigger(["09:00", "13:00"]))
    for hour in range(24):
        clock.set(MIDNIGHT + timedelta(hours=hour))
        assert run(scheduler) == (1 if hour in (9, 13) else 0)
    assert len(told) == 2


def test_a_single_run_that_is_late_runs_all_the_same(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    schedule_id = scheduler.create_schedule("tell", OneTimeTrigger(MIDNIGHT - timedelta(days=1)))
    assert run(scheduler) == 1
    assert scheduler.get_schedule(schedule_id).ended


def test_a_time_zone_moves_the_instants_and_clock_changes_are_told_beforehand(
    scheduler: AdvancedTaskScheduler,
) -> None:
    trigger = DailyTrigger("02:30", timezone="Europe/Berlin", start_time="2030-03-30")
    schedule_id = scheduler.create_schedule("tell", trigger)
    before, moved, after = scheduler.next_runs(schedule_id, count=3)
    assert before.instant == datetime(2030, 3, 30, 1, 30, tzinfo=UTC)
    assert moved.instant == datetime(2030, 3, 31, 1, 0, tzinfo=UTC)  # 03:00, right after the jump
    assert (before.note, after.note) == (None, None)
    assert moved.note is not None
    assert "does not exist" in moved.note
    assert moved.note in scheduler.lint_schedule(schedule_id)


def test_a_trigger_of_ones_own_is_any_object_that_tells_the_next_time(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    class EachMinuteButOne:
        def get_next_run_time(self, after_time: float) -> float:
            following = after_time // 60 * 60 + 60
            return following + 60 if following % 3600 == 0 else following

    scheduler.create_schedule("tell", EachMinuteButOne())
    clock.set(MIDNIGHT + timedelta(minutes=59))
    assert run(scheduler) == 1
    clock.advance(minutes=1)
    assert run(scheduler) == 0
    clock.advance(minutes=1)
    assert run(scheduler) == 1


def test_what_cannot_be_is_refused_before_anything_is_stored(
    scheduler: AdvancedTaskScheduler,
) -> None:
    with pytest.raises(ValueError, match="not registered"):
        scheduler.create_schedule("unknown", HOURLY)
    with pytest.raises(ValueError, match="loud"):
        scheduler.create_schedule("tell", HOURLY, kwargs={"loud": True})
    with pytest.raises(ValueError, match="not a time of the day"):
        scheduler.create_schedule("tell", DailyTrigger("25:00"))
    with pytest.raises(ValueError, match="never runs"):
        AndTrigger([DailyTrigger("12:00"), DailyTrigger("13:00")])
    assert scheduler.get_schedules() == []


# --- What -----------------------------------------------------------------------------------


def test_arguments_go_to_the_task(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    scheduler.create_schedule("tell", HOURLY, args=["good morning"], kwargs={"to": "Berlin"})
    clock.advance(hours=1)
    run(scheduler)
    assert told == ["good morning Berlin"]


def test_a_placeholder_becomes_the_number_of_the_timestamp(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    frames = TimestampTrigger([0, 500, 1000])
    scheduler.create_schedule("tell", frames, args=[Placeholder.TICK_INDEX])
    for _ in range(4):
        run(scheduler)
        clock.advance(milliseconds=500)
    assert told == ["0 all", "1 all", "2 all"]


def test_schedules_are_found_by_name_tags_task_and_state(scheduler: AdvancedTaskScheduler) -> None:
    report = scheduler.create_schedule("tell", HOURLY, name="report", tags=["daily", "pdf"])
    other = scheduler.create_schedule("tell", DailyTrigger("09:00"), tags=["daily"])
    scheduler.pause_schedule(other)
    (found,) = scheduler.find_schedules(name="report")
    assert found.schedule_id == report
    assert len(scheduler.find_schedules(tags=["daily"])) == 2
    assert len(scheduler.find_schedules(tags=["daily", "pdf"])) == 1
    assert len(scheduler.find_schedules(task_id="tell", status="paused")) == 1


def test_saying_the_same_again_is_the_same_schedule_and_another_needs_to_be_told_apart(
    scheduler: AdvancedTaskScheduler,
) -> None:
    first = scheduler.create_schedule("tell", HOURLY, name="report")
    assert scheduler.create_schedule("tell", HOURLY, name="report") == first
    with pytest.raises(ScheduleExists, match="report"):
        scheduler.create_schedule("tell", DailyTrigger("09:00"), name="report")
    daily = scheduler.create_schedule("tell", DailyTrigger("09:00"), name="report", replace=True)
    assert daily == first
    assert scheduler.get_schedule(first).version == 2


# --- Edits ----------------------------------------------------------------------------------


def test_an_edit_changes_what_is_named_and_nothing_else(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY, args=["old"], tags=["kept"])
    edited = scheduler.update_schedule(schedule_id, args=["new"], changelog="say it anew")
    assert (edited.version, edited.tags, edited.changelog) == (2, ("kept",), "say it anew")
    clock.advance(hours=1)
    run(scheduler)
    assert told == ["new all"]


def test_an_instant_that_was_due_runs_as_it_was_before_the_edit(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY)
    clock.advance(hours=1, minutes=30)
    scheduler.update_schedule(schedule_id, trigger=DailyTrigger("09:00"))
    assert run(scheduler) == 1
    assert scheduler.explain(schedule_id, MIDNIGHT + timedelta(hours=1)).outcome == "fired"
    assert scheduler.get_schedule(schedule_id).next_fire_time == MIDNIGHT + timedelta(hours=9)


def test_an_edit_from_an_old_version_is_refused(scheduler: AdvancedTaskScheduler) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY)
    scheduler.update_schedule(schedule_id, args=["first"], version=1)
    with pytest.raises(VersionConflict, match=r"version 2.*version 1"):
        scheduler.update_schedule(schedule_id, args=["second"], version=1)
    assert scheduler.get_schedule(schedule_id).args == ("first",)


def test_the_history_can_be_read_and_rolled_back_to(scheduler: AdvancedTaskScheduler) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY, args=["first"])
    scheduler.update_schedule(schedule_id, args=["second"], changelog="shout")
    scheduler.update_schedule(schedule_id, trigger=DailyTrigger("09:00"), changelog="less often")
    history = scheduler.schedule_versions(schedule_id)
    assert [(one.version, one.changelog) for one in history] == [
        (1, None),
        (2, "shout"),
        (3, "less often"),
    ]
    back = scheduler.rollback_schedule(schedule_id, 1)
    assert (back.version, back.args) == (4, ("first",))
    assert back.trigger == HOURLY.to_json()
    with pytest.raises(ScheduleNotFound, match="no version 9"):
        scheduler.rollback_schedule(schedule_id, 9)


# --- By hand, and pauses --------------------------------------------------------------------


def test_a_schedule_can_be_run_by_hand_with_other_arguments(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY, args=["report"], kwargs={"to": "Ann"})
    execution_id = scheduler.run_schedule_now(schedule_id, args=["special report"])
    run(scheduler)
    clock.advance(minutes=1)
    scheduler.run_schedule_now(schedule_id, kwargs={"to": "Bob"})
    run(scheduler)
    assert told == ["special report Ann", "report Bob"]
    row = scheduler.get_execution(execution_id)
    assert row is not None
    assert row.schedule_id == schedule_id
    schedule = scheduler.get_schedule(schedule_id)
    assert (schedule.run_count, schedule.next_fire_time) == (0, MIDNIGHT + timedelta(hours=1))


@pytest.mark.parametrize("catch_up", [False, True])
def test_the_instants_of_a_pause_are_left_out_or_caught_up(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, catch_up: bool
) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY, misfire="run_all")
    scheduler.pause_schedule(schedule_id)
    clock.advance(hours=2, minutes=30)
    assert run(scheduler) == 0
    scheduler.resume_schedule(schedule_id, catch_up=catch_up)
    assert run(scheduler) == (2 if catch_up else 0)
    clock.advance(minutes=30)
    assert run(scheduler) == 1
    ticks = scheduler.audit(schedule_id, MIDNIGHT, MIDNIGHT + timedelta(hours=2.5)).ticks
    expected = TickOutcome.FIRED if catch_up else TickOutcome.PAUSED
    assert [tick.outcome for tick in ticks] == [expected, expected]


def test_the_time_of_timestamps_stops_in_a_pause(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, told: list[str]
) -> None:
    schedule_id = scheduler.create_schedule(
        "tell", TimestampTrigger([0, 1000]), args=[Placeholder.TICK_INDEX]
    )
    run(scheduler)
    clock.advance(milliseconds=600)
    scheduler.pause_schedule(schedule_id)
    clock.advance(hours=1)
    scheduler.resume_schedule(schedule_id)
    clock.advance(milliseconds=399)
    assert run(scheduler) == 0
    clock.advance(milliseconds=1)
    assert run(scheduler) == 1
    assert told == ["0 all", "1 all"]


def test_status_and_statistics_tell_how_schedules_are_doing(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.create_schedule("tell", HOURLY, name="report")
    other = scheduler.create_schedule("tell", DailyTrigger("09:00"))
    scheduler.pause_schedule(other)
    clock.advance(hours=1)
    run(scheduler)
    status = scheduler.schedule_status(schedule_id)
    assert (status.name, status.status, status.last_result) == ("report", "active", "success")
    assert (status.run_count, status.success_count, status.error_count) == (1, 1, 0)
    assert status.last_run == clock.now()
    assert status.next_run == clock.now() + timedelta(hours=1)
    totals = scheduler.schedule_statistics()
    assert (totals.total, totals.active, totals.paused) == (2, 1, 1)
    assert (totals.triggered_total, totals.success_rate, totals.missed) == (1, 1.0, 0)
