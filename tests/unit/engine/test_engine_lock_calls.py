"""How what a loop wants of locks travels together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.lock_calls import AtOnce, Batched
from advanced_scheduler.engine.offload import InThreads
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock, Grant
from tests.support.waiting import eventually_async
from tests.unit.engine.lock_place import Place, PlacedLock

FIFTY = [f"task {number}" for number in range(50)]


@pytest.fixture
def place(clock: ManualClock) -> Place:
    return Place(clock)


@pytest.fixture
def calls(place: Place) -> Iterator[Batched]:
    threads = InThreads(1, "locks-of-a-test")
    calls = Batched(PlacedLock(place), threads)
    yield calls
    calls.locks.close()
    threads.close()


async def taken(calls: Batched, task_id: str) -> Grant:
    grant = await calls.take(task_id, 60)
    assert grant is not None
    return grant


async def test_what_is_wanted_in_one_turn_is_one_batch(calls: Batched, place: Place) -> None:
    grants = await asyncio.gather(*(taken(calls, task_id) for task_id in FIFTY))
    assert [grant.task_id for grant in grants] == FIFTY
    for grant in grants:
        calls.locks.keep(grant, lambda _: None)
    assert all(await asyncio.gather(*map(calls.let_go, grants)))
    assert place.batches == [([], FIFTY), (FIFTY, [])]


async def test_what_is_wanted_while_a_batch_is_away_is_the_next(
    calls: Batched, place: Place
) -> None:
    hold = place.hold()
    first = asyncio.create_task(taken(calls, "first"))
    await asyncio.to_thread(hold.entered.wait)
    others = [asyncio.create_task(taken(calls, name)) for name in ("second", "third")]
    await asyncio.sleep(0)
    hold.released.set()
    await asyncio.gather(first, *others)
    assert place.batches == [([], ["first"]), ([], ["second", "third"])]


async def test_a_lock_goes_from_one_to_another_in_one_batch(calls: Batched, place: Place) -> None:
    grant = await taken(calls, "job")
    calls.locks.keep(grant, lambda _: None)
    wanted, given = calls.take("job", 60), calls.let_go(grant)
    assert await wanted is not None
    assert await given
    assert place.batches[1:] == [(["job"], ["job"])]


async def test_who_is_cancelled_before_the_batch_leaves_is_not_in_it(
    calls: Batched, place: Place
) -> None:
    calls.take("job", 60).cancel()
    await calls.settle()
    assert place.batches == []


async def test_who_waits_for_a_batch_that_gets_no_answer_does_not_wait_for_another(
    calls: Batched, place: Place
) -> None:
    held = await taken(calls, "held")
    calls.locks.keep(held, lambda _: None)
    hold = place.hold()
    away = calls.take("away", 60)
    await asyncio.to_thread(hold.entered.wait)
    waiting, release = calls.take("waiting", 60), calls.let_go(held)
    place.down = True
    hold.released.set()
    for attempt in (away, waiting):
        with pytest.raises(LockUnavailable, match="the server is down"):
            await attempt
    assert await release  # it was kept until then, so the work counts
    assert place.batches == [([], ["held"]), ([], ["away"])]
    place.down = False
    await eventually_async(lambda: not calls.locks.is_locked("held"), what="released later")


async def test_an_error_is_told_to_all_and_stops_nothing(calls: Batched) -> None:
    wrong, other = calls.take("wrong", -1), calls.take("other", 60)
    for attempt in (wrong, other):
        with pytest.raises(ValueError, match="timeout=-1"):
            await attempt
    assert await calls.take("job", 60) is not None


def test_a_batch_of_a_loop_that_has_ended_holds_up_no_other_loop(
    calls: Batched, place: Place
) -> None:
    hold = place.hold()

    async def leaves() -> None:
        calls.take("first", 60)
        await asyncio.to_thread(hold.entered.wait)
        calls.take("never sent", 60)

    asyncio.run(leaves())
    hold.released.set()

    async def settles_and_takes() -> None:
        await calls.settle()
        await taken(calls, "second")

    asyncio.run(settles_and_takes())
    assert place.batches == [([], ["first"]), ([], ["second"])]


async def test_locks_of_this_process_are_asked_at_once(clock: ManualClock) -> None:
    calls = AtOnce(DistributedTaskLock(clock=clock))
    grant = await calls.take("job", 60)
    assert grant is not None
    calls.locks.keep(grant, lambda _: None)
    assert await calls.let_go(grant)
    await calls.settle()
    assert not calls.locks.is_locked("job")
