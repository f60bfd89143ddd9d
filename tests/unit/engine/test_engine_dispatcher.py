"""How executions are claimed, started and settled, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.context import TaskContext
from advanced_scheduler.engine.runner import Stop
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import TaskDependency, TaskPriority, TaskStatus
from advanced_scheduler.stores.base import Claim, Exchange
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.definitions import nothing
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, execution, faulty, row_of, scheduler, status_of


@pytest.mark.parametrize("wait", [True, False])
async def test_what_is_claimed_while_the_node_stops_is_given_back(wait: bool) -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    add_task(target, asyncio.Event().wait)
    hold = store.hold("exchange", after=True)
    execution_id = target.schedule_task("job")
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    stopping = asyncio.create_task(target.stop(wait=wait))
    await eventually_async(lambda: target.health_facts().draining)
    hold.released.set()
    await stopping
    row = row_of(target, execution_id)
    assert (row.status, row.attempt, row.node) == (TaskStatus.PENDING, 0, None)


async def test_a_store_that_fails_while_a_step_settles_stops_no_later_step(
    clock: ManualClock,
) -> None:
    store = faulty()
    target = scheduler(store.face, clock=clock)
    add_task(target, nothing)
    first = target.schedule_task("job")

    def break_down() -> None:
        store.break_down()

    add_task(target, break_down, "breaker", priority=TaskPriority.LOW)
    target.schedule_task("breaker")
    with pytest.raises(StoreUnavailable):
        await target.run_due()
    store.come_back()
    second = target.schedule_task("job")
    assert await target.run_due() == 1
    assert status_of(target, first) is TaskStatus.COMPLETED
    assert status_of(target, second) is TaskStatus.COMPLETED
    target.close()


async def test_a_task_that_cancels_itself_has_failed(clock: ManualClock) -> None:
    target = scheduler(clock=clock)

    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    add_task(target, give_up)
    execution_id = target.schedule_task("job")
    assert await target.run_due() == 1
    row = row_of(target, execution_id)
    assert (row.status, row.error) == (
        TaskStatus.FAILED,
        "CancelledError: the task cancelled itself",
    )
    target.close()


async def test_an_unknown_task_is_parked_and_logged_once_until_it_is_known(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = faulty()
    store.store.add([execution("a"), execution("b"), execution("c", task_id="other")])
    target = scheduler(store.face, clock=clock)
    for _ in range(3):
        assert await target.run_due() == 0
    assert caplog.text.count("parked: task 'job' is not registered on node here:") == 1
    assert caplog.text.count("parked: task 'other' is not registered on node here:") == 1
    add_task(target, nothing)
    assert await target.run_due() == 2
    assert status_of(target, "c") is TaskStatus.PENDING
    target.close()


async def test_a_task_that_is_unregistered_during_its_claim_is_parked(clock: ManualClock) -> None:
    store = faulty()
    target = scheduler(store.face, clock=clock)
    add_task(target, nothing)
    ids = [target.schedule_task("job") for _ in range(2)]
    registry = target._parts.registry
    get = registry.get

    def get_late(task_id: str) -> object:
        registry.get = get  # type: ignore[method-assign]
        registry.unregister(task_id)
        return get(task_id)

    registry.get = get_late  # type: ignore[assignment, method-assign]
    assert await target.run_due() == 0
    rows = [row_of(target, one) for one in ids]
    assert [(row.status, (row.reason or "")[:6]) for row in rows] == [
        (TaskStatus.PENDING, "parked")
    ] * 2
    target.close()


async def test_what_a_lost_answer_had_claimed_is_run_and_burns_no_attempt() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face, limit=2)
    ran: list[int] = []

    async def work(number: int) -> None:
        ran.append(number)

    add_task(target, work)
    ids = [target.schedule_task("job", number) for number in range(5)]
    store.fail("exchange", times=3, after=True)
    await target.start()
    await eventually_async(lambda: len(ran) == 5)
    await target.stop()
    rows = [row_of(target, one) for one in ids]
    assert {(row.status, row.attempt, row.crashes) for row in rows} == {
        (TaskStatus.COMPLETED, 1, 0)
    }
    assert sorted(ran) == list(range(5))


async def test_an_end_whose_answer_was_lost_is_told_once_and_carried_on() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face, limit=2)
    told: list[tuple[str, TaskStatus]] = []

    def hear(event: Event) -> None:
        assert event.execution is not None
        told.append((event.execution.task_id, event.execution.status))

    target.events.subscribe(hear, [EventType.FINISHED])
    add_task(target, nothing)
    add_task(target, nothing, "next", dependencies=[TaskDependency("job")])
    first = target.schedule_task("job")
    after = target.schedule_task("next")
    store.fail("stranded", times=999)  # the housekeeper shall not be the one that carries it on
    hold = store.hold("exchange", after=True)
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    store.fail("exchange", after=True)  # the one with the end of the first
    hold.released.set()
    await eventually_async(lambda: status_of(target, after) is TaskStatus.COMPLETED)
    await eventually_async(lambda: len(told) == 2)
    assert told == [("job", TaskStatus.COMPLETED), ("next", TaskStatus.COMPLETED)]
    assert target.get_health_status()["metrics"]["tasks_succeeded"] == 2
    assert row_of(target, first).attempt == 1
    await target.stop(wait=False)


async def test_what_a_lost_answer_had_claimed_during_a_stop_is_given_back() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    add_task(target, nothing)
    hold = store.hold("exchange", after=True)
    store.fail("exchange", after=True)
    execution_id = target.schedule_task("job")
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    stopping = asyncio.create_task(target.stop())
    await eventually_async(lambda: target.health_facts().draining)
    hold.released.set()
    await stopping
    row = row_of(target, execution_id)
    assert (row.status, row.attempt, row.node) == (TaskStatus.PENDING, 0, None)


async def test_what_was_given_up_is_not_run_again_after_a_lost_answer() -> None:
    store = faulty()
    target = scheduler(store.face)
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.Event().wait()

    add_task(target, work)
    first = target.schedule_task("job", 1)
    await target.start()
    await eventually_async(lambda: begun == [1])
    node = target._node
    assert node is not None
    node.interrupt(first, Stop.LEASE_LOST)
    await eventually_async(lambda: not node.dispatcher.running)
    store.fail("exchange", after=True)
    target.schedule_task("job", 2)
    await eventually_async(lambda: 2 in begun)
    await target.stop(wait=False)
    assert begun == [1, 2]  # the first is for whoever finds that its lease has run out


async def test_what_is_cancelled_while_a_lost_answer_is_asked_for_does_not_start() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    add_task(target, work)
    first = target.schedule_task("job", 1)
    store.fail("exchange", after=True)
    hold = store.hold("find", after=True)
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    assert target.cancel_task(first)
    hold.released.set()
    target.schedule_task("job", 2)
    await eventually_async(lambda: 2 in begun)
    await target.stop()
    assert begun == [2]


async def test_a_store_that_has_looked_ahead_is_not_asked_again(clock: ManualClock) -> None:
    class Ahead(MemoryStore):
        looks = True
        asked = 0

        def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
            return replace(super().exchange(transitions, claim), looked_ahead=self.looks)

        def next_due(self) -> datetime | None:
            self.asked += 1
            return super().next_due()

    for looks, times in ((True, 0), (False, 1)):
        store = Ahead()
        store.looks = looks
        target = scheduler(store, clock=clock)
        add_task(target, nothing)
        assert await target.run_due() == 0
        assert store.asked == times
        target.close()


async def test_the_late_result_of_a_lost_attempt_counts_for_nothing(
    tmp_path: Path, clock: ManualClock
) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    nodes = [scheduler(url, clock=clock) for _ in range(2)]
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def late(context: TaskContext) -> str:
        if context.fence == 1:
            begun.set()
            await may_end.wait()
        return f"fence {context.fence}"

    for node in nodes:
        add_task(node, late)
    one = nodes[0].schedule_task("job")
    abandoned = asyncio.create_task(nodes[0].run_due())
    await begun.wait()
    clock.advance(timedelta(hours=1))
    await nodes[1].run_due()
    assert row_of(nodes[1], one).result == "fence 2"
    may_end.set()
    await abandoned
    row = row_of(nodes[0], one)
    assert (row.result, row.status, row.crashes) == ("fence 2", TaskStatus.COMPLETED, 1)
    for node in nodes:
        node.close()
