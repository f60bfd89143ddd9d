"""Schedules that events run, that count elapsed time, and that pause themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    EventTrigger,
    InvalidArguments,
    InvalidTrigger,
    ManualClock,
    Placeholder,
    TaskStatus,
    TickOutcome,
    TimestampTrigger,
)
from advanced_scheduler.models import ExecutionFilter
from tests.support.definitions import define
from tests.unit.engine.kit import NOW
from tests.unit.engine.notes import (
    SECOND,
    calls,
    every_second,
    fails,
    outcomes,
    ready,
    seconds,
)


async def test_an_event_runs_what_waits_for_it_with_what_it_brings(
    scheduler: AdvancedTaskScheduler,
) -> None:
    def reorder(threshold: int, product_id: int = 0) -> None:
        calls.append((threshold, product_id))

    scheduler.register_task(define(reorder, task_id="job"))
    one = scheduler.create_schedule("job", EventTrigger("stock.low"), kwargs={"threshold": 10})
    other = scheduler.create_schedule("job", EventTrigger("stock.high"), args=[1])
    ids = scheduler.trigger_event("stock.low", {"product_id": 123, "colour": "red"})
    assert len(ids) == 1
    await scheduler.run_due()
    assert calls == [(10, 123)]
    (row,) = scheduler.store.get(ids)
    assert row.schedule_id == one
    assert row.extras["metadata"] == {
        "event": "stock.low",
        "payload": {"product_id": 123, "colour": "red"},
    }
    assert scheduler.trigger_event("nobody listens") == []
    scheduler.pause_schedule(one)
    assert scheduler.trigger_event("stock.low") == []
    assert outcomes(scheduler, one) == [TickOutcome.FIRED, TickOutcome.PAUSED]
    assert outcomes(scheduler, other) == []


async def test_an_event_that_brings_something_is_not_lost_behind_one_that_waits(
    scheduler: AdvancedTaskScheduler,
) -> None:
    def reorder(product_id: int = 0) -> None:
        calls.append((product_id,))

    scheduler.register_task(define(reorder, task_id="job"))
    scheduler.create_schedule("job", EventTrigger("stock.low"), overlap="queue_one")
    told = [
        scheduler.trigger_event("stock.low", {"product_id": n} if n else None) for n in range(3)
    ]
    assert [len(ids) for ids in told] == [1, 1, 1]
    assert scheduler.trigger_event("stock.low") == []
    while await scheduler.run_due():
        pass
    assert calls == [(0,), (1,), (2,)]


async def test_an_event_may_bring_what_the_function_needs(scheduler: AdvancedTaskScheduler) -> None:
    def reorder(product_id: int, threshold: int) -> None:
        calls.append((product_id, threshold))

    scheduler.register_task(define(reorder, task_id="job"))
    one = scheduler.create_schedule("job", EventTrigger("stock.low"), kwargs={"threshold": 10})
    with pytest.raises(InvalidArguments, match="colour"):
        scheduler.create_schedule("job", EventTrigger("stock.low"), kwargs={"colour": "red"})
    scheduler.update_schedule(one, kwargs={"threshold": 5})
    scheduler.trigger_event("stock.low", {"product_id": 123})
    (lacking,) = scheduler.trigger_event("stock.low")
    with pytest.raises(InvalidArguments, match="product_id"):
        scheduler.update_schedule(one, trigger=every_second())
    await scheduler.run_due()
    assert calls == [(123, 5)]
    (row,) = scheduler.store.get([lacking])
    assert row.status is TaskStatus.FAILED
    assert "missing a required argument: 'product_id'" in str(row.error)


async def test_events_of_one_instant_run_once_each_and_max_runs_ends_them(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", EventTrigger("e"), max_runs=2)
    assert [len(scheduler.trigger_event("e", {"n": n})) for n in range(3)] == [1, 1, 0]
    await scheduler.run_due()
    assert sorted(calls) == [(("n", 0),), (("n", 1),)]
    assert scheduler.get_schedule(one).ended


async def test_whoever_tells_of_an_event_need_not_know_who_listens(
    scheduler: AdvancedTaskScheduler,
) -> None:
    def sized(when: datetime, size: int, unit: str) -> None:
        calls.append((when, size, unit))

    known = define(sized, task_id="sized", kwargs={"unit": "m"})
    scheduler.register_task(known)
    ready(scheduler)
    scheduler.create_schedule("sized", EventTrigger("e"), args=[NOW], priority="high")
    scheduler.create_schedule("job", EventTrigger("e"))
    scheduler.unregister_task("sized")
    assert len(scheduler.trigger_event("e", {"size": 3})) == 2
    await scheduler.run_due()
    assert calls == [(("size", 3),)]
    scheduler.register_task(known)
    await scheduler.run_due()
    assert calls[1:] == [(NOW, 3, "m")]


def test_an_event_that_is_none_is_refused(scheduler: AdvancedTaskScheduler) -> None:
    ready(scheduler)
    scheduler.create_schedule("job", EventTrigger("e"))
    with pytest.raises(InvalidArguments, match="payload"):
        scheduler.trigger_event("e", ["no", "mapping"])  # type: ignore[arg-type]
    with pytest.raises(InvalidTrigger, match="name"):
        scheduler.trigger_event("")
    assert scheduler.store.find(ExecutionFilter()) == []


ODD = object()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, one: s.create_schedule("job", every_second(), schedule_id=5), "schedule_id=5"),
        (lambda s, one: s.create_schedule("job", every_second(), schedule_id=""), "schedule_id=''"),
        (lambda s, one: s.create_schedule("job", every_second(), schedule_id="a\0"), "schedule_id"),
        (lambda s, one: s.create_schedule("job", every_second(), changelog=ODD), "changelog=<obj"),
        (lambda s, one: s.update_schedule(one, args=[1], changelog=5), "changelog=5"),
        (lambda s, one: s.update_schedule(one, args=[1], changelog="a\0"), "changelog='a"),
        (lambda s, one: s.pause_schedule(one, changelog="\ud800"), "changelog="),
        (lambda s, one: s.run_schedule_now(one, args="ab"), "args='ab' must be a list"),
        (lambda s, one: s.run_schedule_now(one, args=5), "args=5 must be a list"),
        (lambda s, one: s.run_schedule_now(one, kwargs=["a"]), r"kwargs=\['a'\] must be a dict"),
        (lambda s, one: s.trigger_event("e", {"a": ODD}), "payload={'a': <obj"),
        (lambda s, one: s.trigger_event("e", []), "payload=.* must be a dict"),
        (lambda s, one: s.trigger_event("e\0"), "name='e.x00' is not the name of an event"),
        (lambda s, one: s.find_schedules(status="over"), "status='over' must be one of active"),
        (lambda s, one: s.find_schedules(tags=5), "tags=5 must be a list"),
        (lambda s, one: s.find_schedules(tags=[[5]]), r"tags=\[\[5\]\] must be a list of texts"),
        (lambda s, one: s.find_schedules(name=10**30), "name=10000.* must be a text"),
        (lambda s, one: s.rollback_schedule(one, []), r"version=\[\] must be a whole number"),
        (lambda s, one: s.update_schedule(one, args=[1], version=True), "version=True must be"),
        (lambda s, one: s.next_runs(one, -1), "count=-1 must be a whole number"),
        (lambda s, one: s.next_runs(one, 10**9), "count=1000000000"),
    ],
)
def test_a_bad_wish_is_refused_and_nothing_is_stored(
    scheduler: AdvancedTaskScheduler,
    call: Callable[[AdvancedTaskScheduler, str], object],
    message: str,
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", EventTrigger("e"))
    before = scheduler.get_schedules()
    with pytest.raises(ValueError, match=message):
        call(scheduler, one)
    assert scheduler.get_schedules() == before
    assert scheduler.executions() == []
    assert scheduler.find_schedules(name="a\0") == []


def test_events_from_many_threads_are_all_run(scheduler: AdvancedTaskScheduler) -> None:
    ready(scheduler)
    scheduler.create_schedule("job", EventTrigger("e"))
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.extend(scheduler.trigger_event("e"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == len(scheduler.store.find(ExecutionFilter())) == 8


async def test_failures_in_a_row_pause_it_and_a_resume_starts_afresh(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler, fails)
    one = scheduler.create_schedule("job", every_second(), pause_on_failure=2)
    await seconds(scheduler, clock, 5)
    found = scheduler.get_schedule(one)
    assert found.paused
    assert found.changelog == (
        "paused after 2 failures in a row; the last one: ZeroDivisionError: as always"
    )
    assert scheduler.schedule_status(one).error_count == 2
    scheduler.resume_schedule(one)
    await seconds(scheduler, clock, 1)
    assert not scheduler.get_schedule(one).paused
    await seconds(scheduler, clock, 5)
    assert scheduler.get_schedule(one).paused
    assert scheduler.schedule_status(one).error_count == 4


async def test_timestamps_know_their_index_and_stop_while_paused(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock)
    ready(scheduler)
    one = scheduler.create_schedule(
        "job",
        TimestampTrigger([0, 1000, 2000, 3000], start_time=NOW),
        args=[Placeholder.TICK_INDEX],
        misfire="run_all",
    )
    await scheduler.run_due()
    await seconds(scheduler, clock, 1)
    clock.advance(seconds=0.5)
    scheduler.pause_schedule(one)
    clock.advance(seconds=4)
    scheduler.update_schedule(one, priority="high")
    clock.advance(seconds=6)
    scheduler.resume_schedule(one)
    assert scheduler.get_schedule(one).next_fire_time == NOW + 12 * SECOND
    await scheduler.run_due()
    assert calls == [(0,), (1,)]
    clock.advance(seconds=0.5)
    await scheduler.run_due()
    await seconds(scheduler, clock, 1)
    assert calls == [(0,), (1,), (2,), (3,)]
    assert scheduler.get_schedule(one).ended
    assert set(outcomes(scheduler, one)) == {TickOutcome.FIRED}
    scheduler.close()


async def test_the_index_is_filled_in_on_every_store_and_the_film_can_be_said_again(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    def draw(frame: int, *, of: int) -> None:
        calls.append((frame, of))

    scheduler.register_task(define(draw, task_id="job"))
    film = TimestampTrigger([0, 1000, 2000])

    def say() -> str:
        index = Placeholder.TICK_INDEX
        return scheduler.create_schedule(
            "job", film, args=[index], kwargs={"of": index}, misfire="run_all"
        )

    one = say()
    await scheduler.run_due()
    clock.advance(seconds=0.5)
    scheduler.pause_schedule(one)
    clock.advance(seconds=5)
    scheduler.resume_schedule(one)
    assert say() == one
    scheduler.update_schedule(one, tags=["film"])
    scheduler.rollback_schedule(one, 1)
    await seconds(scheduler, clock, 3)
    assert calls == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(InvalidArguments, match="must be an argument of its own, of a schedule"):
        scheduler.schedule_task("job", Placeholder.TICK_INDEX, of=1)
    with pytest.raises(InvalidArguments, match="must be an argument of its own, of a schedule"):
        scheduler.create_schedule("job", film, args=[[Placeholder.TICK_INDEX]], kwargs={"of": 1})
