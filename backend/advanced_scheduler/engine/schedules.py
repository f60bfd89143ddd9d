"""What the facade does to schedules: checks first, then replaces them as they were seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import InvalidArguments, InvalidTrigger, ScheduleNotFound, VersionConflict
from ..faults import is_storable
from ..models import LONGEST, MisfirePolicy, OverlapPolicy, Schedule, Tick, TickOutcome
from ..stores.base import Firing, Signal
from ..triggers import CronTrigger, Trigger, trigger_from_json
from .parts import Parts
from .plan import STRETCH, instants_between, next_instant

MOST_CAUGHT_UP: Final = 1000
_INSTANT: Final = timedelta(microseconds=1)
_AHEAD: Final = timedelta(days=1)  # a clock may be wrong by a lot
_MOST_AHEAD: Final = 100_000  # instants: more than a day has seconds


class Schedules:
    """The verbs on schedules behind ``AdvancedTaskScheduler``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_cron(self, task_id: str, trigger: CronTrigger, policies: Mapping[str, Any]) -> str:
        """Store the schedule unless it is there, then with these policies; answers its id."""
        task = self._parts.registry.get(task_id)
        task.bind((), {})
        chosen = checked_policies(policies)
        state = trigger.to_json()
        schedule_id = f"{task_id}@{_digest(state)}"
        # One of this id may have been removed, after a node whose clock is ahead had fired it.
        now = self._parts.clock.now()
        recorded = self._parts.store.ticks(schedule_id, now, now + _AHEAD, _MOST_AHEAD)
        last = recorded[-1].instant if recorded else None
        first = self._first(trigger, last)
        schedule = Schedule(
            schedule_id=schedule_id,
            task_id=task_id,
            trigger=state,
            next_fire_time=first,
            last_fire_time=last,
            ledger_from=first,
            **chosen,
        )
        if self._parts.store.put(schedule, expected=None):
            self._parts.signals.tell(Signal.SCHEDULES)
        elif chosen:
            self.update(schedule.schedule_id, {}, chosen)
        return schedule.schedule_id

    def update(
        self,
        schedule_id: str,
        trigger: Mapping[str, Any],
        policies: Mapping[str, Any],
        version: int | None = None,
    ) -> Schedule:
        """Edit arguments of the trigger and policies; what was due fires by the old version."""
        chosen = checked_policies(policies)
        if trigger:
            self._catch_up(self.get(schedule_id))

        def edit(seen: Schedule) -> Schedule:
            made = trigger_from_json({**seen.trigger, **trigger})
            if made.to_json() == seen.trigger:
                return replace(seen, **chosen)
            first = self._first(made, seen.last_fire_time)
            state = made.to_json()
            return replace(seen, trigger=state, next_fire_time=first, ledger_from=first, **chosen)

        return self._replace(schedule_id, edit, version)

    def pause(self, schedule_id: str) -> Schedule:
        """No tick fires on any node once this has returned."""
        seen = self.get(schedule_id)
        resumed, due = seen.resumed_time, seen.next_fire_time
        if resumed is not None and due is not None and due < resumed:
            self._parts.ticker.tick()  # the last pause has still to be recorded
        return self._replace(schedule_id, lambda seen: replace(seen, paused=True))

    def resume(self, schedule_id: str, *, catch_up: bool = False) -> Schedule:
        """Go on; ``catch_up`` treats the instants of the pause as missed ones."""
        since = None if catch_up else self._parts.clock.now()

        def edit(seen: Schedule) -> Schedule:
            return replace(seen, paused=False, resumed_time=since) if seen.paused else seen

        return self._replace(schedule_id, edit)

    def get(self, schedule_id: str) -> Schedule:
        """The schedule; raises ``ScheduleNotFound``."""
        ids = [schedule_id] if is_storable(schedule_id) else []
        for schedule in self._parts.store.schedules(ids):
            return schedule
        raise ScheduleNotFound(
            f"no schedule {schedule_id!r}: it never existed, or it was removed; "
            "get_schedules() lists what there is"
        )

    def _replace(
        self,
        schedule_id: str,
        edit: Callable[[Schedule], Schedule],
        version: int | None = None,
    ) -> Schedule:
        """Compare and set, again and again while other nodes fire it or edit it."""
        while True:
            seen = self.get(schedule_id)
            if version is not None and version != seen.version:
                raise VersionConflict(
                    f"schedule {schedule_id!r} has version {seen.version}, and the edit was made "
                    f"from version {version}; look at it again"
                )
            edited = edit(seen)
            if edited == seen:
                return seen
            edited = replace(edited, version=seen.version + 1)
            if self._parts.store.put(edited, expected=seen):
                self._parts.signals.tell(Signal.SCHEDULES)
                return edited

    def _is_due(self, seen: Schedule) -> bool:
        return seen.next_fire_time is not None and seen.next_fire_time <= self._parts.clock.now()

    def _catch_up(self, seen: Schedule) -> None:
        """Record what the old trigger still owes the ledger before it goes."""
        if not self._is_due(seen):
            return
        if not seen.paused:
            self._parts.ticker.tick()
            (seen,) = self._parts.store.schedules([seen.schedule_id]) or (seen,)
        now = self._parts.clock.now()
        try:
            trigger = trigger_from_json(seen.trigger)
        except InvalidTrigger:
            return
        while seen.next_fire_time is not None and seen.next_fire_time <= now:
            instants = instants_between(trigger, seen.next_fire_time, now + _INSTANT, STRETCH)
            following = next_instant(trigger, instants[-1], instants[-1])
            step = Firing(
                schedule_id=seen.schedule_id,
                version=seen.version,
                expected=seen.next_fire_time,
                last=seen.last_fire_time,
                next_fire_time=following,
                ticks=[_not_run(seen, one, now) for one in instants],
                executions=(),
            )
            if self._parts.store.fire([step]) != [True]:
                return  # another node is faster
            seen = replace(seen, next_fire_time=following, last_fire_time=instants[-1])

    def _first(self, trigger: Trigger, last: datetime | None) -> datetime:
        """The first instant from now on, and after ``last``, which has its record already."""
        now = self._parts.clock.now()
        first = next_instant(trigger, None, now if last is None else max(now, last + _INSTANT))
        if first is None:
            raise InvalidTrigger(f"{trigger!r} never fires from now on")
        return first


def checked_policies(policies: Mapping[str, Any]) -> dict[str, Any]:
    """The policies as fields of a ``Schedule``; raises ``InvalidArguments``."""
    unknown = sorted(set(policies) - _CHECKS.keys())
    if unknown:
        raise InvalidArguments(
            f"{unknown[0]}={policies[unknown[0]]!r} is no policy of a schedule; "
            f"use {', '.join(_CHECKS)}"
        )
    return {name: _CHECKS[name](name, value) for name, value in policies.items()}


def _one_of(kind: type[MisfirePolicy] | type[OverlapPolicy]) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(kind)
            raise InvalidArguments(f"{name}={value!r} must be one of {choices}") from None

    return check


def _check_catch_up(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CAUGHT_UP:
        raise InvalidArguments(f"{name}={value!r} must be a whole number, 1 to {MOST_CAUGHT_UP}")
    return value


def _check_grace(name: str, value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value <= LONGEST):
        raise InvalidArguments(f"{name}={value!r} must be 0 or more seconds, or None")
    return None if value is None else float(value)


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "misfire": _one_of(MisfirePolicy),
    "max_catch_up": _check_catch_up,
    "grace_seconds": _check_grace,
    "overlap": _one_of(OverlapPolicy),
}


def _not_run(schedule: Schedule, instant: datetime, now: datetime) -> Tick:
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


def _digest(state: Mapping[str, Any]) -> str:
    text = repr(sorted(state.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
