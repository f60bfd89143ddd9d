"""Schedules of every kind: arguments, limits, versions, runs by hand, what they report."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    IntervalTrigger,
    InvalidArguments,
    InvalidTrigger,
    ManualClock,
    OneTimeTrigger,
    RetryConfig,
    ScheduleExists,
    ScheduleNotFound,
    Settings,
    TaskPriority,
    TaskStatus,
    TickOutcome,
    VersionConflict,
)
from advanced_scheduler.models import ExecutionFilter, Schedule
from tests.support.definitions import define
from tests.unit.engine.kit import NOW
from tests.unit.engine.notes import (
    SECOND,
    calls,
    every_second,
    note,
    outcomes,
    ready,
    seconds,
)


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


async def test_a_run_with_arguments_of_its_own_is_not_lost_behind_one_that_waits(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", every_second(), args=["daily"], overlap="queue_one")
    first = scheduler.run_schedule_now(one)
    assert scheduler.run_schedule_now(one) == first
    special = [
        scheduler.run_schedule_now(one, args=["special"]),
        scheduler.run_schedule_now(one, kwargs={"urgent": True}),
    ]
    assert len({first, *special}) == 3
    while await scheduler.run_due():
        pass
    assert calls == [("daily",), ("special",), ("daily", ("urgent", True))]


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


def said(scheduler: AdvancedTaskScheduler, **more: Any) -> str:
    """What the code of an application says at every start."""
    return scheduler.create_schedule("job", IntervalTrigger(60), args=["a"], name="it", **more)


def test_what_was_edited_stays_as_long_as_the_code_says_the_same(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = said(scheduler, timeout=60)
    edited = scheduler.update_schedule(
        one, trigger=IntervalTrigger(3600), args=["b"], name="that", timeout=7
    )
    assert said(scheduler, timeout=60) == said(scheduler, timeout=60, replace=True) == one
    assert scheduler.get_schedule(one) == edited
    said(scheduler, timeout=61)
    newer = scheduler.get_schedule(one)
    assert (newer.timeout, newer.trigger, newer.version) == (61, edited.trigger, 3)
    scheduler.update_schedule(one, timeout=8)
    said(scheduler, timeout=61)
    assert scheduler.get_schedule(one).timeout == 8


def test_another_definition_in_the_code_takes_over_only_if_it_says_so(
    scheduler: AdvancedTaskScheduler,
) -> None:
    ready(scheduler)
    one = said(scheduler)
    with pytest.raises(ScheduleExists):
        scheduler.create_schedule("job", IntervalTrigger(30), args=["a"], name="it")
    for _ in range(2):
        again = scheduler.create_schedule(
            "job", IntervalTrigger(30), args=["a"], name="it", replace=True
        )
        assert again == one
    assert scheduler.get_schedule(one).version == 2
    scheduler.update_schedule(one, args=["c"])
    scheduler.create_schedule("job", IntervalTrigger(30), args=["a"], name="it", replace=True)
    assert tuple(scheduler.get_schedule(one).args) == ("c",)


def test_an_edit_changes_nothing_that_it_does_not_name(tmp_path: Path, clock: ManualClock) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    pair = [AdvancedTaskScheduler(store=url, clock=clock) for _ in range(2)]
    for each in pair:
        ready(each)
    one = pair[0].create_schedule("job", every_second(), args=[0], kwargs={"k": 0})
    for number in range(1, 11):
        edits: list[dict[str, Any]] = [{"args": [number]}, {"kwargs": {"k": number}}]
        threads = [
            threading.Thread(target=each.update_schedule, args=(one,), kwargs=edit)
            for each, edit in zip(pair, edits, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = pair[0].get_schedule(one)
        assert (tuple(found.args), dict(found.kwargs)) == ((number,), {"k": number})
    for each in pair:
        each.close()


@pytest.mark.parametrize("limit", [3, None])
async def test_a_higher_limit_lets_it_go_on(
    scheduler: AdvancedTaskScheduler, clock: ManualClock, limit: int | None
) -> None:
    ready(scheduler)
    one = scheduler.create_schedule("job", every_second(), max_runs=1)
    await seconds(scheduler, clock, 3)
    assert scheduler.get_schedule(one).ended
    assert scheduler.update_schedule(one, max_runs=limit).next_fire_time == NOW + 3 * SECOND
    await seconds(scheduler, clock, 2)
    assert len(calls) == 3
    assert scheduler.get_schedule(one).ended is (limit is not None)
    assert scheduler.audit(one, NOW, clock.now()).missing == []


def test_the_past_is_filled_in_and_nothing_else(scheduler: AdvancedTaskScheduler) -> None:
    ready(scheduler)
    schedule_id = scheduler.create_schedule("job", every_second())
    before = [NOW - 2 * SECOND, NOW - SECOND]
    first = scheduler.backfill_schedule(schedule_id, reversed(before))
    assert scheduler.backfill_schedule(schedule_id, before) == first
    assert scheduler.backfill_schedule(schedule_id, before, force=True) == first  # not ended yet
    rows = scheduler.store.get(first)
    assert [row.scheduled_time for row in rows] == before
    assert rows[0].extras["metadata"] == {"backfill": before[0].isoformat()}
    with pytest.raises(InvalidArguments, match="is not in the past"):
        scheduler.backfill_schedule(schedule_id, [NOW + SECOND])
    with pytest.raises(InvalidArguments, match="execution_id"):
        scheduler.backfill_schedule(schedule_id, before, force={before[0]: "another"})
    not_a_list: Any = NOW
    with pytest.raises(InvalidArguments, match="must be a list"):
        scheduler.backfill_schedule(schedule_id, not_a_list)
