"""One node from its start to its end, however either comes about."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler import AdvancedTaskScheduler, current_execution
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.node import Node
from advanced_scheduler.errors import SchedulerStateError
from advanced_scheduler.models import TaskStatus
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.definitions import nothing
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import NOW, add_task, faulty, parts, row_of, scheduler, status_of

_BEFORE: set[threading.Thread] = set()  # what other tests of this session left behind


def threads() -> set[str]:
    """The kinds of threads that the nodes of this test have."""
    return {
        one.name.rstrip("-_0123456789")
        for one in threading.enumerate()
        if one not in _BEFORE and one.name.startswith(("advanced-scheduler", "APScheduler"))
    }


@pytest.fixture(autouse=True)
def _leaves_no_thread() -> Iterator[None]:
    _BEFORE.update(threading.enumerate())
    yield
    eventually(lambda: not threads(), what="all threads of the node have ended")


async def test_a_node_starts_and_stops_again_and_again_and_leaves_no_thread() -> None:
    target = scheduler(faulty(blocking=True).face)
    add_task(target, nothing)
    for _ in range(3):
        await target.start()
        await target.start()
        execution_id = target.schedule_task("job")
        await eventually_async(
            lambda one=execution_id: status_of(target, one) is TaskStatus.COMPLETED  # type: ignore[misc]
        )
        await target.stop()
        await target.stop()
        assert target.running_tasks == 0


async def test_a_start_that_is_cancelled_leaves_nothing_behind_and_can_be_repeated() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    add_task(target, nothing)
    shown = store.hold("save_record")
    starting = asyncio.create_task(target.start())
    await asyncio.to_thread(shown.entered.wait, 10)
    starting.cancel()
    shown.released.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not target.started
    assert not target.nodes()
    await eventually_async(lambda: not threads(), what="all threads of the node have ended")
    await target.start()
    execution_id = target.schedule_task("job")
    await eventually_async(lambda: status_of(target, execution_id) is TaskStatus.COMPLETED)
    await target.stop()


async def test_a_stop_waits_for_the_start_that_is_under_way() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    shown = store.hold("save_record")
    starting = asyncio.create_task(target.start())
    await asyncio.to_thread(shown.entered.wait, 10)
    stopping = asyncio.create_task(target.stop())
    shown.released.set()
    await asyncio.gather(starting, stopping)
    assert not target.started
    assert not target.nodes()
    await eventually_async(lambda: not threads(), what="all threads of the node have ended")


async def test_what_was_claimed_before_a_suspension_is_not_started_after_it(
    clock: ManualClock,
) -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face, clock=clock)
    attempts: list[int] = []
    add_task(target, lambda: attempts.append(current_execution().attempt))
    hold = store.hold("exchange", after=True)
    execution_id = target.schedule_task("job")
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    clock.advance(seconds=31)  # the lease, and the housekeeper takes over as another node would
    await eventually_async(lambda: row_of(target, execution_id).crashes == 1)
    hold.released.set()
    await eventually_async(lambda: status_of(target, execution_id) is TaskStatus.COMPLETED)
    await target.stop()
    target.close()
    assert attempts == [2]


async def test_what_lost_its_lock_in_a_suspension_is_run_again_as_without_a_lock(
    clock: ManualClock,
) -> None:
    target = scheduler(clock=clock)

    async def work() -> int:
        attempt = current_execution().attempt
        if attempt == 1:
            clock.advance(seconds=31)  # the lease
            target.lock_manager.force_release("job")
        return attempt

    add_task(target, work, require_lock=True)
    execution_id = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: row_of(target, execution_id).completed_time is not None)
    await target.stop()
    row = row_of(target, execution_id)
    target.close()
    assert (row.status, row.result, row.crashes) == (TaskStatus.COMPLETED, 2, 1)


async def test_a_start_that_is_refused_leaves_nothing_behind() -> None:
    host = BackgroundScheduler(timezone="UTC")
    first, second = (AdvancedTaskScheduler(apscheduler=host, name=name) for name in "ab")
    await first.start()
    with pytest.raises(SchedulerStateError, match="another AdvancedTaskScheduler"):
        await second.start()
    assert len([one for one in asyncio.all_tasks() if "dispatcher" in one.get_name()]) == 1
    assert [one.name for one in threading.enumerate()].count("advanced-scheduler-heartbeat") == 1
    await first.stop()
    await second.start()  # the place is free
    await second.stop()


async def test_nodes_that_start_together_do_not_sweep_in_step() -> None:
    made = parts(MemoryStore(), ManualClock(NOW), poll_seconds=10)
    nodes = [Node(made, name="n", limit=1) for _ in range(3)]
    rests = [[await node._sweep() for _ in range(3)] for node in nodes]
    assert len({first for first, *_ in rests}) == 3
    assert all(0 <= first < 10 and more == [10, 10] for first, *more in rests)
    for node in nodes:
        node.close()


async def test_a_second_stop_waits_for_the_first() -> None:
    target = scheduler()
    gate = asyncio.Event()
    add_task(target, gate.wait)
    execution_id = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    stops = [asyncio.create_task(target.stop()) for _ in range(2)]
    await eventually_async(lambda: target.health_facts().draining)
    assert not any(one.done() for one in stops)
    gate.set()
    await asyncio.gather(*stops)
    assert status_of(target, execution_id) is TaskStatus.COMPLETED
    target.close()


async def test_a_start_during_a_stop_comes_after_it() -> None:
    target = scheduler()
    gate = asyncio.Event()
    add_task(target, gate.wait)
    add_task(target, nothing, "next")
    target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    stopping = asyncio.create_task(target.stop())
    await eventually_async(lambda: target.health_facts().draining)
    starting = asyncio.create_task(target.start())
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(stopping, starting)
    execution_id = target.schedule_task("next")
    await eventually_async(lambda: status_of(target, execution_id) is TaskStatus.COMPLETED)
    await target.stop()


async def test_a_task_that_stops_its_scheduler_is_given_back_and_the_stop_goes_on() -> None:
    target = scheduler()

    async def stop() -> None:
        await target.stop(wait=False)

    add_task(target, stop)
    execution_id = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: not threads(), what="the node has stopped")
    await target.stop()
    row = row_of(target, execution_id)
    assert (row.status, row.attempt) == (TaskStatus.PENDING, 0)
    await target.start()  # and can start again
    await target.stop(wait=False)


async def test_what_runs_at_most_once_is_not_given_back_once_it_has_begun() -> None:
    target = scheduler(limit=1)
    add_task(target, asyncio.Event().wait, at_most_once=True)
    begun, queued = target.schedule_task("job"), target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    await target.stop(wait=False)
    row = row_of(target, begun)
    assert row.status is TaskStatus.FAILED
    assert "the task runs at most once" in (row.error or "")
    assert status_of(target, queued) is TaskStatus.PENDING


async def test_a_stop_whose_caller_is_cancelled_goes_on() -> None:
    target = scheduler()
    gate = asyncio.Event()
    add_task(target, gate.wait)
    execution_id = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(target.stop(), 0.01)
    gate.set()
    await target.stop()
    assert status_of(target, execution_id) is TaskStatus.COMPLETED


async def test_a_stop_survives_loops_that_somebody_cancelled() -> None:
    target = scheduler()
    await target.start()
    for one in asyncio.all_tasks():
        if one.get_name().startswith("advanced-scheduler"):
            one.cancel()
    await asyncio.sleep(0)
    await target.stop()


async def test_another_event_loop_can_neither_start_nor_stop_it() -> None:
    target = scheduler()
    await target.start()
    for call in (target.start, target.stop):
        with pytest.raises(SchedulerStateError, match="runs already, on another event loop"):
            await asyncio.to_thread(asyncio.run, call())
    with pytest.raises(SchedulerStateError, match="on another event loop"), target.running():
        pass
    assert target.health_facts().started
    await target.stop()


def test_what_runs_in_a_thread_can_neither_be_started_nor_stopped_elsewhere() -> None:
    target = scheduler()
    with target.running():
        for call in (target.start, target.stop):
            with pytest.raises(SchedulerStateError, match=r"since running\(\) was entered"):
                asyncio.run(call())
        with pytest.raises(SchedulerStateError, match="runs already"), target.running():
            pass
        assert target.health_facts().started


def test_a_loop_that_ends_without_a_stop_leaves_leases_to_run_out_and_a_start_that_works() -> None:
    store = faulty()
    target = scheduler(store.face, lease_seconds=0.2)

    async def wait() -> None:
        await asyncio.Event().wait()

    add_task(target, wait)

    async def forget_to_stop() -> str:
        await target.start()
        execution_id = target.schedule_task("job")
        await eventually_async(lambda: target.running_tasks == 1)
        return execution_id

    execution_id = asyncio.run(forget_to_stop())
    eventually(lambda: store.store.expired(target.clock.now(), 1), what="the lease ran out")

    async def run_again() -> None:
        await target.start()
        await eventually_async(lambda: row_of(target, execution_id).crashes == 1)
        await target.stop(wait=False)

    asyncio.run(run_again())
    assert status_of(target, execution_id) is TaskStatus.PENDING


@pytest.mark.parametrize(
    ("at_most_once", "then"), [(False, "is run again"), (True, "fails, as it runs at most once,")]
)
def test_what_the_end_of_a_loop_interrupts_has_not_failed(
    at_most_once: bool, then: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = scheduler()
    add_task(target, asyncio.Event().wait, "coroutine", at_most_once=at_most_once)
    add_task(target, asyncio.Event().wait, "other", at_most_once=at_most_once)

    async def forget_to_stop() -> list[str]:
        await target.start()
        ids = [target.schedule_task(one) for one in ("coroutine", "other")]
        await eventually_async(lambda: target.running_tasks == 2)
        return ids

    ids = asyncio.run(forget_to_stop())
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert sorted(told) == [
        f"execution {one} of task {task} was interrupted: the event loop ended, and the scheduler "
        f"was not stopped before; it {then} when its lease has run out"
        for one, task in zip(ids, ("coroutine", "other"), strict=True)
    ]
    assert {status_of(target, one) for one in ids} == {TaskStatus.RUNNING}
    asyncio.run(target.stop())


def test_a_loop_that_ends_without_a_stop_can_be_stopped_from_the_next() -> None:
    target = scheduler()
    asyncio.run(target.start())
    asyncio.run(target.stop())
    assert not target.health_facts().started
    target.close()
