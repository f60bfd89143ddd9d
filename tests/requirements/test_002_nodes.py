"""Document 002 on several nodes of one store: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any, Final
from uuid import uuid4

import pytest

from advanced_scheduler import ManualClock, Settings, TickOutcome, VersionConflict
from advanced_scheduler.adapters.schedules import (
    CronSchedule,
    EventTrigger,
    IntervalSchedule,
    RedisStorage,
    Scheduler,
)
from tests.requirements.document_002 import Application, Call, Hours, executions
from tests.support.waiting import eventually_async

TASK: Final = "reports.generate_report"
MINUTELY: Final = IntervalSchedule(timedelta(minutes=1))
ROUNDS: Final = 12


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store that several nodes may share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db?synchronous=normal"
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_schema"))
    return f"{request.getfixturevalue('redis_url')}?prefix=test_{uuid4().hex}"


def node(tasks: Application, clock: ManualClock, storage: Any, name: str) -> Scheduler:
    """A node of this name, with all tasks."""
    settings = Settings(auto_migrate=True)
    scheduler = Scheduler(storage=storage, instance_id=name, settings=settings, clock=clock)
    tasks.join(scheduler.scheduler)
    return scheduler


@pytest.fixture
def nodes(
    url: str, tasks: Application, hours: Hours, clock: ManualClock
) -> Iterator[tuple[Scheduler, Scheduler]]:
    """Two nodes of one store."""
    made = node(tasks, clock, url, "scheduler-1"), node(tasks, clock, url, "scheduler-2")
    yield made
    for one in made:
        one.scheduler.close()


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run the coroutines that these calls make at the same time, in a thread each."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return asyncio.run(call())

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def fired(scheduler: Scheduler, schedule_id: str, since: datetime, until: datetime) -> list[Any]:
    """The ticks of a stretch of the ledger that have run, without those of runs by hand."""
    ledger = scheduler.scheduler.audit(schedule_id, since, until)
    assert ledger.missing == []
    assert [one for one in ledger.ticks if one.outcome is not TickOutcome.FIRED] == []
    return [one for one in ledger.ticks if "by hand" not in one.reason]


def test_edits_and_runs_by_hand_neither_lose_nor_double_a_tick(
    nodes: tuple[Scheduler, Scheduler], tasks: Application, clock: ManualClock
) -> None:
    one, other = nodes
    schedule_id = one.schedule(TASK, MINUTELY, kwargs={"n": 0})
    since = clock.now()
    clock.set(since.replace(second=0))
    texts = ("* * * * *", "*/1 * * * *")  # another trigger, and the same instants
    for number in range(ROUNDS):
        clock.advance(minutes=1)
        together(
            one.scheduler.run_due,
            other.scheduler.run_due,
            partial(one.update_schedule, schedule_id, kwargs={"n": number}),
            partial(other.update_schedule, schedule_id, CronSchedule(texts[number % 2])),
            lambda: one.trigger_now(schedule_id, kwargs={"n": "by hand"}),
        )
    clock.advance(seconds=1)
    for _ in range(2):
        together(one.scheduler.run_due, other.scheduler.run_due)
    ticks = fired(one, schedule_id, since, clock.now())
    assert [tick.instant.minute for tick in ticks] == list(range(1, ROUNDS + 1))
    assert len({tick.execution_id for tick in ticks}) == ROUNDS
    kinds = Counter(call.kwargs["n"] == "by hand" for call in tasks.calls)
    assert kinds == {True: ROUNDS, False: ROUNDS}
    assert len(executions(one, schedule_id)) == 2 * ROUNDS


def test_nothing_fires_once_a_pause_has_returned(
    nodes: tuple[Scheduler, Scheduler], tasks: Application, clock: ManualClock
) -> None:
    one, other = nodes
    schedule_id = one.schedule(TASK, MINUTELY)
    for _ in range(ROUNDS // 2):
        clock.advance(minutes=1)
        together(
            one.scheduler.run_due,
            other.scheduler.run_due,
            lambda: other.pause_schedule(schedule_id),
        )
        count = len(executions(one, schedule_id))
        clock.advance(minutes=1)
        together(one.scheduler.run_due, other.scheduler.run_due)
        assert len(executions(one, schedule_id)) == count
        asyncio.run(one.resume_schedule(schedule_id))
    assert len(tasks.calls) == len(executions(one, schedule_id)) <= ROUNDS // 2
    clock.advance(seconds=1)
    together(one.scheduler.run_due, other.scheduler.run_due)
    ledger = one.scheduler.audit(schedule_id, clock.now() - timedelta(hours=1), clock.now())
    assert ledger.missing == []
    assert len(ledger.ticks) == ROUNDS


def test_of_edits_from_one_version_one_wins_and_the_others_are_told(
    nodes: tuple[Scheduler, Scheduler],
) -> None:
    schedule_id = nodes[0].schedule(TASK, MINUTELY)

    async def edit(scheduler: Scheduler, tag: str) -> str | None:
        try:
            await scheduler.update_schedule(schedule_id, tags=[tag], version=1)
        except VersionConflict:
            return None
        return tag

    answers = together(*(partial(edit, nodes[at % 2], str(at)) for at in range(6)))
    (winner,) = filter(None, answers)
    history = asyncio.run(nodes[1].get_schedule_history(schedule_id))
    assert [version.definition.tags for version in history] == [(), (winner,)]


def test_edits_that_name_no_version_are_all_made(nodes: tuple[Scheduler, Scheduler]) -> None:
    schedule_id = nodes[0].schedule(TASK, CronSchedule("0 9 * * *"))
    together(
        lambda: nodes[0].update_schedule(schedule_id, CronSchedule("0 10 * * *")),
        lambda: nodes[1].update_schedule(schedule_id, timezone="Asia/Tokyo"),
        lambda: nodes[0].update_schedule(schedule_id, max_retries=7),
        lambda: nodes[1].update_schedule(schedule_id, retry_delay=9),
    )
    edited = asyncio.run(nodes[0].get_schedule(schedule_id))
    assert (edited.trigger["expression"], edited.trigger["timezone"]) == (
        "0 10 * * *",
        "Asia/Tokyo",
    )
    assert (edited.retry["max_attempts"], edited.retry["initial_delay"]) == (7, 9)


async def test_a_run_by_hand_at_the_very_instant_that_is_due_takes_nothing_from_it(
    timetable: Scheduler, hours: Hours, clock: ManualClock
) -> None:
    schedule_id = timetable.schedule(TASK, MINUTELY)
    clock.set(clock.now().replace(minute=1, second=0))
    await timetable.trigger_now(schedule_id)
    assert len(await hours.passing(timetable, seconds=1)) == 2
    assert len(await hours.passing(timetable, minutes=1)) == 1


async def test_an_event_that_no_node_was_up_for_fires_when_one_is(
    url: str, tasks: Application, hours: Hours, clock: ManualClock
) -> None:
    first = node(tasks, clock, url, "first")
    first.schedule(
        task="inventory.reorder_products",
        schedule=EventTrigger("inventory.low_stock"),
        kwargs={"threshold": 10},
    )
    await first.trigger_event("inventory.low_stock", {"product_id": 123})
    await first.shutdown()
    assert tasks.calls == []
    second = node(tasks, clock, url, "second")
    assert await hours.passing(second, hours=1) == [
        Call("inventory.reorder_products", (), {"threshold": 10, "product_id": 123})
    ]
    assert await hours.passing(second, hours=1) == []
    await second.shutdown()


def test_schedulers_on_redis_make_no_duplicate_jobs(
    redis_url: str, tasks: Application, hours: Hours, clock: ManualClock
) -> None:
    prefix = f"test_{uuid4().hex}"
    many = []
    for number in range(3):
        storage = RedisStorage(redis_url=redis_url, prefix=prefix)
        scheduler = Scheduler(
            storage=storage, lock_timeout=300, instance_id=f"scheduler-{number}", clock=clock
        )
        tasks.join(scheduler.scheduler)
        scheduler.schedule(TASK, MINUTELY)
        many.append(scheduler)
    for number in range(3):
        clock.advance(minutes=1)
        together(*(one.scheduler.run_due for one in many))
        assert len(tasks.calls) == number + 1
    for one in many:
        one.scheduler.close()


async def test_a_coroutine_that_handles_errors_runs_on_the_loop_of_the_scheduler(
    tasks: Application,
) -> None:
    scheduler, loops = Scheduler(), list[asyncio.AbstractEventLoop]()
    tasks.join(scheduler.scheduler)
    tasks.bodies[TASK] = lambda: 1 / 0

    @scheduler.on_schedule_error
    async def handle_schedule_error(schedule_id: str, exception: Exception) -> None:
        loops.append(asyncio.get_running_loop())

    async with scheduler:
        await scheduler.trigger_now(scheduler.schedule(TASK, MINUTELY, max_retries=0))
        await eventually_async(lambda: loops)
    assert {*loops} == {asyncio.get_running_loop()}
