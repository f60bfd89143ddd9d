"""Schedules: a trigger, a task, and a ledger in which every due instant has one row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, TaskDefinition, TickOutcome


@pytest.fixture
def runs() -> list[int]:
    return []


@pytest.fixture
def scheduler(clock: ManualClock, runs: list[int]) -> AdvancedTaskScheduler:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("note", "Note", runs.append, args=(1,)))
    return scheduler


def test_a_cron_task_runs_at_its_instants(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, runs: list[int]
) -> None:
    scheduler.schedule_cron_task("note", "15 * * * *")
    asyncio.run(scheduler.run_due())
    assert runs == []
    clock.advance(minutes=15)
    asyncio.run(scheduler.run_due())
    assert len(runs) == 1
    clock.advance(minutes=59)
    asyncio.run(scheduler.run_due())
    assert len(runs) == 1
    clock.advance(minutes=1)
    asyncio.run(scheduler.run_due())
    assert len(runs) == 2


def test_the_time_zone_of_a_schedule_is_its_own(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.schedule_cron_task("note", "0 9 * * *", timezone="Asia/Tokyo")
    (schedule,) = scheduler.get_schedules()
    assert schedule.schedule_id == schedule_id
    assert schedule.next_fire_time == datetime(2030, 1, 1, 0, tzinfo=UTC)  # nine in Tokyo


def test_instants_that_were_missed_run_once_and_are_all_accounted_for(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, runs: list[int]
) -> None:
    schedule_id = scheduler.schedule_cron_task("note", "* * * * *")
    start = clock.now()
    clock.advance(hours=1)
    asyncio.run(scheduler.run_due())
    assert len(runs) == 1
    ledger = scheduler.store.ticks(schedule_id, start, start + timedelta(hours=2))
    outcomes = [tick.outcome for tick in ledger]
    # The clock stood at an instant of the schedule when it was made: that one counts as well.
    assert len(outcomes) == 61
    assert set(outcomes[:-1]) == {TickOutcome.COALESCED}
    assert outcomes[-1] is TickOutcome.FIRED
    assert all(tick.reason for tick in ledger[:-1])


def test_saying_it_again_after_a_restart_makes_no_second_schedule(
    clock: ManualClock, tmp_path: Path
) -> None:
    ids = []
    for _ in range(2):
        scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db", clock=clock)
        scheduler.register_task(TaskDefinition("len", "Len", len, args=([],)))
        ids.append(scheduler.schedule_cron_task("len", "0 3 * * *"))
        assert len(scheduler.get_schedules()) == 1
        scheduler.close()
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("text", "field", "token"),
    [
        ("61 * * * *", "minute", "61"),
        ("* * * * FOO", "day-of-week", "FOO"),
        ("0 0 31 2 *", "", "31"),
    ],
)
def test_a_bad_cron_text_is_refused_with_field_and_token(
    scheduler: AdvancedTaskScheduler, text: str, field: str, token: str
) -> None:
    with pytest.raises(ValueError, match="Invalid cron expression") as refused:
        scheduler.schedule_cron_task("note", text)
    assert token in str(refused.value)
    assert field in str(refused.value)
    assert scheduler.get_schedules() == []


def test_a_removed_schedule_fires_no_more(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, runs: list[int]
) -> None:
    schedule_id = scheduler.schedule_cron_task("note", "15 * * * *")
    assert scheduler.remove_schedule(schedule_id)
    assert not scheduler.remove_schedule(schedule_id)
    clock.advance(hours=2)
    asyncio.run(scheduler.run_due())
    assert runs == []


def test_the_real_timer_fires_by_itself() -> None:
    scheduler = AdvancedTaskScheduler()
    ticked: list[object] = []
    scheduler.events.subscribe(lambda event: ticked.append(event.data.get("tick")))
    scheduler.register_task(TaskDefinition("len", "Len", len, args=([],)))
    scheduler.schedule_cron_task("len", "* * * * * *")
    with scheduler.running():
        from tests.support.waiting import eventually

        eventually(lambda: scheduler.health_monitor.metrics["tasks_succeeded"] >= 2)
        assert scheduler.apscheduler.running
    assert any(ticked)
    scheduler.close()
