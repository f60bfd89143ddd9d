"""The result of one execution can be an argument of another, which then waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, TaskExecution, result_of
from tests.support.waiting import eventually


def fetch(page: int) -> list[int]:
    return [page, page + 1]


def total(numbers: tuple[int, ...], more: list[int]) -> int:
    assert isinstance(numbers, tuple)  # as the annotation says
    return sum(numbers) + sum(more)


def fails() -> list[int]:
    raise RuntimeError("boom")


def run_until_idle(scheduler: AdvancedTaskScheduler) -> None:
    async def main() -> None:
        while await scheduler.run_due():
            pass

    asyncio.run(main())


def test_a_result_is_passed_on(tmp_path: Path, clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    one, two = scheduler.schedule_task(fetch, 1), scheduler.schedule_task(fetch, 10)
    execution_id = scheduler.schedule_task(total, result_of(one), more=result_of(two))
    run_until_idle(scheduler)
    assert scheduler.result(execution_id) == 1 + 2 + 10 + 11
    scheduler.close()


def test_without_the_result_there_is_no_run(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    upstream = scheduler.schedule_task(fails)
    execution_id = scheduler.schedule_task(total, result_of(upstream), [])
    ends: list[TaskExecution] = []
    scheduler.on_end(execution_id, ends.append)
    run_until_idle(scheduler)
    eventually(lambda: ends)
    assert ends[0].status == "skipped"
    scheduler.close()
