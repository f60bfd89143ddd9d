"""Decides, in pure code, what the policies of a schedule make of the instants that are due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from ..models import MisfirePolicy, OverlapPolicy, Schedule, TickOutcome
from ..triggers import Trigger

STRETCH: Final = 1000  # instants of one schedule in one step


class Decision(NamedTuple):
    """What becomes of one instant, and why it does not run if it does not."""

    instant: datetime
    outcome: TickOutcome
    reason: str | None = None


class Plan(NamedTuple):
    """All instants up to now, and the next one after them."""

    decisions: Sequence[Decision]
    next_fire_time: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Which executions of a schedule have not ended: one that has begun, one that has not."""

    begun: bool = False
    waiting: bool = False


NOTHING: Final = Standing()


def plan(schedule: Schedule, trigger: Trigger, now: datetime, standing: Standing = NOTHING) -> Plan:
    """What the policies make of the instants from ``next_fire_time`` up to ``now``.

    More than 1,000 missed instants are worked off in several steps, of which only the last one
    runs anything.
    """
    instants, following = _instants(schedule, trigger, now, STRETCH + max(schedule.max_catch_up, 1))
    if following is not None and following <= now:
        bulk = [_missed(schedule, one, None) for one in instants[:STRETCH]]
        return Plan(bulk, instants[STRETCH])
    runs = _runs(schedule, instants, following, now)
    decisions = [
        Decision(one, TickOutcome.FIRED) if one in runs else _missed(schedule, one, instants[-1])
        for one in instants
    ]
    return _within_limit(
        schedule, Plan(without_overlap(schedule.overlap, decisions, standing), following)
    )


def _within_limit(schedule: Schedule, made: Plan) -> Plan:
    """The plan up to the last run that ``max_runs`` allows: after it nothing is due any more."""
    if schedule.max_runs is None:
        return made
    left = schedule.max_runs - schedule.run_count
    fired = [n for n, one in enumerate(made.decisions) if one.outcome is TickOutcome.FIRED]
    if len(fired) < left:
        return made
    return Plan(made.decisions[: fired[left - 1] + 1] if left > 0 else (), None)


def _instants(
    schedule: Schedule, trigger: Trigger, now: datetime, limit: int
) -> tuple[list[datetime], datetime | None]:
    instants: list[datetime] = []
    at = schedule.next_fire_time
    while at is not None and at <= now and len(instants) < limit:
        instants.append(at)
        at = next_instant(trigger, at, at)
    return instants, at


def instants_between(
    trigger: Trigger, start: datetime, end: datetime, limit: int
) -> list[datetime]:
    """The first ``limit`` instants from ``start`` up to, without, ``end``; in UTC."""

    def walk() -> Iterator[datetime]:
        at = next_instant(trigger, None, start)
        while at is not None and at < end:
            if at >= start:  # what happens once answers its instant at any time
                yield at
            at = next_instant(trigger, at, at)

    return list(islice(walk(), limit))


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
    instants = [one for one in instants if not _was_paused(schedule, one)]
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


def _was_paused(schedule: Schedule, instant: datetime) -> bool:
    return schedule.resumed_time is not None and instant < schedule.resumed_time


def _missed(schedule: Schedule, instant: datetime, latest: datetime | None) -> Decision:
    if _was_paused(schedule, instant):
        return Decision(instant, TickOutcome.PAUSED, "the schedule was paused")
    if schedule.misfire is MisfirePolicy.RUN_LATEST:
        which = "the latest one" if latest is None else latest.isoformat()
        reason = f"missed; run once for all, at {which}"
        return Decision(instant, TickOutcome.COALESCED, reason)
    if schedule.misfire is MisfirePolicy.RUN_ALL:
        reason = f"missed; beyond the {schedule.max_catch_up} instants that are caught up"
        return Decision(instant, TickOutcome.MISFIRED, reason)
    return Decision(instant, TickOutcome.MISFIRED, "missed; this schedule skips what it missed")


def without_overlap(
    policy: OverlapPolicy, decisions: Sequence[Decision], standing: Standing
) -> list[Decision]:
    """FIRED becomes OVERLAP where the policy does not let it run beside what is there."""
    if policy is OverlapPolicy.ALLOW:
        return list(decisions)
    if policy is OverlapPolicy.CANCEL_RUNNING:
        return _only_the_last(decisions)
    kept: list[Decision] = []
    for one in decisions:
        why = _overlap(policy, standing) if one.outcome is TickOutcome.FIRED else None
        if why is not None:
            kept.append(Decision(one.instant, TickOutcome.OVERLAP, why))
            continue
        if one.outcome is TickOutcome.FIRED:
            standing = replace(standing, waiting=True)
        kept.append(one)
    return kept


def _overlap(policy: OverlapPolicy, standing: Standing) -> str | None:
    if policy is OverlapPolicy.SKIP and (standing.begun or standing.waiting):
        return "the last execution of the schedule had not ended"
    if policy is OverlapPolicy.QUEUE_ONE and standing.waiting:
        return "an execution of the schedule waited already"
    return None


def _only_the_last(decisions: Sequence[Decision]) -> list[Decision]:
    """Whatever ran before the last one would be cancelled at once."""
    fired = [one.instant for one in decisions if one.outcome is TickOutcome.FIRED]
    return [
        Decision(one.instant, TickOutcome.OVERLAP, f"{fired[-1].isoformat()} took its place")
        if one.instant in fired[:-1]
        else one
        for one in decisions
    ]
