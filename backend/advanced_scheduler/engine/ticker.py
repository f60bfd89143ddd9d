"""Decides which schedules are due and records it; the timer and the tests share it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from typing import Final

from .. import lifecycle
from ..errors import StoreError, StoreUnavailable
from ..events import Event, EventType
from ..models import ExecutionFilter, Schedule, TaskExecution, TaskStatus
from ..stores.base import Firing
from .ground import Ground
from .intake import Intake
from .settler import Change, Settler
from .steps import Step, Steps, Wish

logger = logging.getLogger(__name__)

BATCH: Final = 500  # schedules in one round trip
PASS_SECONDS: Final = 1.0  # after which the caller may have something else to do
QUIET_SECONDS: Final = 60.0  # after it was said that a schedule is parked
ATTEMPTS: Final = 100  # while other nodes fire or edit the same schedules
_JUDGED: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED})
_EVER: Final = timedelta(days=36500)


class Ticker:
    """``tick`` fires what is due; any number of nodes may do it at the same time."""

    def __init__(
        self,
        ground: Ground,
        *,
        steps: Steps,
        intake: Intake,
        settler: Settler,
    ) -> None:
        self.parked: dict[str, str] = {}  # schedule id -> why this node cannot fire it
        self.last_fired: str | None = None  # schedule id, by this node
        self._told: dict[str, tuple[float, str]] = {}  # when, and why, it was said to be parked
        self._steps = steps
        self._store = ground.store
        self._intake = intake
        self._settler = settler
        self._events = ground.events
        self._clock = ground.clock
        self._times = ground.times
        self._failed: set[str] = set()  # schedules of which an execution failed on this node
        ground.events.subscribe(self._hear, [EventType.FINISHED])

    def tick(self) -> datetime | None:
        """Fire all that is due; answers when the next schedule is due, or now to be asked again.

        A long backlog of one schedule is worked off in steps, between which others fire. Raises
        ``StoreUnavailable``; what was due then is still due.
        """
        began = self._clock.monotonic()
        while True:
            now = self._clock.now()
            due = self._store.due(now, BATCH + len(self.parked))
            ids = {one.schedule_id for one in due}  # without those that were removed or paused
            self.parked = {one: why for one, why in self.parked.items() if one in ids}
            self._told = {
                one: said
                for one, said in self._told.items()
                if one in ids or began - said[0] < QUIET_SECONDS
            }
            paused = [self._pause_if_failing(one) for one in due]
            steps = [self._step(one, now) for one, off in zip(due, paused, strict=True) if not off]
            made = [step for step in steps if step is not None]
            fired = self._take(made, now)
            if not any(fired) and not any(paused):  # nothing due, or other nodes were faster
                return self._store.next_fire()
            if self._clock.monotonic() - began > PASS_SECONDS:
                return self._clock.now()

    def run(self, find: Callable[[], Sequence[Schedule]], wish: Wish) -> list[str]:
        """Run each of these schedules once, now; answers the ids of the executions.

        Of a schedule whose overlap policy forbids it, the one that has not ended. Nothing is
        stored unless the arguments fit all of them. Raises what ``Steps.wanted`` does.
        """
        ids: dict[str, str | None] = {}
        for _ in range(ATTEMPTS):
            left = [one for one in find() if one.schedule_id not in ids and not _spent(one, wish)]
            if not left:
                return [one for one in ids.values() if one is not None]
            now = self._clock.now()
            steps = [self._steps.wanted(one, now, wish) for one in left]
            ids |= {
                step.firing.schedule_id: _id_of(step) or self._standing_in(schedule, step)
                for schedule, step, won in zip(left, steps, self._take(steps, now), strict=True)
                if won
            }
        raise StoreError(f"schedule {left[0].schedule_id!r} was changed {ATTEMPTS} times meanwhile")

    def pause_failing(self) -> None:
        """Pause what has failed too often in a row; a tick that is due looks as well."""
        if not self._failed:
            return
        failed, self._failed = self._failed, set()
        for schedule in self._store.schedules(failed):
            self._pause_if_failing(schedule)

    def _step(self, schedule: Schedule, now: datetime) -> Step | None:
        try:
            step = self._steps.due(schedule, now)
        except StoreUnavailable:
            raise
        except Exception as error:  # whatever it is: the others are due as well
            self._park(schedule, error)
            return None
        self.parked.pop(schedule.schedule_id, None)
        return step

    def _take(self, steps: Sequence[Step], now: datetime) -> list[bool]:
        """Hand the steps to the store; which of them were as the store still has it."""
        firings = [step.firing for step in steps]
        fired = self._times.call("fire", self._store.fire, firings) if steps else []
        for step, won in zip(steps, fired, strict=True):
            if won:
                self.last_fired = step.firing.schedule_id
                self._announce(step.firing, now)
                self._cancel(step.replaced, step.firing, now)
        return fired

    def _standing_in(self, schedule: Schedule, step: Step) -> str | None:
        """The execution that has not ended, for which a run by hand did not run."""
        if not step.firing.by_hand:
            return None
        there = self._steps.not_ended(schedule)
        return there[-1].execution_id if there else None

    def _pause_if_failing(self, schedule: Schedule) -> bool:
        """Whether ``pause_on_failure`` has just paused it; since its last edit it starts afresh."""
        limit = schedule.pause_on_failure
        if limit is None or schedule.paused:
            return False
        rows = self._store.find(
            ExecutionFilter(schedule_id=schedule.schedule_id, statuses=_JUDGED, limit=limit)
        )
        now = self._clock.now()
        since = schedule.changed_time or now - _EVER
        in_a_row = [
            row
            for row in rows
            if row.status is TaskStatus.FAILED and (row.created_time or now) >= since
        ]
        if len(in_a_row) < limit:
            return False
        why = f"paused after {limit} failures in a row; the last one: {rows[0].error}"
        edited = replace(
            schedule,
            paused=True,
            version=schedule.version + 1,
            changed_time=now,
            changelog=why,
        )
        if not self._store.put(edited, expected=schedule):
            return False
        logger.warning("schedule %s %s", schedule.schedule_id, why)
        return True

    def _hear(self, event: Event) -> None:
        row = event.execution
        if row is not None and row.schedule_id and row.status is TaskStatus.FAILED:
            self._failed.add(row.schedule_id)

    def _park(self, schedule: Schedule, error: Exception) -> None:
        """Left due, for a node that can fire it; said if it is news, once a minute at most."""
        schedule_id, why, now = schedule.schedule_id, str(error), self._clock.monotonic()
        self.parked[schedule_id] = why
        told, before = self._told.get(schedule_id, (-inf, ""))
        if why != before and now - told >= QUIET_SECONDS:
            logger.warning("schedule %s is parked: %s", schedule_id, why)
            self._told[schedule_id] = now, why

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


def _spent(schedule: Schedule, wish: Wish) -> bool:
    """Whether no event runs it any more; somebody still may."""
    return schedule.ended and not wish.by_hand


def _id_of(step: Step) -> str | None:
    return step.firing.executions[0].execution_id if step.firing.executions else None
