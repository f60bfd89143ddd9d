"""Many schedules in one call: all or none, and once however often they are said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, CronTrigger, DailyTrigger
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import InvalidArguments, ScheduleExists, TaskNotRegistered
from advanced_scheduler.models import Schedule
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.definitions import add
from tests.unit.engine.kit import add_task
from tests.unit.engine.kit import scheduler as make

NOON = DailyTrigger("12:00")


def said(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    """Schedules of the task ``job`` that differ in their arguments."""
    return [{"task": "job", "trigger": NOON, "args": (one, 1), **more} for one in numbers]


def test_they_are_those_that_one_call_each_would_make(target: AdvancedTaskScheduler) -> None:
    add_task(target, add)
    one = target.create_schedule("job", NOON, args=(2, 1), overlap="skip")
    made = target.get_schedule(one)
    target.remove_schedule(one)

    ids = target.create_schedules(said(1, 2, 3, overlap="skip"))

    assert ids[1] == one
    assert target.get_schedule(one) == made
    assert [target.get_schedule(each).args for each in ids] == [(1, 1), (2, 1), (3, 1)]
    assert target.create_schedules(iter([])) == []


def test_what_is_there_stays_as_it_was_edited_and_the_rest_is_added(
    target: AdvancedTaskScheduler,
) -> None:
    add_task(target, add)
    first, second = target.create_schedules(said(1, 2))
    target.update_schedule(first, trigger=CronTrigger("0 3 * * *"))

    assert target.create_schedules(said(2, 1, 3, 3))[:2] == [second, first]
    assert len(target.get_schedules()) == 3
    assert target.get_schedule(first).trigger["type"] == "cron"


def test_policies_that_are_new_are_taken_over(target: AdvancedTaskScheduler) -> None:
    add_task(target, add)
    ids = target.create_schedules(said(1, 2))

    assert target.create_schedules(said(1, 2, misfire="skip")) == ids
    assert [target.get_schedule(one).misfire for one in ids] == ["skip", "skip"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"task": "job"}, InvalidArguments),
        ("job", InvalidArguments),
        ({"task": "nobody", "trigger": NOON}, TaskNotRegistered),
        ({"task": "job", "trigger": NOON}, InvalidArguments),
        ({"task": "job", "trigger": NOON, "args": (1, 1), "replace": True}, InvalidArguments),
        (said(9, name="taken")[0], ScheduleExists),
        (said(9, schedule_id="theirs")[0], ScheduleExists),
        (said(9, schedule_id="new")[0], ScheduleExists),
    ],
)
def test_if_one_is_refused_nothing_is_stored(
    wrong: Any, error: type[Exception], target: AdvancedTaskScheduler
) -> None:
    add_task(target, add)
    target.create_schedules(said(5, name="taken", schedule_id="theirs"))
    before = target.get_schedules()

    with pytest.raises(error):
        target.create_schedules([*said(1), *said(2, schedule_id="new"), wrong])
    assert target.get_schedules() == before


class Counting(MemoryStore):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("add_schedules", "put", "schedules", "versions", "ticks", "last_ticks"):
            self.calls.append(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("numbers", [range(1), range(500)])
def test_any_number_of_them_is_as_many_round_trips(
    numbers: Sequence[int], clock: ManualClock
) -> None:
    store = Counting()
    target = make(store, clock=clock)
    add_task(target, add)
    store.calls.clear()

    target.create_schedules(said(*numbers))
    assert store.calls == ["schedules", "last_ticks", "add_schedules"]
    store.calls.clear()
    target.create_schedules(said(*numbers))
    assert store.calls == ["schedules"]
    target.close()


def test_somebody_who_is_faster_is_seen(clock: ManualClock) -> None:
    class Raced(MemoryStore):
        def add_schedules(self, new: Sequence[Schedule]) -> bool:
            if not self.schedules():
                super().add_schedules(new[:1])
            return super().add_schedules(new)

    target = make(Raced(), clock=clock)
    add_task(target, add)
    assert len(target.create_schedules(said(1, 2))) == 2
    assert len(target.get_schedules()) == 2
    target.close()


async def test_what_had_run_before_it_was_removed_does_not_run_again(
    clock: ManualClock, target: AdvancedTaskScheduler
) -> None:
    add_task(target, add)
    (one,) = target.create_schedules(said(1))
    due = target.get_schedule(one).next_fire_time
    assert due is not None
    clock.set(due)
    assert await target.run_due() == 1
    target.remove_schedule(one)

    target.create_schedules(said(1))
    again = target.get_schedule(one)
    assert again.last_fire_time == due
    assert again.next_fire_time == due + timedelta(days=1)
