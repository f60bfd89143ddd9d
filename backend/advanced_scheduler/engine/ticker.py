"""Decides which schedules are due and records it; the timer and the tests share it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from .. import lifecycle
from ..clock import Clock
from ..errors import StoreError, StoreUnavailable
from ..events import Event, EventBus, EventType
from ..lifecycle import OPEN
from ..models import (
    ExecutionFilter,
    OverlapPolicy,
    Schedule,
    ScheduleOptions,
    TaskExecution,
    TaskStatus,
    Tick,
    TickOutcome,
)
from ..registry import TaskRegistry
from ..stores.base import Firing, Store
from ..triggers import Trigger, trigger_from_json
from .intake import Intake, Request
from .plan import Decision, Standing, plan
from .settler import Change, Settler

logger = logging.getLogger(__name__)

BATCH: Final = 500  # schedules in one round trip
REMEMBERED: Final = 10_000  # triggers that need not be built anew
LOOKED_AT: Final = 100  # executions of one schedule that have not ended
_BEGUN: Final = OPEN - {TaskStatus.PENDING}
_IN_TURN: Final = frozenset(
    {OverlapPolicy.QUEUE_ONE, OverlapPolicy.QUEUE_ALL, OverlapPolicy.CANCEL_RUNNING}
)


class Ticker:
    """``tick`` fires what is due; any number of nodes may do it at the same time."""

    def __init__(
        self,
        *,
        store: Store,
        registry: TaskRegistry,
        intake: Intake,
        settler: Settler,
        events: EventBus,
        clock: Clock,
    ) -> None:
        self.parked: dict[str, str] = {}  # schedule id -> why this node cannot fire it
        self._store = store
        self._registry = registry
        self._intake = intake
        self._settler = settler
        self._events = events
        self._clock = clock
        self._triggers: dict[str, tuple[Mapping[str, Any], Trigger]] = {}

    def tick(self) -> datetime | None:
        """Fire all that is due now; answers when the next schedule is due.

        Raises ``StoreUnavailable``; what was due then is still due.
        """
        now = self._clock.now()  # once: what falls due meanwhile is for the next call
        while True:
            due = self._store.due(now, BATCH + len(self.parked))
            ids = {one.schedule_id for one in due}  # without those that were removed or paused
            self.parked = {one: why for one, why in self.parked.items() if one in ids}
            made = [one for schedule in due if (one := self._firing(schedule, now)) is not None]
            fired = self._store.fire([firing for firing, _ in made]) if made else []
            for (firing, replaced), won in zip(made, fired, strict=True):
                if won:
                    self._announce(firing, now)
                    self._cancel(replaced, firing, now)
            if not any(fired):  # nothing due, or other nodes were faster
                return self._store.next_fire()

    def _firing(
        self, schedule: Schedule, now: datetime
    ) -> tuple[Firing, Sequence[TaskExecution]] | None:
        """The step, and the executions to cancel once it is taken."""
        try:
            trigger = self._trigger(schedule)
            task = self._registry.get(schedule.task_id)
            there = self._not_ended(schedule)
            begun = any(row.status in _BEGUN for row in there)
            waiting = any(row.status is TaskStatus.PENDING for row in there)
            planned = plan(schedule, trigger, now, Standing(begun, waiting))
            fired = [one for one in planned.decisions if one.outcome is TickOutcome.FIRED]
            requests = [
                Request(
                    task,
                    schedule.args,
                    schedule.kwargs,
                    ScheduleOptions(at=one.instant, priority=schedule.priority, tags=schedule.tags),
                    schedule.schedule_id,
                )
                for one in fired
            ]
            rows = self._intake.prepare(requests, now)
            if schedule.overlap in _IN_TURN:
                rows = _in_turn(rows, there)
        except StoreUnavailable:
            raise
        except Exception as error:  # whatever it is: the others are due as well
            self._park(schedule, error)
            return None
        self.parked.pop(schedule.schedule_id, None)
        ids = {one.instant: row.execution_id for one, row in zip(fired, rows, strict=True)}
        assert schedule.next_fire_time is not None
        firing = Firing(
            schedule_id=schedule.schedule_id,
            version=schedule.version,
            expected=schedule.next_fire_time,
            last=schedule.last_fire_time,
            next_fire_time=planned.next_fire_time,
            ticks=[_tick(schedule, one, ids.get(one.instant), now) for one in planned.decisions],
            executions=rows,
        )
        return firing, there if rows and schedule.overlap is OverlapPolicy.CANCEL_RUNNING else ()

    def _not_ended(self, schedule: Schedule) -> list[TaskExecution]:
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

    def _park(self, schedule: Schedule, error: Exception) -> None:
        """Left due, for a node that can fire it; said once, not at every pass."""
        if self.parked.get(schedule.schedule_id) != str(error):
            logger.warning("schedule %s is parked: %s", schedule.schedule_id, error)
        self.parked[schedule.schedule_id] = str(error)

    def _trigger(self, schedule: Schedule) -> Trigger:
        state, trigger = self._triggers.get(schedule.schedule_id, (None, None))
        if trigger is None or state != schedule.trigger:
            trigger = trigger_from_json(schedule.trigger)
            if len(self._triggers) >= REMEMBERED:
                self._triggers.clear()  # most are of schedules that are gone
            self._triggers[schedule.schedule_id] = (schedule.trigger, trigger)
        return trigger

    def _announce(self, firing: Firing, now: datetime) -> None:
        for tick in firing.ticks:
            self._events.publish(Event(EventType.TICK, now, None, {"tick": tick}))
        for row in firing.executions:
            self._events.publish(Event(EventType.SCHEDULED, now, row))
        self._intake.recheck([row for row in firing.executions if row.blocked_by])

    def _cancel(self, rows: Sequence[TaskExecution], firing: Firing, now: datetime) -> None:
        """After the step, in which the new execution was made to wait for the end of these.

        So whoever dies in between leaves one that runs later, and never one too many.
        """
        if not rows:
            return
        reason = f"replaced by execution {firing.executions[-1].execution_id} of its schedule"
        cancels = [lifecycle.cancel(row, now=now, reason=reason) for row in rows]
        try:
            self._settler.settle([Change(*one) for one in zip(rows, cancels, strict=True)])
        except StoreError as error:
            logger.warning("schedule %s: %s was not done: %s", firing.schedule_id, reason, error)


def _in_turn(rows: Sequence[TaskExecution], there: Sequence[TaskExecution]) -> list[TaskExecution]:
    """Each waits for the one before it to end, however that ends.

    The instants of a schedule only grow, where the ids of nodes whose clocks differ may not.
    """
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
