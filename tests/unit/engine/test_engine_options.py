"""What a caller may say of one call, and how anything else is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from advanced_scheduler.engine.options import checked
from advanced_scheduler.errors import InvalidArguments
from advanced_scheduler.models import LONGEST, ScheduleOptions, TaskPriority

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
    )
    assert checked(options) == ScheduleOptions(
        at=AWARE,
        priority=TaskPriority.HIGH,
        after=("id",),
        unique="key",
        timeout=0.5,
        tags=("x",),
        workflow_id="run",
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
    ],
)
def test_what_cannot_work_is_refused_by_name_and_value(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        checked(ScheduleOptions(**fields))
    assert message in str(refusal.value)


@pytest.mark.parametrize("options", [{}, {"delay": 5}, "soon", 5])
def test_options_of_another_type_are_refused(options: object) -> None:
    with pytest.raises(InvalidArguments, match="is not a ScheduleOptions"):
        checked(options)
