"""What edits make of a schedule, in pure code: triggers, ids, the time of pauses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import InvalidTrigger
from ..models import Schedule, Tick, TickOutcome
from ..registry import RegisteredTask
from ..triggers import EventTrigger, Trigger, trigger_from_json
from .plan import next_instant

INSTANT: Final = timedelta(microseconds=1)
"""The distance of two instants that are told apart."""


def with_trigger(seen: Schedule, trigger: Trigger, now: datetime) -> Schedule:
    """The schedule with this trigger, due from now on; as it is, if it has that trigger.

    Raises ``InvalidTrigger`` for one that never fires.
    """
    if seen.trigger and same_trigger(seen.trigger, trigger.to_json()):
        return seen
    return replace(seen, **beginning(trigger, seen.last_fire_time, now))


def beginning(trigger: Trigger, last: datetime | None, now: datetime) -> dict[str, Any]:
    """The fields of a schedule whose trigger counts from now on, after ``last``.

    Raises ``InvalidTrigger`` for one that never fires.
    """
    begun = trigger.starting(now)
    event = begun.event_name if isinstance(begun, EventTrigger) else None
    first = _first(begun, last, now)
    if first is None and event is None:
        raise InvalidTrigger(f"{trigger!r} never fires from now on")
    return {
        "trigger": begun.to_json(),
        "event": event,
        "next_fire_time": first,
        "ledger_from": first,
    }


def seeded(trigger: Trigger, schedule_id: str) -> Trigger:
    """With jitter of its own: schedules of one trigger do not all wait for the same time."""
    state = trigger.to_json()
    if "jitter" not in state or "jitter_seed" in state:
        return trigger
    return trigger_from_json({**state, "jitter_seed": schedule_id})


def shifted(seen: Schedule, now: datetime) -> Schedule:
    """After a pause, what counts the time of the job goes on where it stopped."""
    try:
        trigger = trigger_from_json(seen.trigger)
    except InvalidTrigger:  # of a newer release, which will see to it
        return seen
    since = seen.changed_time or now
    later = trigger.after_pause(since, now)
    if later.to_json() == seen.trigger or seen.next_fire_time is None:
        return seen
    first = next_instant(later, None, seen.next_fire_time + (now - since))
    return replace(seen, trigger=later.to_json(), next_fire_time=first, ledger_from=first)


def same_trigger(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether both name the same instants; what a stored one has counted makes no difference."""
    if stored.get("type") != "timestamps" or asked.get("type") != "timestamps":
        return stored == asked
    counted = {"paused_seconds"} if "start_time" in asked else {"paused_seconds", "start_time"}
    said, has = (
        {name: value for name, value in state.items() if name not in counted}
        for state in (asked, stored)
    )
    return said == has


def revived(seen: Schedule, edited: Schedule, now: datetime) -> Schedule:
    """What had ended by its limit goes on, if the edit gives it a higher one."""
    limit, idle = edited.max_runs, edited.next_fire_time is None and edited.event is None
    if not idle or edited.max_runs == seen.max_runs or (limit and edited.run_count >= limit):
        return edited
    try:
        first = _first(trigger_from_json(edited.trigger), edited.last_fire_time, now)
    except InvalidTrigger:  # of a newer release
        return edited
    return replace(edited, next_fire_time=first, ledger_from=first)


def is_same(there: Schedule, asked: Schedule) -> bool:
    """Whether both run the same at the same instants, whatever their policies."""
    return same_trigger(there.trigger, asked.trigger) and all(
        getattr(there, name) == getattr(asked, name)
        for name in ("task_id", "args", "kwargs", "name")
    )


def id_of(
    task: RegisteredTask,
    trigger: Trigger,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    name: str | None,
) -> str:
    """The same for the same schedule, so that saying it again after a restart changes nothing."""
    state: list[Any] = sorted(trigger.to_json().items())
    if args or kwargs or name is not None:
        state = [state, list(args), sorted(kwargs.items()), name]
    digest = hashlib.sha256(repr(state).encode()).hexdigest()[:12]
    return f"{task.definition.task_id}@{digest}"


def not_run(schedule: Schedule, instant: datetime, now: datetime) -> Tick:
    """The record of an instant that an edit leaves behind."""
    outcome, reason = TickOutcome.PAUSED, "the schedule was paused"
    if not schedule.paused:
        outcome = TickOutcome.MISFIRED
        reason = "the schedule was edited before a node that knows its task could run it"
    return Tick(
        schedule_id=schedule.schedule_id,
        instant=instant,
        version=schedule.version,
        outcome=outcome,
        reason=reason,
        recorded_time=now,
    )


def _first(trigger: Trigger, last: datetime | None, now: datetime) -> datetime | None:
    """The first instant from now on, and after ``last``, which has its record already."""
    if last is None:
        return next_instant(trigger, None, now)
    first = next_instant(trigger, None, max(now, last + INSTANT))
    ran = first is not None and first <= last  # what happens once answers that at any time
    return next_instant(trigger, last, now) if ran else first
