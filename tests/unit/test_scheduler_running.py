"""The facade from start to stop, two on one store, and on bad days."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import (
    SchedulerStateError,
)
from advanced_scheduler.models import (
    ExecutionFilter,
    TaskStatus,
)
from tests.support.definitions import add, nothing
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import add_task, faulty, quick, row_of, status_of
from tests.unit.engine.kit import scheduler as make

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001


# --- start and stop -------------------------------------------------------------------------


def test_what_was_scheduled_before_the_start_and_what_comes_after_runs() -> None:
    target = make()
    add_task(target, add)
    early = target.schedule_task("job", 1)
    for number in range(3):  # started, stopped and started again
        with target.running() as same:
            assert same is target
            late = target.schedule_task("job", number)
            assert target.result(late, 10) == number + 2
    assert target.result(early, 10) == 3
    target.close()


def test_a_stop_before_any_start_is_nothing(target: AdvancedTaskScheduler) -> None:
    asyncio.run(target.stop())
    asyncio.run(target.stop(wait=False))


async def test_a_stop_that_waits_lets_work_end_and_one_that_does_not_gives_it_back() -> None:
    for wait, status, attempt in ((True, TaskStatus.COMPLETED, 1), (False, TaskStatus.PENDING, 0)):
        target = make()
        gate = asyncio.Event()
        add_task(target, gate.wait)
        one = target.schedule_task("job")
        await target.start()
        await eventually_async(lambda target=target: target.running_tasks == 1)  # type: ignore[misc]
        if wait:
            asyncio.get_running_loop().call_later(0.01, gate.set)
        await target.stop(wait=wait)
        assert (status_of(target, one), row_of(target, one).attempt) == (status, attempt)
        target.close()


async def test_a_drain_that_takes_too_long_gives_the_rest_back() -> None:
    target = make(drain_seconds=0.01)
    add_task(target, asyncio.Event().wait)
    one = target.schedule_task("job")
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    await target.stop()
    assert (status_of(target, one), row_of(target, one).attempt) == (TaskStatus.PENDING, 0)


def test_a_start_that_fails_is_told_to_the_program() -> None:
    store = faulty()
    target = make(store.face)
    other = AdvancedTaskScheduler(apscheduler=target.apscheduler)
    with target.running(), pytest.raises(SchedulerStateError), other.running():
        raise AssertionError("it did not start")
    with other.running():
        assert other.health_facts().started


async def test_steps_are_for_a_scheduler_that_was_not_started() -> None:
    target = make()
    add_task(target, nothing)
    assert await target.run_due() == 0
    await target.start()
    with pytest.raises(SchedulerStateError, match="was not started"):
        await target.run_due()
    with pytest.raises(SchedulerStateError, match="await stop"):
        target.close()
    await target.stop()
    target.schedule_task("job")
    assert await target.run_due() == 1
    target.close()
    target.close()


def test_a_step_runs_no_more_than_the_slots_allow(clock: ManualClock) -> None:
    target = make(clock=clock, limit=2)
    add_task(target, nothing)
    target.schedule_task_many("job", [()] * 5)
    assert [asyncio.run(target.run_due()) for _ in range(4)] == [2, 2, 1, 0]
    target.close()


# --- two on one store, and bad days -----------------------------------------------------------


def test_two_schedulers_on_one_file_run_everything_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db?synchronous=normal"
    ran: list[int] = []
    both = [make(url, name=name, limit=3) for name in ("a", "b")]
    for one in both:
        add_task(one, ran.append)
    with both[0].running(), both[1].running():
        ids = both[0].schedule_task_many("job", [(number,) for number in range(60)])
        for execution_id in ids:
            both[1].result(execution_id, 30)
    assert sorted(ran) == list(range(60))
    rows = both[0].store.get(ids)
    assert {row.attempt for row in rows} == {1}
    for one in both:
        one.close()


def test_an_execution_is_cancelled_on_whichever_node_it_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db?synchronous=normal"
    runs, asks = (make(url, name=name, lease_seconds=0.6) for name in ("runs", "asks"))
    begun, told = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    add_task(runs, work)
    with runs.running():
        one = runs.schedule_task("job")
        assert begun.wait(10)
        assert asks.cancel_task(one)
        assert told.wait(10)  # by the heartbeat
    assert status_of(asks, one) is TaskStatus.CANCELLED
    runs.close()
    asks.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", ["exchange", "next_due", "expired", "stranded", "prune", "due"])
def test_an_outage_at_any_call_of_the_engine_loses_and_doubles_nothing(
    verb: str, after: bool
) -> None:
    store = faulty(blocking=True)
    target = make(store.face)
    ran: list[int] = []
    add_task(target, ran.append)
    with target.running():
        for number in range(4):
            store.fail(verb, after=after)
            target.result(target.schedule_task("job", number), 20)
    assert ran == list(range(4))
    assert {row.attempt for row in target.store.find(ExecutionFilter())} == {1}
    target.close()


def test_a_store_that_is_away_for_a_while_stops_nothing_for_good() -> None:
    store = faulty(blocking=True)
    target = make(store.face, lease_seconds=5)
    gate = threading.Event()
    add_task(target, lambda: gate.wait(10))
    add_task(target, nothing, "quick")
    with target.running():
        one = target.schedule_task("job")
        eventually(lambda: target.running_tasks == 1)
        store.break_down()
        gate.set()  # it ends while its end cannot be stored
        eventually(lambda: target.running_tasks == 0)
        before = store.calls.total()
        eventually(lambda: store.calls.total() > before + 20)
        store.come_back()
        assert target.result(one, 20) is True
        assert target.result(target.schedule_task("quick"), 20) is None
        assert row_of(target, one).attempt == 1
    target.close()


async def test_wake_ups_during_an_outage_make_no_busy_loop() -> None:
    store = faulty(blocking=True)
    target = make(store.face, poll_seconds=60)
    await target.start()
    node = target._node
    assert node is not None
    await eventually_async(lambda: store.calls["next_due"] >= 1)
    store.break_down()
    calls = store.calls["exchange"]
    node.dispatcher.wake()
    await eventually_async(lambda: store.calls["exchange"] > calls)
    for _ in range(50):
        node.dispatcher.wake()
        await asyncio.to_thread(nothing)
    assert store.calls["exchange"] + store.calls["find"] == calls + 1
    store.come_back()
    await target.stop()


def test_a_burst_of_ten_thousand_leaves_nothing_in_the_engine() -> None:
    target = make(history_limit=100, history_grace_seconds=0, limit=50)
    seen: list[int] = []

    async def work(number: int) -> None:
        seen.append(number)

    add_task(target, work)
    with target.running():
        target.schedule_task_many("job", [(number,) for number in range(10_000)])
        eventually(lambda: len(seen) == 10_000, timeout=60)
        eventually(lambda: sum(target.store.counts().values()) <= 100, timeout=20)
        node = target._node
        assert node is not None
        dispatcher = node.dispatcher
        eventually(lambda: not dispatcher.held)
        assert (dispatcher.running, dispatcher._outbox, dispatcher._early) == ({}, [], {})
        assert (dispatcher._turns._waiting, dispatcher._unknown) == ({}, set())
    assert sorted(seen) == list(range(10_000))
    assert (target._waiters._waiting, target._waiters._ended) == ({}, {})
    target.close()


def test_the_settings_of_the_environment_are_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", f"sqlite:///{tmp_path}/env.db")
    made = AdvancedTaskScheduler()
    assert made.store.durable
    made.close()
    given = AdvancedTaskScheduler(settings=quick(), store="memory://")
    assert not given.store.durable
    given.close()
