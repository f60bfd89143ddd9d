"""Answers how schedules are doing: one, or all of a store together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from ..clock import Clock
from ..lifecycle import FINAL
from ..models import (
    ExecutionFilter,
    Schedule,
    ScheduleStatistics,
    ScheduleStatus,
    TaskExecution,
    TaskStatus,
    TickOutcome,
    Total,
)
from ..stores.base import Store

_RESULTS: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.COMPLETED: "success",
    TaskStatus.FAILED: "error",
    TaskStatus.CANCELLED: "cancelled",
    TaskStatus.SKIPPED: "skipped",
}
_MISSED: Final = (TickOutcome.MISFIRED, TickOutcome.COALESCED)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NONE: Final = Total()


def status_of_schedule(store: Store, schedule: Schedule) -> ScheduleStatus:
    """How one schedule is doing."""
    latest = _latest(store, schedule, None)
    ended = _latest(store, schedule, FINAL)
    totals = store.totals(schedule.schedule_id)
    done, failed = (totals.get(one, _NONE) for one in (TaskStatus.COMPLETED, TaskStatus.FAILED))
    judged = done.count + failed.count
    return ScheduleStatus(
        schedule_id=schedule.schedule_id,
        name=schedule.name,
        status=schedule.state,
        last_run=None if latest is None else latest.started_time,
        last_result=None if ended is None else _RESULTS[ended.status],
        next_run=None if schedule.paused else schedule.next_fire_time,
        run_count=judged + _running(store, schedule),
        success_count=done.count,
        error_count=failed.count,
        average_duration=(done.seconds + failed.seconds) / judged if judged else None,
    )


def statistics(store: Store, clock: Clock, uptime: float) -> ScheduleStatistics:
    """How all schedules are doing; ``uptime`` in seconds."""
    now = clock.now()
    states = store.schedule_counts()
    ticks = store.tick_counts(_BEGINNING, now + timedelta(days=1))
    day = store.tick_counts(now - timedelta(days=1), now + timedelta(days=1))
    counts = store.counts([TaskStatus.COMPLETED, TaskStatus.FAILED])
    judged = sum(counts.values())
    good = sum(n for (status, _), n in counts.items() if status is TaskStatus.COMPLETED)
    return ScheduleStatistics(
        total=sum(states.values()),
        active=states.get("active", 0),
        paused=states.get("paused", 0),
        ended=states.get("ended", 0),
        triggered_total=ticks.get(TickOutcome.FIRED, 0),
        triggered_last_24h=day.get(TickOutcome.FIRED, 0),
        success_rate=good / judged if judged else 1.0,
        missed=sum(ticks.get(one, 0) for one in _MISSED),
        uptime=uptime,
    )


def _latest(
    store: Store, schedule: Schedule, statuses: frozenset[TaskStatus] | None
) -> TaskExecution | None:
    begun = statuses or frozenset(TaskStatus) - {TaskStatus.PENDING, TaskStatus.SKIPPED}
    query = ExecutionFilter(schedule_id=schedule.schedule_id, statuses=begun, limit=1)
    return next(iter(store.find(query)), None)


def _running(store: Store, schedule: Schedule) -> int:
    begun = frozenset({TaskStatus.RUNNING, TaskStatus.RETRYING})
    query = ExecutionFilter(schedule_id=schedule.schedule_id, statuses=begun, limit=1000)
    return len(store.find(query))
