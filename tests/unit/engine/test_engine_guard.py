"""How a run gets its lock, keeps it and gives it back, on a loop that must not block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.context import Signal, TaskContext
from advanced_scheduler.engine.guard import Guard, Outage
from advanced_scheduler.engine.lock_calls import AtOnce, Batched
from advanced_scheduler.engine.offload import InThreads
from advanced_scheduler.engine.runner import Stop
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.events import Event, EventBus, EventType
from advanced_scheduler.locks import DistributedTaskLock, Grant
from advanced_scheduler.models import ExecutionFilter, TaskStatus
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, faulty, scheduler, status_of
from tests.unit.engine.lock_place import Place, PlacedLock


@pytest.fixture
def server(clock: ManualClock) -> Place:
    return Place(clock)


@pytest.fixture
def locks(server: Place) -> Iterator[DistributedTaskLock]:
    locks = PlacedLock(server)
    yield locks
    locks.close()


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def make(
    locks: DistributedTaskLock, clock: ManualClock, heard: list[Event]
) -> Iterator[Callable[..., Guard]]:
    threads = InThreads(1, "locks-of-a-test")

    def make(outage: Outage = "wait", beside: DistributedTaskLock | None = None) -> Guard:
        events = EventBus()
        for kind in (EventType.LOCK, EventType.LOCK_RELEASED, EventType.LOCK_LOST):
            events.subscribe(heard.append, [kind])
        fallback = None if beside is None else AtOnce(beside)
        calls = Batched(locks, threads)
        return Guard(calls, fallback=fallback, outage=outage, events=events, clock=clock)

    yield make
    threads.close()


def lost(_: Grant) -> None:
    raise AssertionError("nothing was lost")


async def test_a_lock_is_taken_kept_and_given_back_and_all_is_told(
    make: Callable[..., Guard], locks: DistributedTaskLock, clock: ManualClock, heard: list[Event]
) -> None:
    guard = make()
    grant = await guard.take("job", 60)
    assert grant is not None
    guard.keep(grant, lost)
    assert await guard.take("job", 60) is None
    since = clock.monotonic()
    clock.advance(seconds=5)
    assert await guard.give_back(grant, since)
    assert not locks.is_locked("job")
    assert [(one.type, one.data.get("result")) for one in heard] == [
        (EventType.LOCK, "acquired"),
        (EventType.LOCK, "contended"),
        (EventType.LOCK_RELEASED, None),
    ]
    assert heard[-1].data["held"] == 5


async def test_a_caller_that_leaves_during_its_try_leaves_no_lock_behind(
    make: Callable[..., Guard], server: Place, locks: DistributedTaskLock
) -> None:
    guard = make()
    hold = server.hold()
    caller = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    settling = asyncio.create_task(guard.settle())
    hold.released.set()
    await settling
    assert server.batches == [([], ["job"]), (["job"], [])]
    assert not locks.is_locked("job")


async def test_a_late_try_that_fails_is_nobody_s_concern(
    make: Callable[..., Guard], server: Place
) -> None:
    guard = make()
    hold = server.hold()
    caller = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    server.down = True
    hold.released.set()
    await guard.settle()
    assert server.batches == [([], ["job"])]


async def test_while_the_server_is_away_one_at_a_time_asks_it(
    make: Callable[..., Guard], server: Place
) -> None:
    guard = make()
    server.down = True
    with pytest.raises(LockUnavailable):
        await guard.take("job", 60)
    assert guard.last_error == "the server is down"
    hold = server.hold()
    first = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    with pytest.raises(LockUnavailable, match="down"):
        await guard.take("other", 60)
    assert len(server.batches) == 2  # the last one did not ask
    server.down = False
    hold.released.set()
    assert await first is not None
    assert guard.last_error is None


async def test_the_store_stands_in_if_the_policy_says_so(
    make: Callable[..., Guard], server: Place, clock: ManualClock
) -> None:
    beside = DistributedTaskLock(clock=clock)
    server.down = True
    guard = make("store_lock", beside)
    grant = await guard.take("job", 60)
    assert grant is not None
    assert beside.is_locked("job")
    guard.keep(grant, lost)
    guard.leave(grant)
    assert guard._from_fallback == set()
    assert beside.is_locked("job")  # until it runs out


@pytest.mark.parametrize("outage", ["wait", "fail"])
async def test_without_that_policy_nobody_stands_in(
    outage: Outage, make: Callable[..., Guard], server: Place, clock: ManualClock
) -> None:
    server.down = True
    with pytest.raises(LockUnavailable):
        await make(outage, DistributedTaskLock(clock=clock)).take("job", 60)


async def test_a_cancelled_give_back_forgets_the_grant_all_the_same(
    make: Callable[..., Guard], server: Place, locks: DistributedTaskLock
) -> None:
    guard = make()
    grant = await guard.take("job", 60)
    assert grant is not None
    guard.keep(grant, lost)
    hold = server.hold()
    caller = asyncio.create_task(guard.give_back(grant, 0))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    hold.released.set()
    await eventually_async(lambda: not locks.is_locked("job"))


async def test_a_body_that_outlives_a_stop_keeps_its_lock_no_longer_than_that_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("advanced_scheduler.engine.dispatcher.INTERRUPT_SECONDS", 0.05)
    target = scheduler()
    gate = asyncio.Event()
    ended = asyncio.Event()

    async def stubborn() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        ended.set()

    add_task(target, stubborn, require_lock=True, lock_timeout=0.3)
    execution_id = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    await eventually_async(lambda: target.lock_manager.is_locked("job"))
    await target.stop(wait=False)
    assert status_of(target, execution_id) is TaskStatus.PENDING
    await eventually_async(lambda: not target.lock_manager.is_locked("job"))
    gate.set()
    await ended.wait()


async def test_a_node_that_stops_waits_for_a_lock_that_comes_too_late(
    server: Place, locks: DistributedTaskLock
) -> None:
    target = scheduler(faulty(blocking=True).face)
    target._parts = replace(target._parts, locks=locks)
    add_task(target, MemoryStore().ping, require_lock=True)
    target.schedule_task("job")
    hold = server.hold()
    await target.start()
    await asyncio.to_thread(hold.entered.wait)
    stopping = asyncio.create_task(target.stop(wait=False))
    await eventually_async(lambda: target.running_tasks == 0)
    assert not stopping.done()
    hold.released.set()
    await stopping
    assert not locks.is_locked("job")


async def nothing() -> None:
    pass


async def test_executions_that_run_together_take_their_locks_together(
    server: Place, locks: DistributedTaskLock
) -> None:
    target = scheduler(limit=50)
    target._parts = replace(target._parts, locks=locks)
    for number in range(50):
        add_task(target, nothing, f"job {number}", require_lock=True)
        target.schedule_task(f"job {number}")
    assert await target.run_due() == 50
    assert [(len(given), len(wanted)) for given, wanted in server.batches] == [(0, 50), (50, 0)]
    assert {row.status for row in target.store.find(ExecutionFilter())} == {TaskStatus.COMPLETED}
    target.close()


@pytest.mark.parametrize(
    ("where", "why"),
    [("memory", Stop.LEASE_LOST), ("redis", Stop.LEASE_LOST), ("memory", Stop.SHUTDOWN)],
)
async def test_a_thread_that_outlives_its_run_holds_the_lock_until_it_ends(
    where: str, why: Stop, request: pytest.FixtureRequest
) -> None:
    client = request.getfixturevalue("redis_client") if where == "redis" else None
    url = request.getfixturevalue("redis_url") if client else None
    target = scheduler(url)
    begun, gate = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert gate.wait(60)

    add_task(target, work, require_lock=True)
    execution_id = target.schedule_task("job")
    await target.start()
    try:
        await eventually_async(begun.is_set)
        if why is Stop.SHUTDOWN:
            await target.stop(wait=False)
        else:
            assert target._node is not None
            target._node.interrupt(execution_id, why)
        await eventually_async(lambda: target.running_tasks == 0)
        assert target.lock_manager.is_locked("job")
        gate.set()
        await eventually_async(lambda: not target.lock_manager.is_locked("job"))
    finally:
        gate.set()
        await target.stop(wait=False)
        target.close()


@asynccontextmanager
async def left_behind(clock: ManualClock) -> AsyncIterator[Left]:
    """Its node goes on as well."""
    target = scheduler(clock=clock, lease_seconds=1_000_000)
    thread = Left(target)
    add_task(target, thread.work, require_lock=True, lock_timeout=60)
    execution_id = target.schedule_task("job")
    await target.start()
    try:
        await eventually_async(thread.begun.is_set)
        target.cancel_task(execution_id)
        await eventually_async(lambda: target.running_tasks == 0)
        yield thread
    finally:
        thread.gate.set()
        await target.stop(wait=False)
        target.close()


class Left:
    """A thread that goes on after its execution was cancelled, until the gate opens."""

    def __init__(self, target: AdvancedTaskScheduler) -> None:
        self.locks = target.lock_manager
        self.begun, self.gate = threading.Event(), threading.Event()
        self.lost: Signal | None = None

    def work(self, context: TaskContext) -> None:
        self.lost = context.lock_lost
        self.begun.set()
        assert self.gate.wait(60)


async def test_a_thread_that_goes_on_holds_its_lock_for_longer_than_that_lasts_alone(
    clock: ManualClock,
) -> None:
    async with left_behind(clock) as left:
        for _ in range(3):
            clock.advance(seconds=40)
            left.locks._keeper.tend()
            await eventually_async(lambda: left.locks.get_lock_ttl("job") == 60)
        left.gate.set()
        await eventually_async(lambda: not left.locks.is_locked("job"))


async def test_a_thread_that_goes_on_is_told_when_its_lock_is_taken_from_it(
    clock: ManualClock,
) -> None:
    async with left_behind(clock) as left:
        assert left.lost is not None
        assert left.locks.force_release("job")
        assert not left.lost.is_set()
        clock.advance(seconds=20)
        left.locks._keeper.tend()
        await eventually_async(left.lost.is_set)


@pytest.mark.parametrize("first", ["left", "over"])
async def test_what_is_over_frees_its_own_lock_and_never_that_of_a_successor(
    first: str, make: Callable[..., Guard], locks: DistributedTaskLock
) -> None:
    guard = make()
    grants = [await guard.take(task_id, 60) for task_id in ("lost", "ours")]
    for grant in grants:
        assert grant is not None
        guard.keep(grant, lambda _: None)
    assert locks.force_release("lost")
    successor = locks.try_acquire("lost")
    assert successor is not None
    for grant in grants:
        assert grant is not None
        over = guard.at_end(grant)
        for step in (partial(guard.leave, grant), over)[:: 1 if first == "left" else -1]:
            step()
    await eventually_async(lambda: not locks.is_locked("ours"))
    assert locks.release("lost", successor.lock_id)
