"""Makes schedules of what callers say, and stores those that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from ..errors import InvalidTrigger, ScheduleExists, StoreError
from ..models import Schedule
from ..registry import RegisteredTask
from ..stores.abilities import Signal
from ..triggers import EventTrigger, Trigger
from .parts import Parts
from .plan import next_instant
from .schedule_edits import beginning, id_of, seeded
from .schedule_fields import checked_call, checked_changelog, checked_name, checked_policies
from .ticker import ATTEMPTS

_AHEAD: Final = timedelta(days=1)  # a clock may be wrong by a lot


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be different; None leaves a thing as it is.

    ``trigger`` is another one, or arguments of the present one to change.
    """

    trigger: Trigger | Mapping[str, Any] | None = None
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    name: str | None = None
    policies: Mapping[str, Any]
    version: int | None = None
    changelog: str | None = None


@dataclass(frozen=True, slots=True)
class New:
    """A schedule to make, as it was said; ``schedule_id=None`` has it follow from the rest."""

    task: RegisteredTask
    said: Edit
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The same, checked: a schedule without times, its trigger, and the policies that were said."""

    schedule: Schedule
    trigger: Trigger
    policies: Mapping[str, Any]


class NewSchedules:
    """From what was said to what is stored."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def checked(self, new: New) -> Asked:
        """What can be stored; raises ``ValueError`` for what cannot."""
        task, said = new.task, new.said
        assert isinstance(said.trigger, Trigger)
        policies = checked_policies(said.policies)
        waits = isinstance(said.trigger, EventTrigger)
        args, kwargs = self.packed(task, said.args, said.kwargs, waits)
        name = None if said.name is None else checked_name(said.name)
        if new.schedule_id is None:
            schedule_id = id_of(task, said.trigger, args, kwargs, name)
        else:
            schedule_id = checked_name(new.schedule_id, "schedule_id")
        trigger = self.fitting(said.trigger, schedule_id)
        schedule = Schedule(
            schedule_id=schedule_id,
            task_id=task.definition.task_id,
            trigger=trigger.to_json(),
            args=args,
            kwargs=kwargs,
            name=name,
            changelog=checked_changelog(said.changelog),
            **policies,
        )
        return Asked(schedule, trigger, policies)

    def packed(
        self, task: RegisteredTask, args: object, kwargs: object, waits: bool
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arguments as they are stored.

        ``waits``: for an event, which may bring what the function needs beside these.
        """
        given, named = checked_call(args, kwargs)
        return self._parts.arguments.pack(task, given or (), named or {}, partly=waits)

    def fitting(self, trigger: Trigger, schedule_id: str) -> Trigger:
        """What the store can keep of it; raises ``InvalidTrigger``."""
        if self._parts.store.durable and not trigger.durable:
            raise InvalidTrigger(
                f"{trigger!r} is an object of this process, and this store outlives it; use one "
                "of advanced_scheduler's triggers, or the store memory://"
            )
        return seeded(trigger, schedule_id)

    def store(
        self,
        asked: Sequence[Asked],
        look: Callable[[Schedule, Asked], object] = lambda there, asked: None,
    ) -> list[Schedule]:
        """Store those whose ids are free, all or none; answers what has these ids then.

        ``look`` sees each one that is there before anything is stored, and may raise. Raises
        ``ScheduleExists`` for a name that is taken, and for an id that is asked for twice.
        """
        wanted = _by_id(asked)
        for _ in range(ATTEMPTS):
            there = {one.schedule_id: one for one in self._parts.store.schedules(list(wanted))}
            for one in there.values():
                look(one, wanted[one.schedule_id])
            fresh = self._begun([one for key, one in wanted.items() if key not in there])
            if not fresh or self._parts.store.add_schedules(fresh):
                there |= {one.schedule_id: one for one in fresh}
                if fresh:
                    self._parts.signals.tell(Signal.SCHEDULES)
                return [there[one.schedule.schedule_id] for one in asked]
        raise StoreError(f"schedules like {next(iter(wanted))!r} came and went {ATTEMPTS} times")

    def _begun(self, asked: Sequence[Asked]) -> list[Schedule]:
        """As they are stored first.

        One of this id may have been removed, after it had run, or after a node whose clock is
        ahead had fired it.
        """
        now = self._parts.clock.now()
        starts = {
            one.schedule.schedule_id: min(
                now, next_instant(one.trigger.starting(now), None, now) or now
            )
            for one in asked
        }
        if not starts:
            return []
        recorded = self._parts.store.last_ticks(starts, min(starts.values()), now + _AHEAD)
        last = {one: at for one, at in recorded.items() if at >= starts[one]}

        def begun(one: Asked) -> Schedule:
            before = last.get(one.schedule.schedule_id)
            begins = beginning(one.trigger, before, now)
            times = {"last_fire_time": before, "created_time": now, "changed_time": now}
            return one.schedule.with_changes(**begins, **times)

        return [begun(one) for one in asked]


def _by_id(asked: Sequence[Asked]) -> dict[str, Asked]:
    """Each once; raises ``ScheduleExists`` where two that differ have one id."""
    found: dict[str, Asked] = {}
    for one in asked:
        known = found.setdefault(one.schedule.schedule_id, one)
        if known is not one and known != one:
            raise ScheduleExists(
                f"schedule {one.schedule.schedule_id!r} is asked for twice, in different ways"
            )
    return found
