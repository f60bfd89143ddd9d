"""How a run gets its lock, keeps it and gives it back, on a loop that must not block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.guard import Guard, Outage
from advanced_scheduler.engine.offload import InThreads, Offload
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.events import Event, EventBus, EventType
from advanced_scheduler.locks import DistributedTaskLock, Grant
from advanced_scheduler.models import TaskStatus
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import Hold
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, faulty, scheduler, status_of

T = TypeVar("T")


class Server:
    """Locks in this process that can go away, or keep a command waiting."""

    def __init__(self, clock: ManualClock) -> None:
        self.locks = DistributedTaskLock(clock=clock)
        self.down = False
        self.calls: list[str] = []
        self.held: dict[str, Hold] = {}

    def hold(self, verb: str) -> Hold:
        self.held[verb] = Hold(after=False)
        return self.held[verb]

    async def offload(self, function: Callable[..., T], *args: object) -> T:
        """In a thread, as Redis would be asked."""
        return await asyncio.to_thread(self._call, function, *args)

    def _call(self, function: Callable[..., T], *args: object) -> T:
        verb = getattr(function, "__name__", "")
        self.calls.append(verb)
        if hold := self.held.pop(verb, None):
            hold.pass_through()
        if self.down:
            raise LockUnavailable("the server is down")
        return function(*args)


@pytest.fixture
def server(clock: ManualClock) -> Server:
    return Server(clock)


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def make(server: Server, clock: ManualClock, heard: list[Event]) -> Callable[..., Guard]:
    def make(outage: Outage = "wait", fallback: DistributedTaskLock | None = None) -> Guard:
        events = EventBus()
        events.subscribe(heard.append)
        offload: Offload = server.offload
        return Guard(
            server.locks, fallback=fallback, outage=outage, offload=offload, events=events,
            clock=clock,
        )  # fmt: skip

    return make


def lost(_: Grant) -> None:
    raise AssertionError("nothing was lost")


async def test_a_lock_is_taken_kept_and_given_back_and_all_is_told(
    make: Callable[..., Guard], server: Server, clock: ManualClock, heard: list[Event]
) -> None:
    guard = make()
    grant = await guard.take("job", 60)
    assert grant is not None
    guard.keep(grant, lost)
    assert await guard.take("job", 60) is None
    since = clock.monotonic()
    clock.advance(seconds=5)
    assert await guard.give_back(grant, since)
    assert not server.locks.is_locked("job")
    assert [(one.type, one.data.get("result")) for one in heard] == [
        (EventType.LOCK, "acquired"),
        (EventType.LOCK, "contended"),
        (EventType.LOCK_RELEASED, None),
    ]
    assert heard[-1].data["held"] == 5


async def test_a_caller_that_leaves_during_its_try_leaves_no_lock_behind(
    make: Callable[..., Guard], server: Server
) -> None:
    guard = make()
    hold = server.hold("try_acquire")
    caller = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    settling = asyncio.create_task(guard.settle())
    hold.released.set()
    await settling
    assert server.calls == ["try_acquire", "release"]
    assert not server.locks.is_locked("job")


async def test_a_late_try_that_fails_is_nobody_s_concern(
    make: Callable[..., Guard], server: Server
) -> None:
    guard = make()
    hold = server.hold("try_acquire")
    caller = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    server.down = True
    hold.released.set()
    await guard.settle()
    assert server.calls == ["try_acquire"]


async def test_while_the_server_is_away_one_at_a_time_asks_it(
    make: Callable[..., Guard], server: Server
) -> None:
    guard = make()
    server.down = True
    with pytest.raises(LockUnavailable):
        await guard.take("job", 60)
    assert guard.last_error == "the server is down"
    hold = server.hold("try_acquire")
    first = asyncio.create_task(guard.take("job", 60))
    await asyncio.to_thread(hold.entered.wait)
    with pytest.raises(LockUnavailable, match="down"):
        await guard.take("other", 60)
    assert len(server.calls) == 2  # the last one did not ask
    server.down = False
    hold.released.set()
    assert await first is not None
    assert guard.last_error is None


async def test_the_store_stands_in_if_the_policy_says_so(
    make: Callable[..., Guard], server: Server, clock: ManualClock
) -> None:
    beside = DistributedTaskLock(clock=clock)
    server.down = True
    guard = make("store_lock", beside)
    real = beside.try_acquire

    async def ask_beside(function: Callable[..., Any], *args: object) -> Any:
        if function == real:
            return function(*args)
        return await server.offload(function, *args)

    guard._offload = ask_beside
    grant = await guard.take("job", 60)
    assert grant is not None
    assert beside.is_locked("job")
    guard.keep(grant, lost)
    guard.leave(grant)
    assert guard._from_fallback == set()
    assert beside.is_locked("job")  # until it runs out


@pytest.mark.parametrize("outage", ["wait", "fail"])
async def test_without_that_policy_nobody_stands_in(
    outage: Outage, make: Callable[..., Guard], server: Server, clock: ManualClock
) -> None:
    server.down = True
    with pytest.raises(LockUnavailable):
        await make(outage, DistributedTaskLock(clock=clock)).take("job", 60)


async def test_a_cancelled_give_back_forgets_the_grant_all_the_same(
    make: Callable[..., Guard], server: Server, clock: ManualClock
) -> None:
    guard = make()
    grant = await guard.take("job", 60)
    assert grant is not None
    guard.keep(grant, lost)
    hold = server.hold("let_go")
    caller = asyncio.create_task(guard.give_back(grant, 0))
    await asyncio.to_thread(hold.entered.wait)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    hold.released.set()
    await eventually_async(lambda: not server.locks.is_locked("job"))


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


async def test_a_node_that_stops_waits_for_a_lock_that_comes_too_late() -> None:
    target = scheduler(faulty(blocking=True).face)
    locks = target.lock_manager
    hold = Hold(after=False)
    real = locks.try_acquire

    def slow(task_id: str, timeout: float = 300) -> Grant | None:
        hold.pass_through()
        return real(task_id, timeout)

    locks.try_acquire = slow  # type: ignore[method-assign]
    add_task(target, MemoryStore().ping, require_lock=True)
    target.schedule_task("job")
    await target.start()
    node = target._node
    assert node is not None
    threads = InThreads(1, "locks-of-a-test")
    node.guard._offload = threads
    await asyncio.to_thread(hold.entered.wait)
    stopping = asyncio.create_task(target.stop(wait=False))
    await eventually_async(lambda: target.running_tasks == 0)
    assert not stopping.done()
    hold.released.set()
    await stopping
    assert not locks.is_locked("job")
    threads.close()
