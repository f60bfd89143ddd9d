"""Heavy work runs in processes of its own: as many at once as its pool has."""

from __future__ import annotations

import asyncio
import os

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, ScheduleOptions


def where() -> int:
    return os.getpid()


def crashes() -> None:
    os._exit(1)


def test_a_crash_in_a_pool_is_the_end_of_one_execution_alone(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    pool = ScheduleOptions(executor=scheduler.add_process_pool(max_workers=1))
    dead = scheduler.schedule_task(crashes, options=pool)
    alive = [scheduler.schedule_task(where, options=pool) for _ in range(3)]
    asyncio.run(scheduler.run_due())

    row = scheduler.get_execution(dead)
    assert row is not None
    assert row.status == "failed"
    assert "exited with code 1" in (row.error or "")
    processes = {scheduler.result(execution_id) for execution_id in alive}
    assert len(processes) == 1
    assert os.getpid() not in processes
    scheduler.close()


def test_a_pool_that_does_not_exist_is_refused(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    with pytest.raises(ValueError, match="executor='crunch' is unknown; there are thread, process"):
        scheduler.schedule_task(where, options=ScheduleOptions(executor="crunch"))
    assert scheduler.task_queue.is_empty()
