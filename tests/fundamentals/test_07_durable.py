"""On SQLite, what was accepted is there after a restart, and goes on at its own due time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, ScheduleOptions, TaskDefinition


def when(moment: datetime, key: UUID) -> str:
    return f"{moment.year} {key.int}"


def opened(tmp_path: Path, clock: ManualClock) -> AdvancedTaskScheduler:
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    scheduler.register_task(TaskDefinition("when", "When", when))
    return scheduler


def test_a_restart_resumes_what_was_waiting(tmp_path: Path, clock: ManualClock) -> None:
    first = opened(tmp_path, clock)
    later = ScheduleOptions(delay=3600)
    execution_id = first.schedule_task("when", clock.now(), UUID(int=5), options=later)
    first.close()

    second = opened(tmp_path, clock)
    clock.advance(minutes=59)
    assert asyncio.run(second.run_due()) == 0
    clock.advance(minutes=1)
    assert asyncio.run(second.run_due()) == 1
    second.close()

    third = opened(tmp_path, clock)
    status = third.get_task_status(execution_id)
    assert status is not None
    assert (status["status"], status["result"]) == ("completed", "2030 5")
    third.close()


def test_arguments_come_back_with_their_types_or_are_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    scheduler = opened(tmp_path, clock)
    with pytest.raises(ValueError, match="moment"):
        scheduler.schedule_task("when", timedelta(1), UUID(int=1))
    assert scheduler.task_queue.is_empty()
    scheduler.close()


def test_a_task_that_is_not_registered_yet_waits_for_its_name(
    tmp_path: Path, clock: ManualClock
) -> None:
    first = opened(tmp_path, clock)
    execution_id = first.schedule_task("when", clock.now(), UUID(int=1))
    first.close()

    second = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    asyncio.run(second.run_due())
    parked = second.get_task_status(execution_id)
    assert parked is not None
    assert parked["status"] == "pending"
    assert "not registered" in parked["reason"]
    second.register_task(TaskDefinition("when", "When", when))
    asyncio.run(second.run_due())
    done = second.get_task_status(execution_id)
    assert done is not None
    assert (done["status"], done["attempt"]) == ("completed", 1)
    second.close()
