"""Execution ids that the caller brings: one execution each, also after it has ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from advanced_scheduler import AdvancedTaskScheduler, InvalidArguments, ScheduleOptions
from advanced_scheduler.engine.ids import ExecutionIds, first_id_at, id_for, is_id

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
