"""Decides which schedules are due and records it; the timer and the tests share it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..clock import Clock
from ..errors import StoreUnavailable
from ..events import Event, EventBus, EventType
from ..lifecycle import FINAL
from ..models import (
    ExecutionFilter,
    MisfirePolicy,
    OverlapPolicy,
    Schedule,
    ScheduleOptions,
    TaskStatus,
    Tick,
    TickOutcome,
)
from ..registry import TaskRegistry
from ..stores.base import Firing, Store
from ..triggers import Trigger, trigger_from_json
from .intake import Intake, Request

logger = logging.getLogger(__name__)

BATCH: Final = 500  # schedules in one round trip
STRETCH: Final = 1000  # instants of one schedule in one step
REMEMBERED: Final = 10_000  # triggers that need not be built anew
_OPEN: Final = frozenset(TaskStatus) - FINAL


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one instant, and why it does not run if it does not."""

    instant: datetime
    outcome: TickOutcome
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All instants up to now, and the next one after them."""

    decisions: Sequence[Decision]
    next_fire_time: datetime | None


def plan(schedule: Schedule, trigger: Trigger, now: datetime, *, active: bool) -> Plan:
    """Pure: what the policies make of the instants from ``next_fire_time`` up to ``now``.

    ``active`` says whether an execution of the schedule has not ended. More than 1,000 missed
    instants are worked off in several steps, of which only the last one runs anything.
    """
    instants, following = _instants(schedule, trigger, now, STRETCH + max(schedule.max_catch_up, 1))
    if following is not None and following <= now:
        bulk = instants[:STRETCH]
        return Plan([_missed(schedule, one, None) for one in bulk], instants[STRETCH])
    runs = _runs(schedule, instants, following, now)
    decisions = [
        Decision(one, TickOutcome.FIRED) if one in runs else _missed(schedule, one, instants[-1])
        for one in instants
    ]
    if schedule.overlap is OverlapPolicy.SKIP:
        decisions = _without_overlap(decisions, active=active)
    return Plan(decisions, following)


def _instants(
    schedule: Schedule, trigger: Trigger, now: datetime, limit: int
) -> tuple[list[datetime], datetime | None]:
    instants: list[datetime] = []
    at = schedule.next_fire_time
    while at is not None and at <= now and len(instants) < limit:
        instants.append(at)
        at = next_instant(trigger, at, at)
    return instants, at


def next_instant(trigger: Trigger, previous: datetime | None, now: datetime) -> datetime | None:
    """The first instant after ``previous`` (or from ``now`` on), in UTC.

    In a zone whose clocks go back an instant never equals itself in another zone (PEP 495),
    so everything that is stored or compared is UTC.
    """
    instant = trigger.get_next_fire_time(previous, now)
    return None if instant is None else instant.astimezone(UTC)


def _runs(
    schedule: Schedule, instants: Sequence[datetime], following: datetime | None, now: datetime
) -> frozenset[datetime]:
    if not instants:
        return frozenset()
    latest = instants[-1]
    if schedule.misfire is MisfirePolicy.RUN_ALL:
        return frozenset(instants[-max(schedule.max_catch_up, 1) :])
    if schedule.misfire is MisfirePolicy.SKIP and not _in_time(schedule, latest, following, now):
        return frozenset()
    return frozenset({latest})


def _in_time(
    schedule: Schedule, instant: datetime, following: datetime | None, now: datetime
) -> bool:
    if schedule.grace_seconds is not None:
        return now - instant <= timedelta(seconds=schedule.grace_seconds)
    return following is None or now - instant <= (following - instant) / 2


def _missed(schedule: Schedule, instant: datetime, latest: datetime | None) -> Decision:
    if schedule.misfire is MisfirePolicy.RUN_LATEST:
        which = "the latest one" if latest is None else latest.isoformat()
        reason = f"missed; run once for all, at {which}"
        return Decision(instant, TickOutcome.COALESCED, reason)
    if schedule.misfire is MisfirePolicy.RUN_ALL:
        reason = f"missed; beyond the {schedule.max_catch_up} instants that are caught up"
        return Decision(instant, TickOutcome.MISFIRED, reason)
    return Decision(instant, TickOutcome.MISFIRED, "missed; this schedule skips what it missed")


def _without_overlap(decisions: Sequence[Decision], *, active: bool) -> list[Decision]:
    kept: list[Decision] = []
    for one in decisions:
        if one.outcome is TickOutcome.FIRED and active:
            reason = "the last execution of the schedule had not ended"
            kept.append(Decision(one.instant, TickOutcome.OVERLAP, reason))
            continue
        active = active or one.outcome is TickOutcome.FIRED
        kept.append(one)
    return kept


class Ticker:
    """``tick`` fires what is due; any number of nodes may do it at the same time."""

    def __init__(
        self,
        *,
        store: Store,
        registry: TaskRegistry,
        intake: Intake,
        events: EventBus,
        clock: Clock,
    ) -> None:
        self.parked: dict[str, str] = {}  # schedule id -> why this node cannot fire it
        self._store = store
        self._registry = registry
        self._intake = intake
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
            firings = [made for one in due if (made := self._firing(one, now)) is not None]
            fired = self._store.fire(firings) if firings else []
            for firing, won in zip(firings, fired, strict=True):
                if won:
                    self._announce(firing, now)
            if not any(fired):  # nothing due, or other nodes were faster
                return self._store.next_fire()

    def _firing(self, schedule: Schedule, now: datetime) -> Firing | None:
        try:
            trigger = self._trigger(schedule)
            task = self._registry.get(schedule.task_id)
            active = schedule.overlap is OverlapPolicy.SKIP and bool(
                self._store.find(
                    ExecutionFilter(
                        schedule_id=schedule.schedule_id, statuses=_OPEN, order="claim", limit=1
                    )
                )
            )
            planned = plan(schedule, trigger, now, active=active)
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
        except StoreUnavailable:
            raise
        except Exception as error:  # whatever it is: the others are due as well
            self._park(schedule, error)
            return None
        self.parked.pop(schedule.schedule_id, None)
        ids = {one.instant: row.execution_id for one, row in zip(fired, rows, strict=True)}
        assert schedule.next_fire_time is not None
        return Firing(
            schedule_id=schedule.schedule_id,
            version=schedule.version,
            expected=schedule.next_fire_time,
            next_fire_time=planned.next_fire_time,
            ticks=[_tick(schedule, one, ids.get(one.instant), now) for one in planned.decisions],
            executions=rows,
        )

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
