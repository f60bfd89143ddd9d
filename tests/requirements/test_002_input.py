"""Document 002, what callers say: what is kept of it, and what is refused before it is stored."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from apscheduler.triggers.interval import IntervalTrigger as ForeignInterval

from advanced_scheduler import (
    InvalidArguments,
    ScheduleNotFound,
    TaskDefinition,
    TaskNotRegistered,
)
from advanced_scheduler.adapters.schedules import (
    CronSchedule,
    DailySchedule,
    EventTrigger,
    IntervalSchedule,
    MonthlySchedule,
    OneTimeSchedule,
    RedisStorage,
    Scheduler,
    ScheduleTemplate,
    WeeklySchedule,
)
from advanced_scheduler.triggers import AndTrigger, CronTrigger, IntervalTrigger, OrTrigger
from tests.requirements.document_002 import START, Call, Hours

TASK: Final = "reports.generate_report"
DAILY: Final = CronSchedule("0 9 * * *")
HOURLY: Final = IntervalSchedule(timedelta(hours=1))

called: Final[list[str]] = []


def job(text: str = "by its path") -> None:
    """A function of an application that names it by its dotted path."""
    called.append(text)


@pytest.fixture
def scheduler(timetable: Scheduler) -> Scheduler:
    return timetable


# --- Which task -----------------------------------------------------------------------------


@pytest.mark.parametrize("func_path", [job, f"{__name__}.job", f"{__name__}:job"])
@pytest.mark.parametrize("task", ["mine", job, f"{__name__}.job", f"{__name__}:job"])
async def test_a_task_is_its_id_its_function_or_the_path_of_that(
    scheduler: Scheduler, hours: Hours, func_path: Any, task: Any
) -> None:
    if callable(task):
        scheduler.schedule(task, HOURLY)  # a function needs no registering
    else:
        scheduler.scheduler.register_task(TaskDefinition("mine", "Mine", func_path))
        scheduler.schedule(task, HOURLY)
    called.clear()
    await hours.passing(scheduler, hours=1)
    assert called == ["by its path"]


@pytest.mark.parametrize("task", ["nobody.knows", "os.getcwd"])
async def test_a_task_that_is_not_registered_is_refused(scheduler: Scheduler, task: str) -> None:
    with pytest.raises(TaskNotRegistered, match=f"{task}.*not registered; .*register_task"):
        scheduler.schedule(task, HOURLY)
    assert await scheduler.list_schedules() == []


# --- What is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "schedule=None"),
        ({"schedule": DAILY, "colour": "red"}, "colour is no option of a schedule; use args"),
        ({"schedule": DAILY, "start_date": "soon"}, "start_date='soon' is not a time"),
        ({"schedule": DAILY, "start_date": True}, "start_date=True is not a time"),
        ({"schedule": DAILY, "end_date": "late"}, "end_date='late' is not a time"),
        ({"schedule": DAILY, "timezone": "Mars"}, "Mars"),
        ({"schedule": DAILY, "gap": "jump"}, "gap='jump'"),
        ({"schedule": DAILY, "jitter": -1}, "jitter=-1"),
        ({"schedule": DAILY, "max_retries": -1}, "max_retries=-1"),
        ({"schedule": DAILY, "max_retries": True}, "max_retries=True"),
        ({"schedule": DAILY, "retry_delay": "long"}, "retry_delay='long'"),
        ({"schedule": DAILY, "priority": "urgent"}, "priority='urgent'"),
        ({"schedule": DAILY, "unique": "never"}, "unique='never'"),
        ({"schedule": DAILY, "unique": True, "overlap": "skip"}, "say the same"),
        ({"schedule": DAILY, "args": "text"}, "args='text'"),
        ({"schedule": DAILY, "template": 5}, "template=5 must be a ScheduleTemplate"),
        ({"schedule": DAILY, "template": DAILY}, "must be a ScheduleTemplate"),
        ({"schedule": DAILY, "tags": "text"}, "tags='text'"),
        ({"schedule": EventTrigger("e"), "start_date": START}, "start_date=.*at every event e"),
        ({"schedule": EventTrigger("e"), "end_date": START}, "end_date=.*at every event e"),
        ({"schedule": EventTrigger("e"), "timezone": "UTC"}, "timezone='UTC' means nothing"),
        ({"schedule": EventTrigger("e"), "jitter": 5}, "jitter=5 means nothing"),
        ({"schedule": HOURLY, "gap": "skip"}, "gap='skip' means nothing to what runs every"),
        ({"schedule": HOURLY, "fold": "both"}, "fold='both' means nothing to what runs every"),
        ({"schedule": OneTimeSchedule(START), "jitter": 5}, "jitter=5 means nothing"),
        ({"schedule": OrTrigger([IntervalTrigger(60)]), "jitter": 5}, "jitter=5 means nothing"),
        ({"schedule": DAILY, "start_date": START, "end_date": "2020-01-01"}, "is before"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_stored(
    scheduler: Scheduler, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        scheduler.schedule(TASK, **options)
    assert await scheduler.list_schedules() == []


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (CronSchedule, ["61 * * * *"]),
        (IntervalSchedule, [timedelta(0)]),
        (OneTimeSchedule, ["tomorrow"]),
        (DailySchedule, [["25:00"]]),
        (WeeklySchedule, [["someday"], "10:00"]),
        (MonthlySchedule, [[32], "12:00"]),
        (MonthlySchedule, [[31], "12:00", "next"]),
        (EventTrigger, [""]),
        (AndTrigger, [[CronTrigger("0 0 30 2 1"), IntervalTrigger(7)]]),
        (ScheduleTemplate, []),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_at_once(kind: Any, arguments: list[Any]) -> None:
    wrong = {"colour": "red"} if kind is ScheduleTemplate else {}
    with pytest.raises(ValueError, match=r"."):
        kind(*arguments, **wrong)


async def test_a_name_that_nothing_can_have_is_not_found(scheduler: Scheduler) -> None:
    scheduler.schedule(TASK, DAILY, name="daily")
    names: list[Any] = [None, 7, "", "\0", "\ud800", []]
    for name in names:
        with pytest.raises(ScheduleNotFound, match="no schedule has the name"):
            await scheduler.get_schedule_by_name(name)


@pytest.mark.parametrize("tags", [1, "text", [None], [[]], [1, "a"]])
async def test_tags_that_are_no_texts_are_refused(scheduler: Scheduler, tags: Any) -> None:
    scheduler.schedule(TASK, DAILY, tags=["a"])
    with pytest.raises(InvalidArguments, match="tags="):
        await scheduler.list_schedules(tags=tags)
    assert len(await scheduler.list_schedules(tags=None)) == 1


@pytest.mark.parametrize("instance_id", ["", " one", "\0", 5, "x" * 201])
def test_a_name_that_no_node_can_have_is_refused(instance_id: Any) -> None:
    with pytest.raises(ValueError, match="name="):
        Scheduler(instance_id=instance_id)


@pytest.mark.parametrize("redis_url", [None, 7, b"redis://localhost", "", "localhost:6379"])
def test_an_address_that_is_none_is_refused(redis_url: Any) -> None:
    with pytest.raises(ValueError, match=r"store.*use redis://"):
        RedisStorage(redis_url=redis_url)


def test_a_prefix_that_is_none_is_refused() -> None:
    prefixes: list[Any] = [None, 7, "", "{x}"]
    for prefix in prefixes:
        with pytest.raises(ValueError, match="prefix="):
            RedisStorage(prefix=prefix)


def test_a_handler_that_cannot_be_called_is_refused(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="handler=7 cannot be called"):
        scheduler.on_schedule_error(7)  # type: ignore[type-var]


# --- What an edit keeps ---------------------------------------------------------------------


async def test_a_new_schedule_keeps_the_zone_and_the_window(scheduler: Scheduler) -> None:
    schedule_id = scheduler.schedule(
        TASK,
        DAILY,
        timezone="Asia/Tokyo",
        start_date=datetime(2023, 5, 1, 9, 30),  # noqa: DTZ001  # in Tokyo
        end_date="2023-05-02T12:00",
    )
    await scheduler.update_schedule(schedule_id, DailySchedule(["10:00"]))
    assert await scheduler.get_next_run_times(schedule_id) == [
        "2023-05-01T01:00:00Z",
        "2023-05-02T01:00:00Z",
    ]
    await scheduler.update_schedule(schedule_id, end_date=None, timezone="UTC")
    assert await scheduler.get_next_run_times(schedule_id, 3) == [
        "2023-05-01T10:00:00Z",
        "2023-05-02T10:00:00Z",
        "2023-05-03T10:00:00Z",
    ]


async def test_a_trigger_brings_its_own_zone_and_window(scheduler: Scheduler) -> None:
    schedule_id = scheduler.schedule(TASK, DAILY, timezone="Asia/Tokyo", start_date="2023-05-01")
    await scheduler.update_schedule(schedule_id, CronTrigger("0 9 * * *"))
    assert await scheduler.get_next_run_times(schedule_id, 1) == ["2023-04-12T09:00:00Z"]
    await scheduler.update_schedule(schedule_id, ForeignInterval(hours=1, start_date=START))
    await scheduler.update_schedule(schedule_id, start_date="2023-06-01T00:00:00+00:00")
    assert await scheduler.get_next_run_times(schedule_id, 1) == ["2023-06-01T00:00:00Z"]


async def test_an_edit_changes_what_it_names_and_nothing_else(scheduler: Scheduler) -> None:
    schedule_id = scheduler.schedule(
        TASK, DAILY, max_retries=5, retry_delay=10, timeout=30, tags=["a"], unique=True
    )
    before = await scheduler.get_schedule(schedule_id)
    after = await scheduler.update_schedule(schedule_id, retry_delay=20, timeout=None, name="new")
    assert (after.retry["max_attempts"], after.retry["initial_delay"]) == (5, 20)
    assert (after.timeout, after.name) == (None, "new")
    for kept in ("trigger", "tags", "overlap", "next_fire_time", "args", "kwargs"):
        assert getattr(after, kept) == getattr(before, kept)


async def test_a_schedule_that_waited_for_an_event_may_get_times(
    scheduler: Scheduler, hours: Hours
) -> None:
    schedule_id = scheduler.schedule(TASK, EventTrigger("told"))
    await scheduler.update_schedule(schedule_id, HOURLY)
    assert await scheduler.trigger_event("told") == []
    assert await hours.passing(scheduler, hours=1) == [Call(TASK)]
    await scheduler.update_schedule(schedule_id, EventTrigger("told"))
    assert await hours.passing(scheduler, hours=1) == []
    assert len(await scheduler.trigger_event("told")) == 1


async def test_saying_the_same_again_makes_no_second_schedule(scheduler: Scheduler) -> None:
    options: dict[str, Any] = {"kwargs": {"n": 1}, "jitter": 5, "start_date": "2023-05-01"}
    first, again = (scheduler.schedule(TASK, DAILY, **options) for _ in range(2))
    assert first == again
    assert len(await scheduler.list_schedules()) == 1


# --- Without the extra ----------------------------------------------------------------------


def test_no_client_of_redis_is_needed_without_redis() -> None:
    program = """
import sys
sys.modules["redis"] = None  # as if it were not installed
from advanced_scheduler.adapters import schedules
schedules.Scheduler().scheduler.close()
try:
    schedules.RedisStorage
except ValueError as error:
    print(error)
"""
    asked = [sys.executable, "-c", program]
    answer = subprocess.run(asked, capture_output=True, check=True, text=True)
    assert "pip install 'advanced-scheduler[redis]'" in answer.stdout
