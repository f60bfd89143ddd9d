"""What the facade does to schedules: checks first, then replaces them as they were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from ..errors import (
    InvalidArguments,
    InvalidTrigger,
    ScheduleExists,
    ScheduleNotFound,
    StoreError,
    VersionConflict,
)
from ..faults import is_storable
from ..models import DEFINITION, Schedule, ScheduleFilter
from ..stores.abilities import Signal
from ..stores.base import Firing
from ..triggers import EventTrigger, Trigger, trigger_from_json
from .backfills import Backfills
from .ledger import in_utc
from .new_schedules import Asked, Edit, New, NewSchedules
from .options import check_execution_id, checked_list, plain_json
from .parts import Parts
from .plan import STRETCH, instants_between, next_instant
from .schedule_edits import INSTANT, is_same, not_run, revived, shifted, with_trigger
from .schedule_fields import (
    checked_call,
    checked_changelog,
    checked_name,
    checked_policies,
    checked_version,
)
from .steps import Wish
from .ticker import ATTEMPTS

SAID: Final = "said by the application"
"""The changelog of a version that ``create_schedule`` made; the first one is such, too."""
POLICIES_SAID: Final = f"policies {SAID}"
_AWARE: Final = "aware datetimes"


class _News(NamedTuple):
    """An edit that makes a schedule what the application says now."""

    edit: Callable[[Schedule], Schedule]
    changelog: str


class Schedules:
    """The verbs on schedules behind ``AdvancedTaskScheduler``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._new = NewSchedules(parts)
        self._backfills = Backfills(parts)

    def add(self, new: New, *, replacing: bool) -> Schedule:
        """Store the schedule unless it is there; answers what is there then.

        As long as an application says what it said last time, edits made since then stay. Raises
        ``ScheduleExists`` for another one of this id or name, unless ``replacing``.
        """
        asked, name = self._new.checked(new), new.said.name
        try:
            there = self._new.store([asked])[0]
        except ScheduleExists:
            named = self._parts.store.find_schedules(ScheduleFilter(name=name)) if name else []
            if not replacing or not named:
                raise
            there = named[0]
        return self._said(there, self._news(there, asked, replacing=replacing))

    def add_all(self, new: Sequence[New]) -> list[Schedule]:
        """``add`` for each, but nothing is stored if one of them is refused; in order."""
        asked = [self._new.checked(one) for one in new]
        found = self._new.store(asked, lambda there, one: self._news(there, one, replacing=False))
        edits = [self._news(*pair, replacing=False) for pair in zip(found, asked, strict=True)]
        return [self._said(*pair) for pair in zip(found, edits, strict=True)]

    def _said(self, there: Schedule, news: _News | None) -> Schedule:
        if news is None:
            return there
        return self._replace(there.schedule_id, news.edit, changelog=news.changelog)

    def _news(self, there: Schedule, asked: Asked, *, replacing: bool) -> _News | None:
        """What the application says that it has not said before."""
        wanted, chosen = asked.schedule, asked.policies
        if is_same(there, wanted) and all(getattr(there, one) == chosen[one] for one in chosen):
            return None
        said = told = there
        for one in self.versions(there.schedule_id):
            if one.version == 1 or one.changelog == SAID:
                said = told = one
            elif one.changelog == POLICIES_SAID:
                told = one
        if is_same(said, wanted):
            if all(getattr(told, name) == value for name, value in chosen.items()):
                return None
            return _News(lambda seen: replace(seen, **chosen), POLICIES_SAID)
        if not replacing and not is_same(there, wanted):
            raise ScheduleExists(
                f"schedule {there.schedule_id!r} exists already, with another task, trigger, "
                "arguments or name; use update_schedule(), or say replace=True"
            )
        whole = {name: getattr(wanted, name) for name in ("task_id", "args", "kwargs", "name")}

        def edit(seen: Schedule) -> Schedule:
            edited = replace(seen, **whole, **chosen)
            return with_trigger(edited, asked.trigger, self._parts.clock.now())

        return _News(edit, wanted.changelog or SAID)

    def update(self, schedule_id: str, edit: Edit) -> Schedule:
        """Edit a schedule; what was due fires by the old version.

        Raises ``ScheduleNotFound``, ``VersionConflict``, ``ScheduleExists`` for a name that is
        taken, and ``ValueError`` before anything is changed.
        """
        chosen = checked_policies(edit.policies)
        if edit.name is not None:
            chosen["name"] = checked_name(edit.name)
        seen = self.get(schedule_id)
        waited = waits = seen.event is not None
        if isinstance(edit.trigger, Trigger):
            waits = isinstance(edit.trigger, EventTrigger)
        if edit.args is not None or edit.kwargs is not None or (waited and not waits):
            task = self._parts.registry.get(seen.task_id)
            old = self._parts.arguments.load(task, seen.args, seen.kwargs)
            given = edit.args if edit.args is not None else old[0]
            named = edit.kwargs if edit.kwargs is not None else old[1]
            args, kwargs = self._new.packed(task, given, named, waits)
            chosen |= {} if edit.args is None else {"args": args}
            chosen |= {} if edit.kwargs is None else {"kwargs": kwargs}

        def apply(seen: Schedule) -> Schedule:
            edited, made = replace(seen, **chosen), edit.trigger
            if made is None:
                return edited
            if not isinstance(made, Trigger):
                made = trigger_from_json({**seen.trigger, **made})
            return with_trigger(
                edited, self._new.fitting(made, schedule_id), self._parts.clock.now()
            )

        return self._replace(schedule_id, apply, edit.version, edit.changelog)

    def rollback(self, schedule_id: str, version: int, changelog: str | None) -> Schedule:
        """Make what an earlier version said the next version."""
        kept = {one.version: one for one in self.versions(schedule_id)}
        if checked_version(version) not in kept:
            raise ScheduleNotFound(
                f"schedule {schedule_id!r} has no version {version!r} in its history; "
                f"there are {', '.join(map(str, kept))}"
            )
        old = {name: getattr(kept[version], name) for name in DEFINITION}
        trigger = trigger_from_json(kept[version].trigger)

        def edit(seen: Schedule) -> Schedule:
            return with_trigger(replace(seen, **old), trigger, self._parts.clock.now())

        why = changelog or f"rolled back to version {version}"
        return self._replace(schedule_id, edit, changelog=why)

    def pause(self, schedule_id: str, changelog: str | None = None) -> Schedule:
        """No tick fires on any node once this has returned."""
        seen = self.get(schedule_id)
        resumed, due = seen.resumed_time, seen.next_fire_time
        if resumed is not None and due is not None and due < resumed:
            self._parts.ticker.tick()  # the last pause has still to be recorded
        return self._replace(
            schedule_id, lambda seen: replace(seen, paused=True), changelog=changelog or "paused"
        )

    def resume(self, schedule_id: str, *, catch_up: bool = False) -> Schedule:
        """Go on; ``catch_up`` treats the instants of the pause as missed ones."""

        def edit(seen: Schedule) -> Schedule:
            if not seen.paused:
                return seen
            now = self._parts.clock.now()
            later = shifted(seen, now)
            missed_none = catch_up or later is not seen
            return replace(later, paused=False, resumed_time=None if missed_none else now)

        return self._replace(schedule_id, edit, changelog="resumed")

    def get(self, schedule_id: str) -> Schedule:
        """The schedule; raises ``ScheduleNotFound``."""
        ids = [schedule_id] if is_storable(schedule_id) else []
        for schedule in self._parts.store.schedules(ids):
            return schedule
        raise ScheduleNotFound(
            f"no schedule {schedule_id!r}: it never existed, or it was removed; "
            "list the schedules to see which there are"
        )

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest versions, oldest first; raises ``ScheduleNotFound``."""
        seen = self.get(schedule_id)
        kept = self._parts.store.versions(schedule_id)
        return kept or [seen]  # stored by a release that kept no versions

    def run(self, schedule_id: str, args: object, kwargs: object, new_id: str | None = None) -> str:
        """Run it once, now; answers the id of the execution, or of the one that has not ended."""
        given, named = checked_call(args, kwargs)
        check_execution_id(new_id)
        wish = Wish(
            reason="run by hand",
            args=given,
            kwargs=named or {},
            by_hand=True,
            execution_id=new_id,
        )
        asked = [] if new_id is None else [new_id]

        def find() -> list[Schedule]:
            there = asked and self._parts.store.get(asked)
            return [] if there else [self.get(schedule_id)]

        while True:
            ids = self._parts.ticker.run(find, wish)
            if ids:  # else what stood in its way has just ended, or the id is there
                return ids[0]
            if asked and self._parts.store.get(asked):
                return asked[0]

    def backfill(
        self,
        schedule_id: str,
        instants: Iterable[datetime],
        force: bool | Mapping[datetime, str | None],
    ) -> list[str]:
        """The id of an execution for each of these instants: of that which is there, if any.

        With ``force`` of another one: for all, or for those that it names, under these new ids.
        All are due now: they do not go before what has waited since.
        """
        instants = checked_list("instants", instants, _AWARE)
        schedule, now = self.get(schedule_id), self._parts.clock.now()
        wanted = sorted({in_utc("instants", one) for one in instants})
        if wanted and wanted[-1] > now:
            raise InvalidArguments(f"instants: {wanted[-1]} is not in the past")
        for one in force.values() if isinstance(force, Mapping) else ():
            check_execution_id(one)
        requests = self._parts.steps.past(schedule, wanted)
        given = self._backfills.given(schedule, wanted, self._parts.intake.new_id)
        ids: dict[datetime, str | None] = {**given}
        if isinstance(force, Mapping):
            ids |= force
        elif force:
            ids |= dict.fromkeys(self._there(given))  # None: an id of its own
        rows = self._parts.intake.prepare(
            [one._replace(execution_id=ids[at]) for at, one in zip(wanted, requests, strict=True)],
            now,
        )
        return self._parts.intake.accept([row.with_changes({"due_time": now}) for row in rows], now)

    def backfilled(self, schedule_id: str, instants: Iterable[datetime]) -> dict[datetime, str]:
        """The executions that a backfill made for these instants, as long as they are there."""
        schedule = self.get(schedule_id)
        wanted = [in_utc("instants", one) for one in checked_list("instants", instants, _AWARE)]
        return self._there(self._backfills.known(schedule, wanted))

    def _there(self, ids: Mapping[datetime, str]) -> dict[datetime, str]:
        there = {row.execution_id for row in self._parts.store.get(ids.values())}
        return {at: one for at, one in ids.items() if one in there}

    def trigger_event(self, name: str, payload: object) -> list[str]:
        """Run what waits for this event; answers the ids of the executions."""
        query = ScheduleFilter(event=EventTrigger(name).event_name)
        brought = plain_json("payload", payload)
        wish = Wish(reason=f"event {name!r}", kwargs={}, payload=brought)
        return self._parts.ticker.run(lambda: self._parts.store.find_schedules(query), wish)

    def _replace(
        self,
        schedule_id: str,
        edit: Callable[[Schedule], Schedule],
        version: int | None = None,
        changelog: str | None = None,
    ) -> Schedule:
        """Compare and set, again and again while other nodes fire it or edit it.

        A trigger goes only once the ledger has all of its instants up to now.
        """
        changelog = checked_changelog(changelog)
        if version is not None:
            checked_version(version)
        for _ in range(ATTEMPTS):
            seen = self.get(schedule_id)
            if version is not None and version != seen.version:
                raise VersionConflict(
                    f"schedule {schedule_id!r} has version {seen.version}, and the edit was made "
                    f"from version {version}; look at it again"
                )
            edited = edit(seen)
            if edited == seen:
                return seen
            replaced = edited.trigger != seen.trigger and edited.paused == seen.paused
            if replaced and self._catch_up(seen):  # a resume only moves its trigger on
                continue
            edited = revived(seen, edited, self._parts.clock.now())
            if seen.paused and edited.paused:  # its time of change moves: count the pause so far
                edited = shifted(edited, self._parts.clock.now())
            edited = replace(
                edited,
                version=seen.version + 1,
                changed_time=self._parts.clock.now(),
                changelog=changelog,
            )
            if self._parts.store.put(edited, expected=seen):
                self._parts.signals.tell(Signal.SCHEDULES)
                return edited
        raise StoreError(f"schedule {schedule_id!r} was changed {ATTEMPTS} times meanwhile")

    def _catch_up(self, seen: Schedule) -> bool:
        """Record what the trigger owes the ledger; whether it did: then it may owe some yet."""
        ticker, now, due = self._parts.ticker, self._parts.clock.now(), seen.next_fire_time
        if due is None or due > now:
            return False
        if not seen.paused:
            ticker.tick()
            if seen.schedule_id not in ticker.parked:
                return True
        try:
            trigger = trigger_from_json(seen.trigger)
        except InvalidTrigger:  # of a newer release: nobody here can tell what it owes
            return False
        last = seen.last_fire_time
        while due is not None and due <= now:
            instants = instants_between(trigger, due, now + INSTANT, STRETCH)
            following = next_instant(trigger, instants[-1], instants[-1])
            step = Firing(
                schedule_id=seen.schedule_id,
                version=seen.version,
                expected=due,
                last=last,
                next_fire_time=following,
                ticks=[not_run(seen, one, now) for one in instants],
                executions=(),
            )
            if self._parts.store.fire([step]) != [True]:
                break  # another node is faster
            due, last = following, instants[-1]
        return True
