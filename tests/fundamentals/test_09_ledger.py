"""Why did it not run?  Every instant of a schedule is accounted for, and anybody can ask."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    ScheduleNotFound,
    TaskDefinition,
    TickOutcome,
    VersionConflict,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def scheduler(clock: ManualClock) -> AdvancedTaskScheduler:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("note", "Note", list))
    return scheduler


def test_explain_says_in_words_what_became_of_an_instant(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    start = clock.now()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * *")
    assert scheduler.explain(schedule_id, start).reason.startswith("due, and not fired yet")
    asyncio.run(scheduler.run_due())
    ran = scheduler.explain(schedule_id, start)
    assert ran.outcome is TickOutcome.FIRED
    assert ran.reason == f"execution {ran.execution_id} completed"
    assert scheduler.explain(schedule_id, start + MINUTE).reason == "still to come"
    with pytest.raises(ScheduleNotFound):
        scheduler.explain("unknown", start)


def test_audit_lists_every_instant_of_a_stretch_and_what_is_missing(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    start = clock.now()
    schedule_id = scheduler.schedule_cron_task(
        "note", "* * * * *", misfire="run_all", max_catch_up=2
    )
    clock.advance(minutes=3)
    asyncio.run(scheduler.run_due())
    audit = scheduler.audit(schedule_id, start, start + 60 * MINUTE)
    assert [(tick.instant - start, tick.outcome) for tick in audit.ticks] == [
        (0 * MINUTE, TickOutcome.MISFIRED),
        (1 * MINUTE, TickOutcome.MISFIRED),
        (2 * MINUTE, TickOutcome.FIRED),
        (3 * MINUTE, TickOutcome.FIRED),
    ]
    assert "beyond the 2 instants that are caught up" in audit.ticks[0].reason
    assert audit.missing == []


def test_a_paused_schedule_fires_nothing_and_says_so_afterwards(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    start = clock.now()
    schedule_id = scheduler.schedule_cron_task("note", "* * * * *")
    scheduler.pause_schedule(schedule_id)
    clock.advance(minutes=1, seconds=30)
    assert asyncio.run(scheduler.run_due()) == 0
    scheduler.resume_schedule(schedule_id)
    clock.advance(seconds=30)
    assert asyncio.run(scheduler.run_due()) == 1
    outcomes = [tick.outcome for tick in scheduler.audit(schedule_id, start, clock.now()).ticks]
    assert outcomes == [TickOutcome.PAUSED, TickOutcome.PAUSED]


def test_an_edit_is_refused_if_somebody_else_was_faster(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.schedule_cron_task("note", "0 9 * * *")
    (seen,) = scheduler.get_schedules()
    scheduler.update_schedule(schedule_id, cron_expression="0 10 * * *", version=seen.version)
    with pytest.raises(VersionConflict, match="has version 2"):
        scheduler.update_schedule(schedule_id, overlap="skip", version=seen.version)
    (edited,) = scheduler.get_schedules()
    assert edited.next_fire_time == clock.now() + timedelta(hours=10)


def test_what_a_node_cannot_use_is_kept_and_listed(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("note", "Note", list))
    execution_id = scheduler.schedule_task("note")
    scheduler.unregister_task("note")  # as in a build that has lost it
    assert asyncio.run(scheduler.run_due()) == 0
    (parked,) = scheduler.parked()
    assert (parked.kind, parked.id, parked.count) == ("task", "note", 1)
    scheduler.register_task(TaskDefinition("note", "Note", list))
    assert scheduler.parked() == []
    asyncio.run(scheduler.run_due())
    assert scheduler.wait_for_task(execution_id, timeout=5) == []
