"""Owns the faults of the dependency and cron scenarios."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from advanced_scheduler.dag import TaskDependencyGraph
from advanced_scheduler.engine import plan, steps
from advanced_scheduler.engine.intake import Intake
from advanced_scheduler.engine.steps import Step, Steps
from advanced_scheduler.models import Schedule, ScheduleOptions
from advanced_scheduler.stores import sql_schedules
from advanced_scheduler.stores.base import Firing
from advanced_scheduler.triggers import cron, cron_text, wall
from advanced_scheduler.triggers.cron_fields import CronFields, Dates
from advanced_scheduler.triggers.zones import Pass

Patch = Callable[[Any, str, Any], None]


def no_cycle_check(patch: Patch) -> None:
    """Any dependency will do."""
    patch(TaskDependencyGraph, "_cycle", lambda self, task_id, wanted: None)


def unknown_waits(patch: Patch) -> None:
    """A dependency that nobody registered is waited for, in silence."""

    def bind(self: Any, dependencies: Any, options: ScheduleOptions, siblings: Any) -> Any:
        return tuple(self._bound(one, options.workflow_id, siblings) for one in dependencies)

    patch(Intake, "_bind", bind)


def no_dependencies(patch: Patch) -> None:
    """Nothing waits for anything."""
    patch(Intake, "_bind", lambda self, dependencies, options, siblings: ())


def monday_is_zero(patch: Patch) -> None:
    """Days of the week are numbered as APScheduler numbers them."""
    parse = cron_text.parse_cron

    def shifted(text: str) -> CronFields:
        fields = parse(text)
        months, days = fields.dates.months, fields.dates.days
        weekdays = frozenset(
            (one + 1) % 7 if isinstance(one, int) else one for one in days.weekdays
        )
        return replace(fields, dates=Dates(months, replace(days, weekdays=weekdays)))

    patch(cron, "parse_cron", shifted)


def never_is_fine(patch: Patch) -> None:
    """A date that never comes is no error."""
    patch(Dates, "ever", lambda self: True)
    patch(cron, "parse_cron", cron_text._parse.__wrapped__)  # past the caches
    patch(cron_text, "_days_of", cron_text._days_of.__wrapped__)


def no_gap(patch: Patch) -> None:
    """A time that the clock jumps over is lost."""
    patch(wall.WallTrigger, "_skipped", lambda self, stretch: False)


def both_passes(patch: Patch) -> None:
    """A time that the clock shows twice runs twice."""
    patch(wall, "_PASSES", dict.fromkeys(wall._PASSES, tuple(Pass)))


def drops_misfires(patch: Patch) -> None:
    """An instant that was missed by more than a second is not run, whatever the policy."""
    runs = plan._runs

    def in_time(schedule: Schedule, instants: Any, following: Any, now: Any) -> frozenset[Any]:
        chosen = runs(schedule, instants, following, now)
        return frozenset(one for one in chosen if now - one <= timedelta(seconds=1))

    patch(plan, "_runs", in_time)


def fires_twice(patch: Patch) -> None:
    """Each tick makes two executions."""
    due = Steps.due

    def doubled(self: Steps, schedule: Schedule, now: Any) -> Step:
        made = due(self, schedule, now)
        once = made.firing.executions
        twins = [row.with_changes({"execution_id": uuid4().hex}) for row in once]
        return replace(made, firing=replace(made.firing, executions=[*once, *twins]))

    patch(Steps, "due", doubled)


def ignores_priority(patch: Patch) -> None:
    """Executions of schedules are all of one priority."""
    patch(steps, "ScheduleOptions", lambda **given: ScheduleOptions(**(given | {"priority": None})))


def no_compare(patch: Patch, seconds: float = 0.1) -> None:
    """A node fires what it saw to be due, though another node has been faster."""

    def take(self: Any, firing: Firing) -> bool:
        fresh = [one for one in firing.ticks if sql_schedules._key(one) not in self._recorded]
        state = self._states.get(firing.schedule_id)
        if state is None:
            return False
        state.advance(firing)
        self._taken.append(replace(firing, ticks=fresh))
        return True

    due = Steps.due

    def slowly(self: Steps, schedule: Schedule, now: Any) -> Step:
        time.sleep(seconds)  # so that both have seen it
        return due(self, schedule, now)

    patch(sql_schedules._Step, "take", take)
    patch(Steps, "due", slowly)


def no_compare_and_slow(patch: Patch) -> None:
    """The same, so slow that it meets most pauses as well."""
    no_compare(patch, 0.5)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "no-cycle-check": no_cycle_check,
    "unknown-waits": unknown_waits,
    "no-dependencies": no_dependencies,
    "monday-is-zero": monday_is_zero,
    "never-is-fine": never_is_fine,
    "no-gap": no_gap,
    "both-passes": both_passes,
    "drops-misfires": drops_misfires,
    "fires-twice": fires_twice,
    "ignores-priority": ignores_priority,
    "no-compare": no_compare,
    "no-compare-and-slow": no_compare_and_slow,
}
