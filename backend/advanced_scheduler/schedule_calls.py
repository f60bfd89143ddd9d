"""The part of the face that is about schedules: what is due when, and what became of it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Unpack

from .engine.commands import Commands
from .engine.new_schedules import Edit, New
from .engine.options import checked_list
from .engine.parked import parked
from .engine.parts import Parts
from .engine.schedule_fields import Policies
from .engine.schedule_report import statistics, status_of_schedule
from .engine.schedules import Schedules
from .errors import InvalidArguments
from .faults import is_storable
from .models import (
    SCHEDULE_STATES,
    Audit,
    Explanation,
    Parked,
    Schedule,
    ScheduleFilter,
    ScheduleState,
    ScheduleStatistics,
    ScheduleStatus,
)
from .triggers import (
    CronTrigger,
    NextRun,
    Trigger,
    as_trigger,
    lint,
    next_runs,
    trigger_from_json,
)

_MOST_RUNS: Final = 10_000


class ScheduleCalls:
    """Calls on schedules; thread-safe, and the same on any node of a store."""

    _parts: Parts
    _commands: Commands
    _schedules: Schedules

    def schedule_cron_task(
        self,
        task_id: str,
        cron_expression: str,
        *,
        timezone: str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        **policies: Unpack[Policies],
    ) -> str:
        """Run a task by cron text, in UTC unless ``timezone`` says otherwise.

        ``create_schedule`` with a ``CronTrigger``; answers the id of the schedule. Raises
        ``ValueError``: "Invalid cron expression" with field and token, "not registered".
        """
        trigger = CronTrigger(
            cron_expression, timezone=timezone or "UTC", start_time=start_time, end_time=end_time
        )
        return self.create_schedule(
            task_id, trigger, args=args, kwargs=kwargs, name=name, **policies
        )

    def create_schedule(
        self,
        task: str | Callable[..., Any],
        trigger: Any,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        schedule_id: str | None = None,
        replace: bool = False,
        changelog: str | None = None,
        **policies: Unpack[Policies],
    ) -> str:
        """Run a task, a registered id or a callable, whenever ``trigger`` says so.

        ``trigger`` is one of ``advanced_scheduler.triggers``, or of APScheduler's. Answers the
        id of the schedule, which follows from task, trigger, arguments and name unless it is
        given: an application that says the same again after a restart gets the schedule that it
        has, with the instants that were missed and the edits that were made. Policies that are
        new in what it says are taken over. Raises ``ValueError``: not registered, arguments that
        do not fit, a trigger that never fires; ``ScheduleExists`` for another schedule of this
        id or ``name``, unless told to ``replace`` it (its next version).
        """
        new = self._new(
            task,
            trigger,
            args=args,
            kwargs=kwargs,
            name=name,
            schedule_id=schedule_id,
            changelog=changelog,
            **policies,
        )
        return self._schedules.add(new, replacing=replace).schedule_id

    def create_schedules(self, wanted: Iterable[Mapping[str, Any]]) -> list[str]:
        """Make many schedules, all or none, in one write; answers their ids in order.

        Each is a dict of what ``create_schedule`` takes: ``task``, ``trigger``, and by choice the
        other keywords, but for ``replace``. One that is there already stays, as it does there.
        Raises what ``create_schedule`` does, before anything is stored. Redis takes 1,000 of them
        in one step, and more in several: then a failure may leave the first ones, and to say all
        of them again adds the others.
        """
        new = [self._new(**_wanted(said)) for said in checked_list("wanted", wanted, "dicts")]
        return [made.schedule_id for made in self._schedules.add_all(new)]

    def update_schedule(
        self,
        schedule_id: str,
        *,
        trigger: Any = None,
        cron_expression: str | None = None,
        timezone: str | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: int | None = None,
        changelog: str | None = None,
        **policies: Unpack[Policies],
    ) -> Schedule:
        """Edit a schedule on all nodes at once; answers it with its new version.

        What is None stays as it is; ``cron_expression`` and ``timezone`` change the trigger that
        it has. An instant that was due when the trigger is edited is fired as it was, a later
        one as it is now: never both; other edits hold for what is due and not fired yet. A
        higher ``max_runs`` lets it go on. Raises ``ScheduleNotFound``, ``VersionConflict`` if
        ``version`` is not the one stored, and ``ValueError``, before anything is changed.
        """
        edits = {"expression": cron_expression, "timezone": timezone}
        changes = {key: value for key, value in edits.items() if value is not None}
        if trigger is not None and changes:
            raise InvalidArguments(
                f"trigger={trigger!r} has its own {', '.join(changes)}; give one or the other"
            )
        edit = Edit(
            trigger=as_trigger(trigger) if trigger is not None else changes or None,
            args=args,
            kwargs=kwargs,
            name=name,
            policies={**policies},
            version=version,
            changelog=changelog,
        )
        return self._schedules.update(schedule_id, edit)

    def schedule_versions(self, schedule_id: str) -> list[Schedule]:
        """The latest 100 versions of a schedule, oldest first; raises ``ScheduleNotFound``."""
        return self._schedules.versions(schedule_id)

    def rollback_schedule(
        self, schedule_id: str, version: int, *, changelog: str | None = None
    ) -> Schedule:
        """Make what an earlier version said the next version; whether it is paused stays.

        Raises ``ScheduleNotFound`` for a version that there is not.
        """
        return self._schedules.rollback(schedule_id, version, changelog)

    def pause_schedule(self, schedule_id: str, *, changelog: str | None = None) -> Schedule:
        """Fire no tick on any node once this has returned; raises ``ScheduleNotFound``."""
        return self._schedules.pause(schedule_id, changelog)

    def resume_schedule(self, schedule_id: str, *, catch_up: bool = False) -> Schedule:
        """Go on; raises ``ScheduleNotFound``.

        The instants of the pause, and one that was due and not fired when it began, are recorded
        as paused; with ``catch_up`` they are treated as missed ones, by the misfire policy.
        """
        return self._schedules.resume(schedule_id, catch_up=catch_up)

    def run_schedule_now(
        self,
        schedule_id: str,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        execution_id: str | None = None,
    ) -> str:
        """Run a schedule once, now, also while it is paused; answers the execution id.

        ``args`` take the place of the schedule's, ``kwargs`` override them by name. Where the
        overlap policy lets nothing run, the id is that of the execution that has not ended;
        by ``queue_one`` a run with arguments of its own waits all the same, behind that.
        With an ``execution_id`` (UUIDv7), asking again runs nothing again.
        Raises ``ScheduleNotFound``, ``TaskNotRegistered`` and ``InvalidArguments``.
        """
        return self._schedules.run(schedule_id, args, kwargs, execution_id)

    def trigger_event(self, name: str, payload: Mapping[str, Any] | None = None) -> list[str]:
        """Run every schedule whose trigger is ``EventTrigger(name)``; answers the execution ids.

        The executions are stored when this returns, and run as soon as a node is up that knows
        their task, which need not be known here. What of ``payload`` (JSON) the function has
        parameters for is passed by name; all of it is kept in the execution's
        ``extras["metadata"]``. By ``queue_one`` an event with a payload waits also behind one that
        waits. One whose function cannot be called like that fails, and says why.
        Raises ``InvalidTrigger`` for a bad name, ``InvalidArguments`` for a bad payload.
        """
        return self._schedules.trigger_event(name, {} if payload is None else payload)

    def get_schedules(self) -> list[Schedule]:
        """All schedules of the store, by id."""
        return self._parts.store.schedules()

    def get_schedule(self, schedule_id: str) -> Schedule:
        """One schedule; raises ``ScheduleNotFound``."""
        return self._schedules.get(schedule_id)

    def find_schedules(
        self,
        *,
        name: str | None = None,
        event: str | None = None,
        task_id: str | None = None,
        tags: Collection[str] = (),
        status: ScheduleState | None = None,
    ) -> list[Schedule]:
        """The schedules for which all of this holds, by id; ``tags`` are those it must have.

        Raises ``InvalidArguments``.
        """
        texts = {"name": name, "event": event, "task_id": task_id}
        for key, text in texts.items():
            if text is not None and not isinstance(text, str):
                raise InvalidArguments(f"{key}={reprlib.repr(text)} must be a text, or None")
        wanted = {*checked_list("tags", tags, "texts", str)}
        if status not in (None, *SCHEDULE_STATES):
            raise InvalidArguments(
                f"status={status!r} must be one of {', '.join(SCHEDULE_STATES)}, or None"
            )
        if not all(text is None or is_storable(text) for text in texts.values()):
            return []  # no store has such a text
        found = self._parts.store.find_schedules(
            ScheduleFilter(name=name, event=event, task_id=task_id)
        )
        return [one for one in found if wanted <= set(one.tags) and status in (None, one.state)]

    def remove_schedule(self, schedule_id: str) -> bool:
        """Delete a schedule; its ledger stays. False if there is no such schedule."""
        return is_storable(schedule_id) and self._parts.store.remove(schedule_id)

    def next_runs(self, schedule_id: str, count: int = 5) -> list[NextRun]:
        """The next instants, as if it were not paused; a note marks what a clock change moves.

        Raises ``ScheduleNotFound``, and ``InvalidArguments`` for a ``count`` beyond 10,000.
        """
        if type(count) is not int or not 0 <= count <= _MOST_RUNS:
            raise InvalidArguments(f"count={count!r} must be a whole number, 0 to {_MOST_RUNS:,}")
        seen = self._schedules.get(schedule_id)
        start = seen.next_fire_time
        if start is None:
            return []
        left = count if seen.max_runs is None else min(count, seen.max_runs - seen.run_count)
        return next_runs(self._trigger_of(seen), left, start)

    def lint_schedule(self, schedule_id: str) -> list[str]:
        """Which of its instants in the next two years do not exist or come twice, in words.

        Raises ``ScheduleNotFound``.
        """
        seen = self._schedules.get(schedule_id)
        return lint(self._trigger_of(seen), self._parts.clock.now())

    def schedule_status(self, schedule_id: str) -> ScheduleStatus:
        """How a schedule is doing; raises ``ScheduleNotFound``."""
        return status_of_schedule(self._parts.store, self._schedules.get(schedule_id))

    def schedule_statistics(self) -> ScheduleStatistics:
        """How all schedules of the store are doing."""
        uptime = self._parts.monitor.get_health_status()["uptime_seconds"]
        return statistics(self._parts.store, self._parts.clock, uptime)

    def explain(self, schedule_id: str, instant: datetime) -> Explanation:
        """What became of a schedule at this instant, in words: why it ran late, or not at all.

        Raises ``ScheduleNotFound`` where there is neither a schedule nor a record.
        """
        return self._parts.ledger.explain(schedule_id, instant)

    def audit(self, schedule_id: str, start: datetime, end: datetime) -> Audit:
        """Every instant of a schedule from ``start`` up to, without, ``end``, and what is missing.

        Raises ``ScheduleNotFound``, and ``ValueError`` for more than 10,000 instants.
        """
        return self._parts.ledger.audit(schedule_id, start, end)

    def parked(self) -> list[Parked]:
        """What is stored, and this node cannot use: it is kept for one that can."""
        parts = self._parts
        return parked(parts.store, parts.registry, parts.ticker.parked)

    def parked_counts(self) -> dict[str, int] | None:
        """How much of each kind is parked, counted a while ago if that takes long; None: unknown.

        Other than ``parked``, it reads no schedule but those that were due.
        """
        return self._parts.parked.answer()[0]

    def _new(
        self,
        task: str | Callable[..., Any],
        trigger: Any,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        schedule_id: str | None = None,
        changelog: str | None = None,
        **policies: Any,
    ) -> New:
        known = self._commands.task_of(task)
        said = Edit(
            trigger=as_trigger(trigger),
            args=args,
            kwargs=kwargs or {},
            name=name,
            policies=policies,
            changelog=changelog,
        )
        return New(known, said, schedule_id)

    def _trigger_of(self, schedule: Schedule) -> Trigger:
        return trigger_from_json(schedule.trigger)


def _wanted(said: object) -> Mapping[str, Any]:
    if isinstance(said, Mapping) and {"task", "trigger"} <= said.keys():
        return said
    raise InvalidArguments(
        f"{reprlib.repr(said)} is no schedule to make: give a dict with 'task', 'trigger' and what "
        "else create_schedule takes"
    )
