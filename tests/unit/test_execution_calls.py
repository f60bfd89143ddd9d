"""Calls on executions: finding them, hearing of their end, and forgetting them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import ConfigurationError, ExecutionNotFound, InvalidArguments
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.models import (
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskExecution,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.waiting import eventually
from tests.unit.engine.kit import add_task, quick, row_of, run, scheduler, status_of

PENDING, COMPLETED, FAILED = TaskStatus.PENDING, TaskStatus.COMPLETED, TaskStatus.FAILED


def fails() -> None:
    raise ValueError("no")


@pytest.fixture
def target(url: str, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    made = scheduler(url, clock=clock)
    add_task(made, int, "zero")
    add_task(made, fails, "fails")
    yield made
    made.close()


def test_executions_are_listed_by_what_they_are_the_newest_first(
    target: AdvancedTaskScheduler,
) -> None:
    gpu = ScheduleOptions(queue="gpu", workflow_id="w")
    one, two = target.schedule_task("zero"), target.schedule_task("fails", options=gpu)
    run(target)
    three = target.schedule_task("zero")

    def ids(**wanted: object) -> list[str]:
        rows = target.executions(**wanted)  # type: ignore[arg-type]
        return [row.execution_id for row in rows]

    assert ids() == [three, two, one]
    assert ids(limit=2) == [three, two]
    assert ids(limit=2, cursor=two) == [one]
    assert ids(task_id="zero") == [three, one]
    assert ids(queue="gpu") == ids(workflow_id="w") == [two]
    assert ids(queue="default") == [three, one]
    assert ids(statuses=["completed", FAILED]) == [two, one]
    assert ids(schedule_id="none") == []
    with pytest.raises(InvalidArguments, match="limit=0"):
        target.executions(limit=0)


def test_one_execution_has_all_that_its_call_said(target: AdvancedTaskScheduler) -> None:
    options = ScheduleOptions(queue="gpu", rank=7, metadata={"order": 5}, executor="thread")
    row = target.get_execution(target.schedule_task("zero", options=options))
    assert row is not None
    assert (row.queue, row.rank) == ("gpu", 7)
    assert row.extras == {"executor": "thread", "metadata": {"order": 5}}
    plain = target.get_execution(target.schedule_task("zero"))
    assert plain is not None
    assert (plain.queue, plain.rank, plain.extras) == ("default", 0, {})
    assert target.get_execution("none") is None


def test_of_equal_priority_the_higher_rank_goes_first(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    low, high, middle = (
        target.schedule_task("zero", options=ScheduleOptions(rank=rank)) for rank in (-1, 5, 0)
    )
    first = target.task_queue.peek()
    assert first is not None
    assert first.execution_id == high
    small = scheduler(target.store, clock=clock, limit=1)
    add_task(small, int, "zero")
    order = []
    while run(small):
        done = target.executions(statuses=[COMPLETED])
        order += [row.execution_id for row in done if row.execution_id not in order]
    assert order == [high, middle, low]


def test_what_waits_is_let_past_others(target: AdvancedTaskScheduler) -> None:
    first, second, third = (target.schedule_task("zero") for _ in range(3))
    assert target.reorder_execution(second, rank=1000)
    assert target.reorder_execution(third, priority=TaskPriority.HIGH)
    lanes = map(target.task_queue.get_tasks_by_priority, TaskPriority)
    order = [row.execution_id for lane in lanes for row in lane]
    assert order == [third, second, first]
    assert target.reorder_execution(third, rank=3)
    assert row_of(target, third).priority is TaskPriority.HIGH
    with pytest.raises(InvalidArguments, match="rank=1001"):
        target.reorder_execution(first, rank=1001)
    run(target)
    assert not target.reorder_execution(first, rank=1)
    assert not target.reorder_execution("none", rank=1)


def test_who_listens_hears_of_the_new_order(target: AdvancedTaskScheduler) -> None:
    heard: list[Event] = []
    target.events.subscribe(heard.append, [EventType.REORDERED])
    one = target.schedule_task("zero")
    target.reorder_execution(one, rank=5)
    assert [event.execution and event.execution.rank for event in heard] == [5]


def test_what_waits_is_skipped_with_what_depends_on_it(target: AdvancedTaskScheduler) -> None:
    one = target.schedule_task("zero")
    after = target.schedule_task("zero", options=ScheduleOptions(after=[one]))
    assert target.skip_execution(one)
    assert {status_of(target, row) for row in (one, after)} == {TaskStatus.SKIPPED}
    assert (row_of(target, one).reason, row_of(target, after).cause) == (
        "skipped by a caller",
        f"task 'zero' (execution {one}) was skipped",
    )
    assert not target.skip_execution(one)
    assert not target.skip_execution("none")


def test_retries_of_one_call_take_the_place_of_those_of_the_task(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    picky = RetryConfig(max_attempts=9, give_up_on=(KeyError,))
    add_task(target, fails, "picky", retry_config=picky)
    twice = RetryConfig(RetryStrategy.FIXED, max_attempts=1, initial_delay=5, jitter=False)
    ids = [
        target.schedule_task(task, options=ScheduleOptions(retry=twice))
        for task in ("fails", "picky")
    ]
    never = ScheduleOptions(retry=RetryConfig(RetryStrategy.NONE))
    ids.append(target.schedule_task("picky", options=never))
    run(target)
    assert [status_of(target, one) for one in ids] == [TaskStatus.RETRYING] * 2 + [FAILED]
    clock.advance(seconds=5)
    assert run(target) == 2
    assert [(status_of(target, one), row_of(target, one).retry_count) for one in ids[:2]] == [
        (FAILED, 1)
    ] * 2


def test_types_that_the_task_gives_up_on_stay_its_own(target: AdvancedTaskScheduler) -> None:
    add_task(target, fails, "picky", retry_config=RetryConfig(give_up_on=(ValueError,)))
    one = target.schedule_task("picky", options=ScheduleOptions(retry=RetryConfig()))
    run(target)
    assert status_of(target, one) is FAILED


def test_a_node_leaves_the_queues_of_others_alone(clock: ManualClock) -> None:
    store = MemoryStore()

    def node(**fields: object) -> AdvancedTaskScheduler:
        made = AdvancedTaskScheduler(store=store, clock=clock, **fields)  # type: ignore[arg-type]
        add_task(made, int, "zero")
        return made

    gpu, mail, every = node(queues=["gpu"]), node(settings=quick(queues={"mail"})), node()
    for queue in ("gpu", "mail", None):
        every.schedule_task("zero", options=ScheduleOptions(queue=queue))
    assert [made.queues for made in (gpu, mail)] == [frozenset({"gpu"}), frozenset({"mail"})]
    for one in (gpu, mail, every):
        assert run(one) == 1
        assert run(one) == 0
    assert [row.queue for row in every.executions(statuses=[COMPLETED])] == [
        "default",
        "mail",
        "gpu",
    ]
    with pytest.raises(ConfigurationError, match="queues='gpu' must be a list"):
        node(queues="gpu")


def test_clearing_the_history_deletes_what_has_ended_and_no_ledger(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    schedule_id = target.schedule_cron_task("zero", "* * * * *")
    since = clock.now()
    clock.advance(minutes=1)
    run(target)
    early = clock.now()
    ledger = target.store.ticks(schedule_id, since, early + timedelta(1))
    for _ in range(3):
        target.schedule_task("zero")
    waiting = target.schedule_task("zero", options=ScheduleOptions(delay=60))
    clock.advance(seconds=5)
    run(target)
    assert target.clear_history(early) == 0
    assert target.clear_history(early + timedelta(seconds=1)) == 1
    assert target.clear_history() == 3
    assert target.clear_history() == 0
    assert [row.execution_id for row in target.executions()] == [waiting]
    assert target.store.ticks(schedule_id, since, early + timedelta(1)) == ledger != []


def test_more_than_one_batch_is_cleared(clock: ManualClock) -> None:
    target = scheduler(clock=clock, limit=600)

    async def quickly() -> None:
        """Over at once."""

    add_task(target, quickly)
    target.schedule_task_many("job", [()] * 600)
    assert run(target) == 600
    assert target.clear_history() == 600
    target.close()


def test_an_end_is_told_by_callback(target: AdvancedTaskScheduler) -> None:
    heard: list[TaskExecution] = []
    one = target.schedule_task("fails")
    target.on_end(one, heard.append)
    run(target)
    eventually(lambda: heard)
    target.on_end(one, heard.append)
    eventually(lambda: len(heard) == 2)
    assert [row.status for row in heard] == [FAILED, FAILED]
    with pytest.raises(ExecutionNotFound):
        target.on_end("none", heard.append)


def test_a_cancelled_execution_has_ended_too(target: AdvancedTaskScheduler) -> None:
    told = threading.Event()
    one = target.schedule_task("zero")
    target.on_end(one, lambda _: told.set())
    target.cancel_task(one)
    assert told.wait(10)
