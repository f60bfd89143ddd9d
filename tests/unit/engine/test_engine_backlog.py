"""What counts as waiting in vain: not what is for later, held by somebody, or merely much."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, Duties, ManualClock, Role, TaskPriority
from advanced_scheduler.config import Settings
from advanced_scheduler.engine.backlog import SAMPLE, backlog_of
from advanced_scheduler.engine.lanes import lane_of
from advanced_scheduler.models import Record, RecordKind
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.stores import opened
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import NOW, add_task, execution, faulty, scheduler

DAY = timedelta(days=1)
EVERY = Duties()
IDLE = Duties(roles=frozenset())
MAIL = Duties(queues=frozenset({"mail"}))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def undrained(
    store: Store, clock: ManualClock, duties: Duties = EVERY, *, spare: bool = True, **settings: Any
) -> int:
    """As a node sees it that has slots to spare, and does all there is to do."""
    return backlog_of(store, clock, Settings(**settings)).undrained("here:1", duties, spare=spare)


def shown(store: Store, clock: ManualClock, node_id: str = "there:1", **said: Any) -> None:
    """A node that shows itself now, and never again."""
    record = Record(kind=RecordKind.NODE, record_id=node_id, written_time=clock.now(), data=said)
    store.save_record(record)


def test_what_is_due_for_longer_than_three_seconds_waits_in_vain(
    store: MemoryStore, clock: ManualClock
) -> None:
    later = execution("later", scheduled_time=NOW + DAY)
    blocked = execution("blocked", blocked_by=frozenset({"later"}))
    store.add([execution("due"), later, blocked])
    clock.advance(seconds=3)
    assert undrained(store, clock) == 0
    clock.advance(seconds=0.1)
    assert undrained(store, clock) == 1
    assert undrained(store, clock, poll_seconds=2) == 0
    clock.advance(seconds=3)
    assert undrained(store, clock, poll_seconds=2) == 1


def test_what_is_made_now_for_an_instant_of_the_past_has_not_waited_since(
    store: MemoryStore, clock: ManualClock
) -> None:
    store.add([execution("missed", scheduled_time=NOW - DAY, created_time=NOW)])
    assert undrained(store, clock) == 0
    assert lane_of(store, TaskPriority.NORMAL, 1, NOW, look_at=10).oldest_age == 0
    clock.advance(seconds=3.1)
    assert undrained(store, clock) == 1


def test_what_stands_behind_many_that_are_for_later_is_seen(
    store: MemoryStore, clock: ManualClock
) -> None:
    first = {"priority": TaskPriority.CRITICAL, "scheduled_time": NOW + DAY}
    store.add([execution(f"later-{n}", **first) for n in range(SAMPLE)])
    clock.advance(seconds=4)
    assert undrained(store, clock) == 0
    store.add([execution("due")])
    assert undrained(store, clock) == 1


def test_what_an_operator_holds_does_not_wait_in_vain(
    store: MemoryStore, clock: ManualClock
) -> None:
    target = scheduler(store, clock=clock)
    store.add([execution("a", queue="mail"), execution("b", priority=TaskPriority.LOW)])
    clock.advance(seconds=4)
    assert undrained(store, clock) == 2
    target.pause_dispatch(queue="mail")
    assert undrained(store, clock) == 1
    target.pause_dispatch(priority=TaskPriority.LOW)
    assert undrained(store, clock) == 0
    target.resume_dispatch(queue="mail")
    target.resume_dispatch(priority=TaskPriority.LOW)
    target.pause_dispatch()
    assert undrained(store, clock) == 0
    target.close()


def test_what_waits_where_nobody_works_is_seen_by_every_node(
    url_of_each: str, clock: ManualClock
) -> None:
    with opened(open_store(url_of_each, auto_migrate=True)) as store:
        target = scheduler(store, clock=clock)
        target.duties = Duties(roles=frozenset({Role.SCHEDULER}))
        store.add([execution("due")])
        clock.advance(seconds=4)
        with target.running():
            eventually(lambda: waits(target) == 1)
            shown(store, clock, roles=["worker"])
            assert waits(target) == 0, "the worker tells what it does not take"
        target.close()


def test_a_node_answers_for_what_it_serves_and_for_what_nobody_serves(
    store: MemoryStore, clock: ManualClock
) -> None:
    low = {"priority": TaskPriority.LOW}
    store.add([execution("a", queue="mail"), execution("b"), execution("c", **low)])
    clock.advance(seconds=4)
    assert undrained(store, clock, MAIL) == 3, "nobody else is there"
    assert undrained(store, clock, MAIL, spare=False) == 2, "its own queue is load"
    shown(store, clock, queues=["default"], priorities=["critical", "normal"])
    assert undrained(store, clock, MAIL) == 2, "the other one serves no low priority"
    assert undrained(store, clock, MAIL, spare=False) == 1
    shown(store, clock, "all:1")
    assert undrained(store, clock, MAIL) == 1, "how busy others are is theirs to tell"
    assert undrained(store, clock, MAIL, spare=False) == 0
    assert undrained(store, clock, IDLE) == 0


@pytest.mark.parametrize(
    "said", [{"roles": ["scheduler"]}, {"draining": True}, {"queues": []}, {"renewal": 1.0}]
)
def test_nobody_comes_from_a_node_that_takes_nothing(
    store: MemoryStore, clock: ManualClock, said: dict[str, Any]
) -> None:
    shown(store, clock, **said)
    store.add([execution("due")])
    clock.advance(seconds=4)
    assert undrained(store, clock, IDLE) == 1


def test_what_a_node_last_said_of_itself_does_not_count_for_it(
    store: MemoryStore, clock: ManualClock
) -> None:
    shown(store, clock, "here:1")
    store.add([execution("due")])
    clock.advance(seconds=4)
    assert undrained(store, clock, IDLE) == 1, "it drains now, and has not said so yet"


@pytest.mark.parametrize(
    ("duties", "others", "found"),
    [(EVERY, 1, 1), (MAIL, 0, 1), (MAIL, 1, 0), (IDLE, 0, 1), (IDLE, 1, 0)],
)
def test_of_what_stands_far_behind_nobody_knows_whose_it_is(
    store: MemoryStore, clock: ManualClock, duties: Duties, others: int, found: int
) -> None:
    first = {"priority": TaskPriority.CRITICAL, "scheduled_time": NOW + DAY}
    store.add([execution(f"later-{n}", **first) for n in range(SAMPLE)])
    store.add([execution("due")])
    clock.advance(seconds=4)
    if others:
        shown(store, clock)
    assert undrained(store, clock, duties) == found


async def test_what_waits_for_the_next_claim_of_a_busy_node_is_load(clock: ManualClock) -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face, limit=1, clock=clock)
    gates = asyncio.Event(), asyncio.Event()

    async def waits_for(gate: int) -> None:
        await gates[gate].wait()

    add_task(target, waits_for)
    for number in range(2):
        target.schedule_task("job", number)
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    clock.advance(seconds=4)
    claim = store.hold("exchange")
    gates[0].set()
    await eventually_async(claim.entered.is_set)
    assert (target.running_tasks, waits(target)) == (0, 0), "a slot is free, and about to be taken"
    claim.released.set()
    await eventually_async(lambda: target.running_tasks == 1)
    gates[1].set()
    store.store.add([execution("stranger", task_id="unknown")])
    await eventually_async(lambda: waits(target) == 1, what="the node to see that nobody comes")
    await target.stop()
    target.close()


def waits(target: AdvancedTaskScheduler) -> int:
    """Executions that this node says nobody takes."""
    return target.health_facts().undrained


async def test_a_claim_that_cannot_be_made_is_not_mistaken_for_load(clock: ManualClock) -> None:
    store = faulty()
    target = scheduler(store.face, limit=1, clock=clock)
    add_task(target, asyncio.Event().wait)
    store.store.add([execution("due")])
    clock.advance(seconds=4)
    store.fail("exchange", times=1000, error=ZeroDivisionError("a bug"))
    await target.start()
    await eventually_async(lambda: waits(target) == 1)
    await target.stop(wait=False)
    target.close()
