"""Schedules whose triggers say the same share one on a node; objects are never taken for equal."""

from __future__ import annotations

from datetime import datetime, timedelta

from advanced_scheduler import AdvancedTaskScheduler, CronTrigger
from advanced_scheduler.clock import ManualClock
from tests.support.definitions import nothing
from tests.unit.engine.kit import NOW, add_task


class Later:
    """A trigger of an application, all of which look alike."""

    def __init__(self, **distance: int) -> None:
        self._instant = NOW + timedelta(**distance)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Once."""
        return self._instant if previous is None or previous < self._instant else None

    def __repr__(self) -> str:
        return "Later()"


async def test_a_trigger_is_built_once_for_all_schedules_that_have_it(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    add_task(target, nothing)
    for number in range(9):
        target.schedule_cron_task("job", "*/5 * * * *", name=str(number))
    clock.advance(minutes=5)

    assert await target.run_due() == 9
    (shared,) = target._parts.ticker._steps._triggers.values()
    assert shared == CronTrigger("*/5 * * * *")
    due = {one.next_fire_time for one in target.get_schedules()}
    assert due == {shared.get_next_fire_time(None, clock.now() + timedelta(seconds=1))}


async def test_objects_that_look_alike_fire_at_their_own_times(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    add_task(target, nothing)
    first = target.create_schedule("job", Later(minutes=1), schedule_id="first")
    second = target.create_schedule("job", Later(minutes=2), schedule_id="second")
    clock.advance(minutes=1)
    assert await target.run_due() == 1
    clock.advance(minutes=1)
    assert await target.run_due() == 1

    ran = {row.schedule_id: row.scheduled_time for row in target.executions()}
    assert ran == {first: NOW + timedelta(minutes=1), second: NOW + timedelta(minutes=2)}
