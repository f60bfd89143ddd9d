"""Schedules of every kind: limits, versions, runs by hand, events, failures in a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    EventTrigger,
    IntervalTrigger,
    InvalidArguments,
    InvalidTrigger,
    ManualClock,
    OneTimeTrigger,
    Placeholder,
    RetryConfig,
    ScheduleExists,
    ScheduleNotFound,
    Settings,
    TaskNotRegistered,
    TaskPriority,
    TaskStatus,
    TickOutcome,
    TimestampTrigger,
    VersionConflict,
)
from advanced_scheduler.models import ExecutionFilter, Schedule
from tests.support.definitions import define

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVER = NOW - timedelta(days=9), NOW + timedelta(days=99)


@pytest.fixture(params=["memory", "sqlite"])
def scheduler(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[AdvancedTaskScheduler]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/store.db"
    made = AdvancedTaskScheduler(store=url, clock=clock, settings=Settings(poll_seconds=0.02))
    yield made
    made.close()


calls: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def note(*args: Any, **kwargs: Any) -> None:
    calls.append((*args, *sorted(kwargs.items())))


def fails() -> None:
    raise ZeroDivisionError("as always")


def every_second(**more: Any) -> IntervalTrigger:
    return IntervalTrigger(1, start_time=NOW + SECOND, **more)


def ready(scheduler: AdvancedTaskScheduler, function: Callable[..., Any] = note) -> None:
    scheduler.register_task(define(function, task_id="job"))


def outcomes(scheduler: AdvancedTaskScheduler, schedule_id: str) -> list[TickOutcome]:
    return [tick.outcome for tick in scheduler.store.ticks(schedule_id, *EVER)]


async def seconds(scheduler: AdvancedTaskScheduler, clock: ManualClock, count: int) -> None:
    for _ in range(count):
        clock.advance(seconds=1)
        await scheduler.run_due()


async def test_a_schedule_hands_its_arguments_and_options_to_each_execution(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule(
        "job",
        every_second(),
        args=["a"],
        kwargs={"b": 2},
        priority="high",
        queue="reports",
        timeout=5,
        retry=RetryConfig(max_attempts=7, initial_delay=1),
        tags=["daily"],
        metadata={"department": "finance"},
    )
    await seconds(scheduler, clock, 1)
    assert calls == [("a", ("b", 2))]
    (row,) = scheduler.store.find(ExecutionFilter(schedule_id=one))
    assert (row.priority, row.queue, row.timeout) == (TaskPriority.HIGH, "reports", 5)
    assert (row.tags, row.extras["metadata"]) == (("daily",), {"department": "finance"})
    assert row.extras["retry"]["max_attempts"] == 7


async def test_typed_arguments_come_back_typed(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    def keep(when: datetime, *, shares: tuple[float, ...]) -> None:
        calls.append((when, shares))

    scheduler.register_task(define(keep, task_id="job"))
    scheduler.create_schedule("job", every_second(), args=[NOW], kwargs={"shares": (0.5, 1.5)})
    await seconds(scheduler, clock, 1)
    assert calls == [(NOW, (0.5, 1.5))]


async def test_the_last_of_its_runs_ends_it(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", every_second(), max_runs=3, misfire="run_all")
    clock.advance(seconds=2)
    await scheduler.run_due()
    await seconds(scheduler, clock, 4)
    assert len(calls) == 3
    found = scheduler.get_schedule(one)
    assert (found.run_count, found.next_fire_time, found.ended) == (3, None, True)
    assert scheduler.schedule_status(one).status == "ended"
    audit = scheduler.audit(one, NOW, clock.now())
    assert (len(audit.ticks), audit.missing) == (3, [])
    assert "had ended" in scheduler.explain(one, NOW + 4 * SECOND).reason


async def test_saying_it_again_is_the_same_and_another_under_its_name_is_refused(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", every_second(), name="tick", args=[1])
    assert scheduler.create_schedule("job", every_second(), name="tick", args=[1]) == one
    assert scheduler.get_schedule(one).version == 1
    with pytest.raises(ScheduleExists, match="'tick'"):
        scheduler.create_schedule("job", every_second(), name="tick", args=[2])
    replaced = scheduler.create_schedule(
        "job", every_second(), name="tick", args=[2], replace=True, changelog="two"
    )
    assert replaced == one
    found = scheduler.get_schedule(one)
    assert (tuple(found.args), found.version, found.changelog) == ((2,), 2, "two")
    with pytest.raises(ScheduleExists, match="exists already"):
        scheduler.create_schedule("job", IntervalTrigger(9), schedule_id=one)
    assert [each.schedule_id for each in scheduler.find_schedules(name="tick")] == [one]


def test_versions_can_be_read_compared_and_rolled_back_to(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", IntervalTrigger(60), args=["a"], priority="low")
    clock.advance(seconds=5)
    scheduler.update_schedule(
        one, trigger=IntervalTrigger(3600), args=["b"], version=1, changelog="hourly"
    )
    with pytest.raises(VersionConflict, match=r"version 2, and the edit was made from version 1"):
        scheduler.update_schedule(one, args=["c"], version=1)
    first, second = scheduler.schedule_versions(one)
    assert (first.version, second.version, second.changelog) == (1, 2, "hourly")
    assert first.created_time == NOW
    assert second.changed_time == NOW + 5 * SECOND
    back = scheduler.rollback_schedule(one, 1)
    assert (back.version, back.trigger, tuple(back.args)) == (3, first.trigger, ("a",))
    assert back.changelog == "rolled back to version 1"
    assert back.next_fire_time == NOW + 60 * SECOND
    with pytest.raises(ScheduleNotFound, match="no version 9 in its history; there are 1, 2, 3"):
        scheduler.rollback_schedule(one, 9)


async def test_a_run_by_hand_has_its_record_and_moves_nothing(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule(
        "job", every_second(), args=["daily"], kwargs={"detailed": True}, max_runs=1
    )
    execution_id = scheduler.run_schedule_now(one, args=["special"], kwargs={"urgent": True})
    await scheduler.run_due()
    assert calls == [("special", ("detailed", True), ("urgent", True))]
    found = scheduler.get_schedule(one)
    assert (found.run_count, found.next_fire_time) == (0, NOW + SECOND)
    told = scheduler.explain(one, NOW)
    assert (told.outcome, told.execution_id) == (TickOutcome.FIRED, execution_id)
    assert told.reason.startswith("run by hand; execution ")
    scheduler.pause_schedule(one)
    assert scheduler.run_schedule_now(one) != execution_id
    await seconds(scheduler, clock, 2)
    assert calls[1:] == [("daily", ("detailed", True))]
    with pytest.raises(ScheduleNotFound):
        scheduler.run_schedule_now("nobody")


async def test_a_run_by_hand_of_what_has_not_ended_answers_that(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", every_second(), overlap="skip")
    first = scheduler.run_schedule_now(one)
    assert scheduler.run_schedule_now(one) == first
    assert outcomes(scheduler, one) == [TickOutcome.FIRED, TickOutcome.OVERLAP]
    await scheduler.run_due()
    assert scheduler.run_schedule_now(one) != first


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


async def test_an_event_may_bring_what_the_function_needs(scheduler: AdvancedTaskScheduler) -> None:
    def reorder(product_id: int, threshold: int) -> None:
        calls.append((product_id, threshold))

    scheduler.register_task(define(reorder, task_id="job"))
    one = scheduler.create_schedule("job", EventTrigger("stock.low"), kwargs={"threshold": 10})
    with pytest.raises(InvalidArguments, match="colour"):
        scheduler.create_schedule("job", EventTrigger("stock.low"), kwargs={"colour": "red"})
    scheduler.update_schedule(one, kwargs={"threshold": 5})
    scheduler.trigger_event("stock.low", {"product_id": 123})
    with pytest.raises(InvalidArguments, match="product_id"):
        scheduler.trigger_event("stock.low")
    with pytest.raises(InvalidArguments, match="product_id"):
        scheduler.update_schedule(one, trigger=every_second())
    await scheduler.run_due()
    assert calls == [(123, 5)]


async def test_events_of_one_instant_run_once_each_and_max_runs_ends_them(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", EventTrigger("e"), max_runs=2)
    assert [len(scheduler.trigger_event("e", {"n": n})) for n in range(3)] == [1, 1, 0]
    clock.advance(seconds=1)
    await scheduler.run_due()
    assert sorted(calls) == [(("n", 0),), (("n", 1),)]
    assert scheduler.get_schedule(one).ended


def test_an_event_that_one_listener_cannot_take_runs_none(
    scheduler: AdvancedTaskScheduler,
) -> None:
    def strict(size: int) -> None:
        raise AssertionError(size)

    scheduler.register_task(define(strict, task_id="strict", kwargs={"size": 1}))
    ready(scheduler)
    scheduler.create_schedule("strict", EventTrigger("e"))
    scheduler.create_schedule("job", EventTrigger("e"))
    scheduler.unregister_task("strict")
    with pytest.raises(TaskNotRegistered, match="strict"):
        scheduler.trigger_event("e")
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


async def test_the_status_counts_also_what_the_history_has_no_more(clock: ManualClock) -> None:
    made = AdvancedTaskScheduler(
        clock=clock, settings=Settings(history_limit=2, history_grace_seconds=0)
    )
    made.register_task(define(note, task_id="job"))
    one = made.create_schedule("job", every_second(), name="often")
    await seconds(made, clock, 6)
    assert len(made.store.find(ExecutionFilter(schedule_id=one))) < 6
    status = made.schedule_status(one)
    assert (status.run_count, status.success_count, status.error_count) == (6, 6, 0)
    assert (status.name, status.status, status.last_result) == ("often", "active", "success")
    assert (status.last_run, status.next_run) == (NOW + 6 * SECOND, NOW + 7 * SECOND)
    stats = made.schedule_statistics()
    assert (stats.total, stats.active, stats.triggered_total, stats.missed) == (1, 1, 6, 0)
    assert stats.success_rate == 1.0
    made.close()


async def test_a_one_shot_that_ran_does_not_run_again_however_often_it_is_said(
    scheduler: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    ready(scheduler)
    late = OneTimeTrigger(NOW - timedelta(hours=1))
    one = scheduler.create_schedule("job", late)
    await scheduler.run_due()
    assert scheduler.create_schedule("job", late) == one
    await scheduler.run_due()
    scheduler.remove_schedule(one)
    with pytest.raises(InvalidTrigger, match="never fires from now on"):
        scheduler.create_schedule("job", late)
    assert len(calls) == 1


def test_schedules_are_found_by_tags_and_state(scheduler: AdvancedTaskScheduler) -> None:
    ready(scheduler)
    ids = [
        scheduler.create_schedule("job", every_second(), args=[n], tags=tags)
        for n, tags in enumerate((["a", "b"], ["a"], []))
    ]
    scheduler.pause_schedule(ids[1])

    def found(**query: Any) -> set[str]:
        return {one.schedule_id for one in scheduler.find_schedules(**query)}

    assert found() == set(ids)
    assert found(tags=["a"]) == {ids[0], ids[1]}
    assert found(tags=["a"], status="active") == {ids[0]}
    assert found(status="paused") == {ids[1]}
    assert found(task_id="other") == set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "name=''"),
        ({"name": "a\nb"}, "name="),
        ({"args": "text"}, "args='text' must be a list"),
        ({"kwargs": [1]}, "kwargs="),
        ({"max_runs": 0}, "max_runs=0 must be a whole number"),
        ({"pause_on_failure": -1}, "pause_on_failure=-1"),
        ({"priority": "urgent"}, "priority='urgent' must be one of CRITICAL"),
        ({"queue": ""}, "queue=''"),
        ({"timeout": 0}, "timeout=0"),
        ({"metadata": {1: 2}}, "metadata="),
        ({"retry": 3}, "retry=3"),
    ],
)
def test_nonsense_is_refused_before_anything_is_stored(
    scheduler: AdvancedTaskScheduler, wrong: dict[str, Any], message: str
) -> None:
    ready(scheduler)
    with pytest.raises(InvalidArguments, match=message):
        scheduler.create_schedule("job", every_second(), **wrong)
    assert scheduler.get_schedules() == []
    one = scheduler.create_schedule("job", every_second())
    with pytest.raises(InvalidArguments, match=message):
        scheduler.update_schedule(one, **wrong)
    stored: Schedule = scheduler.get_schedule(one)
    assert stored.version == 1
    assert scheduler.store.counts().get((TaskStatus.PENDING, TaskPriority.NORMAL), 0) == 0
