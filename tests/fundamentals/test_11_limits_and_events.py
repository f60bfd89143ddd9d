"""What ends, delays and starts runs: limits, events, results of others, queues, process pools."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    CronTrigger,
    EventTrigger,
    IntervalTrigger,
    ManualClock,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskDefinition,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    TickOutcome,
    result_of,
)
from tests.support.waiting import eventually

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)  # where the clock stands at first
MINUTE = timedelta(minutes=1)
MINUTELY = IntervalTrigger(MINUTE, start_time=MIDNIGHT + MINUTE)


@pytest.fixture
def scheduler(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    scheduler = AdvancedTaskScheduler(clock=clock)
    scheduler.register_task(TaskDefinition("note", "Note", list))
    yield scheduler
    scheduler.close()


def run(scheduler: AdvancedTaskScheduler) -> int:
    return asyncio.run(scheduler.run_due())


def minute(scheduler: AdvancedTaskScheduler, clock: ManualClock) -> int:
    """Let a minute pass; answers how many executions ran at its end."""
    clock.advance(MINUTE)
    return run(scheduler)


def row_of(scheduler: AdvancedTaskScheduler, execution_id: str) -> TaskExecution:
    row = scheduler.get_execution(execution_id)
    assert row is not None
    return row


def outcomes(scheduler: AdvancedTaskScheduler, schedule_id: str) -> list[TickOutcome | None]:
    audit = scheduler.audit(schedule_id, MIDNIGHT, MIDNIGHT + timedelta(hours=1))
    return [tick.outcome for tick in audit.ticks]


# --- Limits ---------------------------------------------------------------------------------


def test_a_schedule_ends_after_so_many_runs(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = scheduler.create_schedule("note", MINUTELY, max_runs=2)
    ran = [minute(scheduler, clock) for _ in range(4)]
    assert ran == [1, 1, 0, 0]
    assert scheduler.get_schedule(schedule_id).ended
    assert scheduler.schedule_status(schedule_id).status == "ended"


def test_a_schedule_runs_from_its_start_to_its_end(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    trigger = CronTrigger(
        "* * * * *", start_time=MIDNIGHT + 2 * MINUTE, end_time=MIDNIGHT + 3 * MINUTE
    )
    scheduler.create_schedule("note", trigger)
    ran = [minute(scheduler, clock) for _ in range(4)]
    assert ran == [0, 1, 1, 0]


def test_jitter_delays_an_instant_always_by_as_much(scheduler: AdvancedTaskScheduler) -> None:
    trigger = CronTrigger("0 9 * * *", jitter=600, jitter_seed="one")
    other = CronTrigger("0 9 * * *", jitter=600, jitter_seed="other")
    schedule_id = scheduler.create_schedule("note", trigger)
    instants = [one.instant for one in scheduler.next_runs(schedule_id)]
    assert instants == [one.instant for one in scheduler.next_runs(schedule_id)]
    delays = {(one - one.replace(hour=9, minute=0, second=0, microsecond=0)) for one in instants}
    assert len(delays) == 5
    assert all(timedelta(0) <= one < timedelta(seconds=600) for one in delays)
    assert other.get_next_fire_time(None, MIDNIGHT) != instants[0]


def test_a_schedule_that_fails_again_and_again_pauses_itself(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    def broken() -> None:
        raise OSError("the disk is full")

    schedule_id = scheduler.create_schedule(broken, MINUTELY, pause_on_failure=3)
    ran = [minute(scheduler, clock) for _ in range(5)]
    assert ran == [1, 1, 1, 0, 0]
    schedule = scheduler.get_schedule(schedule_id)
    assert schedule.paused
    assert schedule.changelog is not None
    assert "the disk is full" in schedule.changelog
    scheduler.resume_schedule(schedule_id)
    clock.advance(MINUTE)
    assert run(scheduler) == 1


def test_what_an_execution_may_do_is_said_by_the_schedule(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    def broken() -> None:
        raise OSError("busy")

    schedule_id = scheduler.create_schedule(
        broken,
        MINUTELY,
        priority=TaskPriority.HIGH,
        timeout=30,
        retry=RetryConfig(RetryStrategy.FIXED, max_attempts=1, initial_delay=10, jitter=False),
        tags=["daily"],
        metadata={"department": "finance"},
    )
    clock.advance(MINUTE)
    run(scheduler)
    (row,) = scheduler.executions(schedule_id=schedule_id)
    assert (row.priority, row.timeout, row.tags) == (TaskPriority.HIGH, 30, ("daily",))
    assert row.extras["metadata"] == {"department": "finance"}
    assert (row.status, row.due) == (TaskStatus.RETRYING, clock.now() + timedelta(seconds=10))
    clock.advance(seconds=10)
    run(scheduler)
    assert row_of(scheduler, row.execution_id).status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("overlap", "expected", "left"),
    [
        ("allow", ["fired", "fired", "fired"], 3),
        ("skip", ["fired", "overlap", "overlap"], 1),
        ("queue_one", ["fired", "overlap", "overlap"], 1),
        ("queue_all", ["fired", "fired", "fired"], 3),
        ("cancel_running", ["fired", "fired", "fired"], 1),
    ],
)
def test_the_overlap_policy_says_what_happens_while_one_has_not_ended(
    clock: ManualClock, overlap: str, expected: list[str], left: int
) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock, queues=["elsewhere"])  # so that none begins
    scheduler.register_task(TaskDefinition("note", "Note", list))
    schedule_id = scheduler.create_schedule("note", MINUTELY, overlap=overlap)
    for _ in range(3):
        clock.advance(MINUTE)
        run(scheduler)
    assert outcomes(scheduler, schedule_id) == expected
    assert len(scheduler.executions(schedule_id=schedule_id, statuses=["pending"])) == left
    scheduler.close()


# --- Events ---------------------------------------------------------------------------------


def test_an_event_runs_what_waits_for_it_with_what_it_brings(
    scheduler: AdvancedTaskScheduler,
) -> None:
    orders: list[tuple[int, int]] = []

    def reorder(product_id: int, threshold: int) -> None:
        orders.append((product_id, threshold))

    schedule_id = scheduler.create_schedule(
        reorder, EventTrigger("inventory.low_stock"), kwargs={"threshold": 10}
    )
    assert run(scheduler) == 0  # it waits, whatever the time
    (execution_id,) = scheduler.trigger_event("inventory.low_stock", {"product_id": 123})
    assert row_of(scheduler, execution_id).status is TaskStatus.PENDING  # stored at once
    assert run(scheduler) == 1
    assert orders == [(123, 10)]
    assert scheduler.trigger_event("inventory.full") == []
    (lacking,) = scheduler.trigger_event("inventory.low_stock")
    run(scheduler)
    row = row_of(scheduler, lacking)
    assert row.status is TaskStatus.FAILED
    assert "'product_id'" in str(row.error)
    (found,) = scheduler.find_schedules(event="inventory.low_stock")
    assert found.schedule_id == schedule_id


def test_an_event_passes_a_schedule_that_is_paused(scheduler: AdvancedTaskScheduler) -> None:
    schedule_id = scheduler.create_schedule("note", EventTrigger("low"))
    scheduler.pause_schedule(schedule_id)
    assert scheduler.trigger_event("low") == []
    assert outcomes(scheduler, schedule_id) == [TickOutcome.PAUSED]
    scheduler.resume_schedule(schedule_id)
    assert len(scheduler.trigger_event("low")) == 1


# --- Results of others ----------------------------------------------------------------------


def extract(video: str) -> str:
    return video.replace(".mp4", ".mp3")


def transcribe(audio: str) -> str:
    return audio.replace(".mp3", ".txt")


def test_the_result_of_one_execution_can_be_an_argument_of_another(
    scheduler: AdvancedTaskScheduler,
) -> None:
    audio = scheduler.schedule_task(extract, "video.mp4")
    text = scheduler.schedule_task(transcribe, result_of(audio))  # nothing has run yet
    assert (run(scheduler), run(scheduler)) == (1, 1)
    assert scheduler.result(text) == "video.txt"


def test_what_needs_a_result_that_never_comes_is_skipped(scheduler: AdvancedTaskScheduler) -> None:
    audio = scheduler.schedule_task(extract, None)
    text = scheduler.schedule_task(transcribe, audio=result_of(audio))
    while run(scheduler):
        pass
    assert row_of(scheduler, audio).status is TaskStatus.FAILED
    assert row_of(scheduler, text).status is TaskStatus.SKIPPED


def test_a_callback_is_called_when_an_execution_has_ended(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ended: list[Any] = []

    def bad(row: TaskExecution) -> None:
        raise OSError(row.execution_id)

    execution_id = scheduler.schedule_task(extract, "video.mp4")
    scheduler.on_end(execution_id, bad)  # harms nothing
    scheduler.on_end(execution_id, lambda row: ended.append((row.status, row.result)))
    run(scheduler)
    eventually(lambda: ended)
    assert ended == [(TaskStatus.COMPLETED, "video.mp3")]


# --- Queues, ranks and pools ----------------------------------------------------------------


def test_a_node_serves_the_queues_that_it_is_told_to(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock, queues=["reports"])
    scheduler.register_task(TaskDefinition("note", "Note", list))
    report = scheduler.schedule_task("note", options=ScheduleOptions(queue="reports"))
    other = scheduler.schedule_task("note")
    scheduler.create_schedule("note", MINUTELY, queue="reports")
    clock.advance(MINUTE)
    assert run(scheduler) == 2
    assert row_of(scheduler, report).status is TaskStatus.COMPLETED
    assert row_of(scheduler, other).status is TaskStatus.PENDING
    assert [one.execution_id for one in scheduler.executions(queue="default")] == [other]
    scheduler.close()


def test_of_equal_priority_the_higher_rank_goes_first(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(max_concurrent_tasks=1, clock=clock)
    order: list[int] = []
    for rank in (1, 10, 5):
        scheduler.schedule_task(order.append, rank, options=ScheduleOptions(rank=rank))
    while run(scheduler):
        pass
    assert order == [10, 5, 1]
    scheduler.close()


def test_a_pool_runs_calls_in_processes_of_its_own(scheduler: AdvancedTaskScheduler) -> None:
    pool = scheduler.add_process_pool(max_workers=2)
    there = ScheduleOptions(executor=pool)
    product = scheduler.schedule_task(math.factorial, 20, options=there)
    process = scheduler.schedule_task(os.getpid, options=there)
    while run(scheduler):
        pass
    assert scheduler.result(product) == math.factorial(20)
    assert scheduler.result(process) != os.getpid()


def test_a_process_that_dies_fails_its_execution_and_nothing_else(
    scheduler: AdvancedTaskScheduler,
) -> None:
    there = ScheduleOptions(executor=scheduler.add_process_pool(max_workers=1, name="fragile"))
    dead = scheduler.schedule_task(os._exit, 3, options=there)
    alive = scheduler.schedule_task(math.sqrt, 9.0, options=there)
    while run(scheduler):
        pass
    assert row_of(scheduler, dead).status is TaskStatus.FAILED
    assert "3" in (row_of(scheduler, dead).error or "")
    assert scheduler.result(alive) == 3.0
