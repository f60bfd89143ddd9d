"""Execution ids that the caller brings: one execution each, also after it has ended."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from uuid import UUID

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    InvalidArguments,
    ScheduleOptions,
    current_execution,
)
from advanced_scheduler.engine.ids import ExecutionIds, first_id_at, id_for, ids_under, is_id
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.definitions import nothing
from tests.unit.engine.kit import add_task, faulty, scheduler

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_the_id_of_an_instant_and_its_names_is_always_the_same() -> None:
    made = id_for(NOON, "beat", "heart")
    assert made == id_for(NOON.astimezone(timezone(timedelta(hours=5))), "beat", "heart")
    others = {
        id_for(NOON + timedelta(microseconds=1), "beat", "heart"),
        id_for(NOON, "beat", "hearts"),
        id_for(NOON, "beathe", "art"),
    }
    assert len(others | {made}) == 4
    assert is_id(made)
    assert (UUID(made).version, UUID(made).variant) == (7, "specified in RFC 4122")
    assert first_id_at(NOON) < made < ExecutionIds().make(NOON + timedelta(milliseconds=1))


def test_what_is_made_under_neighbours_is_never_the_same() -> None:
    """In the order in which it is made, and of the time of what it is made under."""
    origin = id_for(NOON, "request")
    made = list(islice(ids_under(origin, "request"), 100))
    assert made == list(islice(ids_under(origin, "request"), 100)) == sorted(made)
    assert all(map(is_id, made))
    assert {one[:18] for one in made} == {origin[:18]}
    below = [one for each in made for one in islice(ids_under(each, "workflow"), 100)]
    beside = islice(ids_under(origin, "workflow"), 100)
    assert len({origin, *made, *below, *beside}) == 1 + 100 + 100 * 100 + 100


def test_a_task_may_start_a_workflow_under_its_own_id(url: str) -> None:
    scheduler, ran = AdvancedTaskScheduler(store=url), list[str]()

    @scheduler.task(task_id="parent")
    def parent() -> None:
        scheduler.schedule_workflow(["child"], workflow_id=current_execution().execution_id)

    @scheduler.task(task_id="child")
    def child() -> None:
        ran.append("child")

    @scheduler.task(task_id="other")
    def other() -> None:
        ran.append("other")

    scheduler.schedule_workflow(["parent", "other"], workflow_id=id_for(NOON))
    for _ in range(2):
        asyncio.run(scheduler.run_due())
    assert sorted(ran) == ["child", "other"]
    scheduler.close()


def test_the_id_of_another_task_or_workflow_is_not_answered(url: str) -> None:
    scheduler, taken = AdvancedTaskScheduler(store=url), id_for(NOON)
    options = ScheduleOptions(execution_id=taken)
    old = scheduler.schedule_task(min, [1, 2])
    scheduler.schedule_task(sum, [1, 2], options=options)
    with pytest.raises(InvalidArguments, match=f"execution_id='{taken}' is taken"):
        scheduler.schedule_task(min, [1, 2], options=options)
    with pytest.raises(InvalidArguments, match="is taken"):
        scheduler.schedule_task(sum, [1, 2], options=replace(options, workflow_id="night"))
    asyncio.run(scheduler.run_due())
    with pytest.raises(InvalidArguments, match="is taken"):
        scheduler.retry_execution(old, new_id=taken)
    scheduler.close()


def test_an_id_that_is_known_is_answered_and_runs_no_more(url: str) -> None:
    scheduler = AdvancedTaskScheduler(store=url)
    options = ScheduleOptions(execution_id=id_for(NOON, "sum"))
    ids = {scheduler.schedule_task(sum, [1, 2], options=options) for _ in range(2)}
    assert asyncio.run(scheduler.run_due()) == 1
    ids.add(scheduler.schedule_task(sum, [1, 2], options=options))
    assert asyncio.run(scheduler.run_due()) == 0
    assert ids == {options.execution_id}
    scheduler.close()


@pytest.mark.parametrize(
    "options",
    [
        {"execution_id": "17"},
        {"execution_id": "8B7E6D5C-0000-7000-8000-000000000000"},
        {"execution_id": "8b7e6d5c-0000-4000-8000-000000000000"},
        {"execution_id": id_for(NOON), "connection": object()},
    ],
)
def test_an_id_that_cannot_be_is_refused(options: dict[str, str]) -> None:
    scheduler = AdvancedTaskScheduler()
    with pytest.raises(InvalidArguments, match="execution_id"):
        scheduler.schedule_task(sum, [1], options=ScheduleOptions(**options))  # type: ignore[arg-type]


def test_an_id_is_of_one_call() -> None:
    scheduler = AdvancedTaskScheduler()
    options = ScheduleOptions(execution_id=id_for(NOON))
    with pytest.raises(InvalidArguments, match="of one call"):
        scheduler.schedule_task_many(sum, [[[1]], [[2]]], options=options)


def test_two_who_run_a_schedule_under_one_id_at_once_are_told_the_same() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    add_task(target, nothing)
    target.create_schedule("job", IntervalTrigger(60), schedule_id="s")
    wanted = id_for(NOON, "request")
    told: list[str] = []

    def ask() -> None:
        told.append(target.run_schedule_now("s", execution_id=wanted))

    late = store.hold("fire")
    slower = threading.Thread(target=ask)
    slower.start()
    assert late.entered.wait(10)
    ask()
    late.released.set()
    slower.join()
    assert told == [wanted, wanted]
    assert len(target.executions(schedule_id="s")) == 1
    target.close()
