"""Lends an application's own scheduler to a test: its tasks and schedules, in memory, at will."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from ..clock import ManualClock
from ..engine.schedule_edits import beginning
from ..errors import InvalidTrigger, SchedulerStateError
from ..models import Schedule
from ..scheduler import AdvancedTaskScheduler
from ..triggers import trigger_from_json
from .tester import SchedulerTester


@contextmanager
def taken_over(scheduler: AdvancedTaskScheduler) -> Iterator[SchedulerTester]:
    """Until the block ends, ``scheduler`` itself is in memory and on a ``ManualClock``.

    So whatever the application does with it, ``task.schedule()`` included, is the test's to run,
    and neither its store nor its Redis is written to. It has the tasks, pools and settings that it
    had, and its schedules as if they had just been made; no executions, and no listeners. At the
    end it is as it was. Raises ``SchedulerStateError`` if it is started.
    """
    if scheduler.started:
        raise SchedulerStateError("a test cannot take over a scheduler that runs; stop it first")
    own = vars(scheduler).copy()
    tasks, schedules = [*scheduler.task_definitions.values()], scheduler.get_schedules()
    pools = scheduler._pools.sizes
    settings = {"store": "memory://", "redis_url": None, "clock_offset_seconds": 0}
    clock = ManualClock()
    try:
        # Made anew in its place: tasks, and modules of the application, hold this very object.
        AdvancedTaskScheduler.__init__(
            scheduler,
            max_concurrent_tasks=scheduler.max_concurrent_tasks,
            settings=scheduler.settings.model_copy(update=settings),
            clock=clock,
            name=scheduler.name,
            queues=scheduler.queues,
        )
        for name, size in pools.items():
            scheduler.add_process_pool(size, name)
        for task in tasks:
            scheduler.register_task(task)
        scheduler.store.add_schedules([*_begun(schedules, clock.now())])
        with SchedulerTester(scheduler) as tester:
            yield tester
    finally:
        vars(scheduler).clear()
        vars(scheduler).update(own)


def _begun(schedules: list[Schedule], now: datetime) -> Iterator[Schedule]:
    """Those that have not ended, as on their first day."""
    for one in schedules:
        if one.ended:
            continue
        try:
            times = beginning(trigger_from_json(one.trigger), None, now)
        except InvalidTrigger:  # nothing is left of it by then
            continue
        fresh = {"last_fire_time": None, "run_count": 0, "created_time": now, "changed_time": now}
        yield one.with_changes(**times, **fresh)
