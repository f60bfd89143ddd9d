"""What a caller may say of one call, and how anything else is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest

from advanced_scheduler.engine.options import (
    checked,
    checked_queues,
    cleared_until,
    execution_filter,
)
from advanced_scheduler.errors import ConfigurationError, InvalidArguments
from advanced_scheduler.models import (
    LONGEST,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskPriority,
)

AWARE = datetime(2030, 1, 1, tzinfo=UTC)
NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001


def test_options_that_say_nothing_stay_as_they_are() -> None:
    assert checked(ScheduleOptions()) == ScheduleOptions()


def test_good_options_come_back_with_tuples_and_in_utc() -> None:
    tags: Sequence[str] = ["x"]
    options = ScheduleOptions(
        at=AWARE.astimezone(timezone(timedelta(hours=9))),
        priority=TaskPriority.HIGH,
        after=["id"],
        unique="key",
        timeout=0.5,
        tags=tags,
        workflow_id="run",
        queue="gpu",
        rank=-1000,
        retry=RetryConfig(RetryStrategy.FIXED, 5),
        executor="pool",
        metadata=MappingProxyType({"order": [1, {"deep": None}]}),
    )
    assert checked(options) == ScheduleOptions(
        at=AWARE,
        priority=TaskPriority.HIGH,
        after=("id",),
        unique="key",
        timeout=0.5,
        tags=("x",),
        workflow_id="run",
        queue="gpu",
        rank=-1000,
        retry=RetryConfig(RetryStrategy.FIXED, 5),
        executor="pool",
        metadata={"order": [1, {"deep": None}]},
    )
    assert checked(options).at is not options.at


@pytest.mark.parametrize("value", [1, "high", "HIGH", TaskPriority.HIGH])
def test_a_priority_can_be_named_or_numbered(value: Any) -> None:
    assert checked(ScheduleOptions(priority=value)).priority is TaskPriority.HIGH


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"at": NAIVE}, "at=datetime.datetime(2030, 1, 1, 0, 0) must be an aware datetime"),
        ({"at": "2030-01-01"}, "at='2030-01-01' must be an aware datetime"),
        ({"at": AWARE, "delay": 1}, "exclude each other"),
        (
            {"at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))},
            "within the years 1 to 9999",
        ),
        ({"delay": -1}, "delay=-1 must be 0 or more seconds"),
        ({"delay": "5"}, "delay='5' must be 0 or more seconds"),
        ({"delay": math.nan}, "delay=nan"),
        ({"delay": math.inf}, "at most 100 years"),
        ({"delay": LONGEST * 2}, "at most 100 years"),
        ({"delay": True}, "delay=True"),
        ({"timeout": 0}, "timeout=0 must be more than 0 seconds"),
        ({"timeout": -1}, "timeout=-1"),
        ({"timeout": math.nan}, "timeout=nan"),
        ({"timeout": 1e300}, "timeout=1e+300"),
        ({"timeout": "1"}, "timeout='1'"),
        ({"priority": 99}, "priority=99 must be one of CRITICAL (0), HIGH (1)"),
        ({"priority": "urgent"}, "priority='urgent'"),
        ({"priority": True}, "priority=True"),
        ({"priority": 1.5}, "priority=1.5"),
        ({"tags": "nightly"}, "tags='nightly' must be a list of texts"),
        ({"tags": [1]}, "tags=[1] must be a list of texts"),
        ({"tags": [""]}, "tags='' must be 1 to 200 characters"),
        ({"after": "0190"}, "after='0190' must be a list of texts"),
        ({"after": 5}, "after=5 must be a list of texts"),
        ({"unique": 5}, "unique=5 must be a text"),
        ({"unique": ""}, "unique='' must be 1 to 200 characters"),
        ({"unique": "x" * 201}, "must be 1 to 200 characters"),
        ({"unique": "\ud800"}, "that every store takes"),
        ({"workflow_id": b"run"}, "workflow_id=b'run' must be a text"),
        ({"queue": 5}, "queue=5 must be a text"),
        ({"queue": ""}, "queue='' must be 1 to 200 characters"),
        ({"executor": ["p"]}, "executor=['p'] must be a text"),
        ({"rank": 1001}, "rank=1001 must be a whole number from -1000 to 1000"),
        ({"rank": -1001}, "rank=-1001"),
        ({"rank": 0.5}, "rank=0.5"),
        ({"rank": True}, "rank=True"),
        ({"rank": None}, "rank=None"),
        ({"retry": 3}, "retry=3 must be a RetryConfig"),
        ({"retry": RetryConfig(retry_on=(ValueError,))}, "has retry_on=(<class 'ValueError'>,)"),
        ({"retry": RetryConfig(give_up_on=(OSError,))}, "set it in the retry_config of the task"),
        ({"retry": RetryConfig(wait=lambda _: 1.0)}, "has wait="),
        ({"retry": RetryConfig(stop=lambda _: True)}, "has stop="),
        ({"retry": RetryConfig(retry=lambda _: True)}, "has retry="),
        ({"metadata": [1]}, "metadata=[1] must be a dict with texts as keys"),
        ({"metadata": {1: 2}}, "metadata={1: 2} cannot be stored"),
        ({"metadata": {"a": {1: 2}}}, "pass plain JSON, with texts as keys"),
        ({"metadata": {"at": AWARE}}, "cannot be stored"),
        ({"metadata": {"a": (1, 2)}}, "tuple came back as list"),
        ({"metadata": {"a": "\ud800"}}, "cannot be stored"),
        ({"metadata": {"a": "x" * 2**20}}, "bytes of JSON; 1,048,576 are allowed"),
    ],
)
def test_what_cannot_work_is_refused_by_name_and_value(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        checked(ScheduleOptions(**fields))
    assert message in str(refusal.value)


def test_metadata_are_a_copy_within_the_limit() -> None:
    mine: dict[str, Any] = {"a": [1]}
    kept = checked(ScheduleOptions(metadata=mine)).metadata
    mine["a"].append(2)
    assert kept == {"a": [1]}
    with pytest.raises(InvalidArguments, match="takes 11 bytes of JSON; 10 are allowed"):
        checked(ScheduleOptions(metadata=mine), metadata_bytes=10)


@pytest.mark.parametrize("queues", [[], "gpu", [""], [5], 5])
def test_queues_that_name_none_are_refused(queues: Any) -> None:
    with pytest.raises(ConfigurationError, match="queues="):
        checked_queues(queues)


@pytest.mark.parametrize(
    ("statuses", "limit", "fields", "message"),
    [
        (["done"], 1, {}, r"statuses=\['done'\] must be a list of pending, running"),
        ("failed", 1, {}, "statuses='failed' must be a list"),
        (5, 1, {}, "statuses=5"),
        (None, 0, {}, "limit=0 must be a whole number from 1 to 10,000"),
        (None, 10_001, {}, "limit=10001"),
        (None, True, {}, "limit=True"),
        (None, 1, {"cursor": 5}, "cursor=5 must be a text"),
        (None, 1, {"queue": "\ud800"}, "queue="),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    statuses: Any, limit: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments, match=message):
        execution_filter(statuses, limit, **fields)


@pytest.mark.parametrize("before", [NAIVE, "2030-01-01", 5])
def test_history_ends_at_an_instant(before: Any) -> None:
    with pytest.raises(InvalidArguments, match="before="):
        cleared_until(before, AWARE)


@pytest.mark.parametrize("options", [{}, {"delay": 5}, "soon", 5])
def test_options_of_another_type_are_refused(options: object) -> None:
    with pytest.raises(InvalidArguments, match="is not a ScheduleOptions"):
        checked(options)
