"""Makes the steps of schedules: what the plan says as ticks and executions, nothing stored yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import InvalidArguments, InvalidTask
from ..lifecycle import OPEN
from ..models import (
    DEFAULT_QUEUE,
    ExecutionFilter,
    OverlapPolicy,
    Placeholder,
    RetryConfig,
    Schedule,
    ScheduleOptions,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
)
from ..registry import RegisteredTask
from ..stores.base import Firing
from ..triggers import Trigger, trigger_from_json
from .arguments import Arguments
from .ground import Ground
from .inputs import taken_by
from .intake import Intake, Request
from .plan import NOTHING, Decision, Plan, Standing, next_instant, plan, without_overlap

REMEMBERED: Final = 10_000  # triggers that need not be built anew
LOOKED_AT: Final = 100  # executions of one schedule that have not ended
_INSTANT: Final = timedelta(microseconds=1)
_BEGUN: Final = OPEN - {TaskStatus.PENDING}
_IN_TURN: Final = frozenset(
    {OverlapPolicy.QUEUE_ONE, OverlapPolicy.QUEUE_ALL, OverlapPolicy.CANCEL_RUNNING}
)


@dataclass(frozen=True, slots=True)
class Step:
    """What to hand to the store, and which executions to cancel once that is done."""

    firing: Firing
    replaced: Sequence[TaskExecution] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A run that no trigger asks for: ``reason`` says who does.

    ``args=None`` are the schedule's; ``kwargs`` override the schedule's by name; ``payload``
    does so where the function has a parameter of that name, and is kept as metadata.
    """

    reason: str
    args: tuple[Any, ...] | None = None
    kwargs: Mapping[str, Any]
    payload: Mapping[str, Any] | None = None
    by_hand: bool = False
    execution_id: str | None = None


class Steps:
    """Turns schedules that are due, or wanted now, into steps."""

    def __init__(self, ground: Ground, *, intake: Intake, arguments: Arguments) -> None:
        self._store = ground.store
        self._registry = ground.registry
        self._intake = intake
        self._arguments = arguments
        self._triggers: dict[str, Trigger] = {}

    def due(self, schedule: Schedule, now: datetime) -> Step:
        """The step up to ``now``; raises whatever keeps this node from making it."""
        trigger, task = self._trigger(schedule), self._registry.get(schedule.task_id)
        there = self.not_ended(schedule)
        planned = plan(schedule, trigger, now, _standing(there))
        fired = [one.instant for one in planned.decisions if one.outcome is TickOutcome.FIRED]
        args, kwargs = self._arguments.load(task, schedule.args, schedule.kwargs)
        requests = [
            _request(task, schedule, at, _filled(args, kwargs, trigger.index_of(at)))
            for at in fired
        ]
        rows = _in_turn(schedule, self._intake.prepare(requests, now), there)
        return _step(schedule, planned, rows, there, now)

    def past(self, schedule: Schedule, instants: Sequence[datetime]) -> list[Request]:
        """What it would have run at these instants, each at most once at a time.

        Raises what ``schedule_task`` does for an unknown task and arguments that do not fit.
        """
        trigger, task = self._trigger(schedule), self._registry.get(schedule.task_id)
        args, kwargs = self._arguments.load(task, schedule.args, schedule.kwargs)
        found = []
        for at in instants:
            call = _filled(args, kwargs, trigger.index_of(at))
            told = {"backfill": at.isoformat()}
            request = _request(task, schedule, at, call, told)
            key = f"backfill {schedule.schedule_id} {at.isoformat()}"
            found.append(request._replace(options=replace(request.options, unique=key)))
        return found

    def wanted(self, schedule: Schedule, now: datetime, wish: Wish) -> Step:
        """The step that runs it now, beside its trigger; the overlap policy holds.

        Raises what ``schedule_task`` does for an unknown task and arguments that do not fit, if
        somebody runs it by hand. Whoever tells of an event need not know who listens: what he
        cannot check is checked when it runs.
        """
        instant, there = self._free_instant(schedule, now), self.not_ended(schedule)
        decision = Decision(instant, TickOutcome.FIRED, wish.reason)
        if schedule.paused and not wish.by_hand:
            why = f"{wish.reason}, while the schedule was paused"
            decision = Decision(instant, TickOutcome.PAUSED, why)
        (decision,) = without_overlap(_policy(schedule, wish), [decision], _standing(there))
        row = self._row(schedule, instant, now, wish)  # also where it does not run
        rows: list[TaskExecution] = []
        if decision.outcome is TickOutcome.FIRED:  # at once, though its instant may be later
            rows = _in_turn(schedule, [row.with_changes({"due_time": now})], there)
        planned = Plan([decision], schedule.next_fire_time)
        return _step(schedule, planned, rows, there, now, by_hand=wish.by_hand)

    def not_ended(self, schedule: Schedule) -> list[TaskExecution]:
        """The executions that the overlap policy looks at: what has begun, and the latest others.

        Only the latest of a long queue are read: each of them waits for the one before it. The
        first look is at all at one instant, since what begins between two looks must be seen.
        """
        if schedule.overlap is OverlapPolicy.ALLOW:
            return []
        found = (
            self._store.find(
                ExecutionFilter(
                    schedule_id=schedule.schedule_id, statuses=statuses, limit=LOOKED_AT
                )
            )
            for statuses in (OPEN, _BEGUN)
        )
        return list({row.execution_id: row for rows in found for row in rows}.values())

    def _free_instant(self, schedule: Schedule, now: datetime) -> datetime:
        """Now, or right after: without a record, and not one that the trigger has still to fire.

        A second record of that instant would be refused, and the schedule stay due for ever.
        """
        last, due = schedule.last_fire_time, schedule.next_fire_time
        at = now if last is None or last < now else last + _INSTANT
        if due is not None and due <= at:
            trigger = self._trigger(schedule)
            while next_instant(trigger, at - _INSTANT, at) == at:
                at += _INSTANT
        return at

    def _row(
        self, schedule: Schedule, instant: datetime, now: datetime, wish: Wish
    ) -> TaskExecution:
        try:
            task = self._registry.get(schedule.task_id)
            request = self._request_of(task, schedule, instant, wish)
            return self._intake.prepare([request], now)[0]
        except (InvalidArguments, InvalidTask) as error:
            if wish.by_hand:
                raise
            return _unchecked(schedule, self._intake.new_id(now), instant, wish, str(error))

    def _request_of(
        self, task: RegisteredTask, schedule: Schedule, instant: datetime, wish: Wish
    ) -> Request:
        args, kwargs = self._arguments.load(task, schedule.args, schedule.kwargs)
        args, kwargs = _filled(args, kwargs, None)
        payload = wish.payload or {}
        kwargs = {**kwargs, **wish.kwargs, **taken_by(task, payload)}
        args = args if wish.args is None else wish.args
        made = _request(task, schedule, instant, (args, kwargs), _told(schedule, wish))
        return made._replace(execution_id=wish.execution_id or made.execution_id)

    def _trigger(self, schedule: Schedule) -> Trigger:
        said = repr(schedule.trigger)  # those of many schedules are alike, such as midnight
        trigger = self._triggers.get(said)
        if trigger is None:
            trigger = trigger_from_json(schedule.trigger)
            if len(self._triggers) >= REMEMBERED:
                self._triggers.clear()  # most are of schedules that are gone
            if trigger.durable:  # else it is an object that no text can tell from another
                self._triggers[said] = trigger
        return trigger


def _policy(schedule: Schedule, wish: Wish) -> OverlapPolicy:
    """What waits stands in for a wish, unless that one has something of its own to say."""
    own = wish.args is not None or wish.kwargs or wish.payload
    if own and schedule.overlap is OverlapPolicy.QUEUE_ONE:
        return OverlapPolicy.QUEUE_ALL
    return schedule.overlap


def _standing(there: Sequence[TaskExecution]) -> Standing:
    if not there:
        return NOTHING
    return Standing(
        begun=any(row.status in _BEGUN for row in there),
        waiting=any(row.status is TaskStatus.PENDING for row in there),
    )


def _request(
    task: RegisteredTask,
    schedule: Schedule,
    at: datetime,
    call: tuple[tuple[Any, ...], Mapping[str, Any]],
    more: Mapping[str, Any] | None = None,
) -> Request:
    options = ScheduleOptions(
        at=at,
        priority=schedule.priority,
        tags=schedule.tags,
        queue=schedule.queue,
        timeout=schedule.timeout,
        retry=RetryConfig(**schedule.retry) if schedule.retry else None,
        metadata={**schedule.metadata, **(more or {})},
    )
    return Request(task, *call, options, schedule.schedule_id)


def _filled(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], index: int | None
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments with the index in place of its placeholder."""

    def fill(value: Any) -> Any:
        return index if value is Placeholder.TICK_INDEX else value

    return tuple(map(fill, args)), {name: fill(value) for name, value in kwargs.items()}


def _told(schedule: Schedule, wish: Wish) -> Mapping[str, Any]:
    """What the metadata say of an event."""
    return {} if wish.payload is None else {"event": schedule.event, "payload": wish.payload}


def _unchecked(
    schedule: Schedule, execution_id: str, instant: datetime, wish: Wish, why: str
) -> TaskExecution:
    """An execution without what only the definition of its task could add, such as dependencies."""
    extras: dict[str, Any] = {
        "unchecked": True,
        "metadata": {**schedule.metadata, **_told(schedule, wish)},
    }
    if schedule.retry:
        extras["retry"] = schedule.retry
    return TaskExecution(
        execution_id=execution_id,
        task_id=schedule.task_id,
        task_name=schedule.task_id,
        priority=TaskPriority.NORMAL if schedule.priority is None else schedule.priority,
        scheduled_time=instant,
        created_time=instant,
        args=schedule.args,
        kwargs=schedule.kwargs,
        timeout=schedule.timeout,
        tags=schedule.tags,
        schedule_id=schedule.schedule_id,
        queue=schedule.queue or DEFAULT_QUEUE,
        extras=extras,
        reason=f"not checked where the event was told of: {why}",
    )


def _in_turn(
    schedule: Schedule, rows: Sequence[TaskExecution], there: Sequence[TaskExecution]
) -> list[TaskExecution]:
    """Where the policy says so, each waits for the one before it to end, however that ends.

    The instants of a schedule only grow, where the ids of nodes whose clocks differ may not.
    """
    if schedule.overlap not in _IN_TURN:
        return list(rows)
    begun = [row for row in there if row.status in _BEGUN]
    waiting = [row for row in there if row.status not in _BEGUN]
    before = [*begun, *sorted(waiting, key=lambda row: row.scheduled_time)[-1:]]
    return [
        _after(row, [rows[number - 1]] if number else before) for number, row in enumerate(rows)
    ]


def _after(row: TaskExecution, before: Sequence[TaskExecution]) -> TaskExecution:
    if not before:
        return row
    ids = frozenset(one.execution_id for one in before)
    reason = row.reason or f"waits for execution {before[-1].execution_id} of its schedule"
    return row.with_changes({"blocked_by": row.blocked_by | ids, "reason": reason})


def _step(
    schedule: Schedule,
    planned: Plan,
    rows: Sequence[TaskExecution],
    there: Sequence[TaskExecution],
    now: datetime,
    *,
    by_hand: bool = False,
) -> Step:
    fired = [one.instant for one in planned.decisions if one.outcome is TickOutcome.FIRED]
    ids = {at: row.execution_id for at, row in zip(fired, rows, strict=True)}
    firing = Firing(
        schedule_id=schedule.schedule_id,
        version=schedule.version,
        expected=schedule.next_fire_time,
        last=schedule.last_fire_time,
        next_fire_time=planned.next_fire_time,
        ticks=[_tick(schedule, one, ids.get(one.instant), now) for one in planned.decisions],
        executions=rows,
        by_hand=by_hand,
    )
    replaces = rows and schedule.overlap is OverlapPolicy.CANCEL_RUNNING
    return Step(firing, there if replaces else ())


def _tick(schedule: Schedule, decision: Decision, execution_id: str | None, now: datetime) -> Tick:
    return Tick(
        schedule_id=schedule.schedule_id,
        instant=decision.instant,
        version=schedule.version,
        outcome=decision.outcome,
        execution_id=execution_id,
        reason=decision.reason,
        recorded_time=now,
    )
