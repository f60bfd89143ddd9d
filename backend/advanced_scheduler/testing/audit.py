"""Checks, once all is quiet, what a simulation has left: the journal, the rows and the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Final

from ..engine.plan import instants_between
from ..models import Schedule, TaskStatus, Tick, TickOutcome
from ..triggers import trigger_from_json
from .journal import Journal, Mark
from .watch import OPEN, Watch
from .world import SharedStore

_EVER: Final = timedelta(days=3650)
_MANY: Final = 10_000


def audit(
    store: SharedStore,
    journal: Journal,
    watch: Watch,
    *,
    accepted: Collection[str],
    at_most_once: Collection[str],
    locked: Collection[str],
) -> list[str]:
    """What is violated, in sentences.

    ``accepted`` are the execution ids that callers were given; ``at_most_once`` and ``locked``
    are the ids of the tasks that are.
    """
    return [
        *_all_ended(store, journal, accepted),
        *_attempts(store, journal, watch, at_most_once),
        *_ticks(store, journal),
        *_locks(store, journal, locked),
        *counters(store),
    ]


def _all_ended(store: SharedStore, journal: Journal, accepted: Collection[str]) -> Iterator[str]:
    for one in sorted(accepted - store.rows.keys(), key=journal.name):
        yield f"I1: {journal.name(one)} was accepted, and is gone"
    for one, row in store.rows.items():
        if row.status in OPEN:
            name = journal.name(one)
            yield f"I1: {name} of task {row.task_id} is {row.status} for ever ({row.reason})"


def _attempts(
    store: SharedStore, journal: Journal, watch: Watch, at_most_once: Collection[str]
) -> Iterator[str]:
    """Each claim starts one body at most, and this one is told the attempt that was claimed."""
    for one, lines in journal.starts().items():
        name, task = journal.name(one), store.rows[one].task_id
        for fence, number in Counter(line.fence for line in lines).items():
            if number > 1:
                yield f"I3: {name} of task {task} has {number} start lines under fence {fence}"
        for line in lines:
            if watch.claims.get((one, line.fence)) != line.attempt:
                yield f"I3: {name} of task {task} started with attempt {line.attempt}, unclaimed"
        if task in at_most_once and len(lines) > 1:
            yield f"I3: {name} of task {task} runs at most once and started {len(lines)} times"


def _ticks(store: SharedStore, journal: Journal) -> Iterator[str]:
    made = Counter(
        (row.schedule_id, row.scheduled_time) for row in store.rows.values() if row.schedule_id
    )
    for (schedule_id, instant), number in made.items():
        if number > 1:
            yield f"I5: schedule {schedule_id} has {number} executions for {instant}"
    for schedule in store.schedules():
        begun = schedule.ledger_from or schedule.next_fire_time
        if begun is None:
            continue
        ticks = store.ticks(schedule.schedule_id, begun - _EVER, begun + _EVER, _MANY)
        yield from _ledger(store, schedule, ticks)
        fired = {one.execution_id for one in ticks if one.outcome is TickOutcome.FIRED}
        for one, row in store.rows.items():
            if row.schedule_id == schedule.schedule_id and one not in fired:
                yield f"I5: {journal.name(one)} of schedule {row.schedule_id} is in no ledger"


def _ledger(store: SharedStore, schedule: Schedule, ticks: list[Tick]) -> Iterator[str]:
    begun = schedule.ledger_from
    instants = Counter(tick.instant for tick in ticks)
    for instant, number in instants.items():
        if number > 1:
            yield f"I5: schedule {schedule.schedule_id} has {number} ticks at {instant}"
    if begun is not None:
        end = schedule.next_fire_time or begun + _EVER
        trigger = trigger_from_json(schedule.trigger)
        due = instants_between(trigger, begun, end, _MANY)
        for instant in due:
            if instant not in instants:
                yield f"I5: schedule {schedule.schedule_id} was due at {instant}, without a tick"
        for instant in instants:
            if instant >= begun and instant not in due:
                yield f"I5: schedule {schedule.schedule_id} was not due at {instant} any more"
    for tick in ticks:
        row = store.rows.get(tick.execution_id or "")
        if tick.outcome is TickOutcome.FIRED and (
            row is None or row.scheduled_time != tick.instant
        ):
            yield f"I5: the tick of {schedule.schedule_id} at {tick.instant} has no execution"


def _locks(store: SharedStore, journal: Journal, locked: Collection[str]) -> Iterator[str]:
    """What was done after the lock was lost does not count."""
    holdings = {(one.key, one.fence): one for one in store.holdings}
    for line in journal.lines:
        row = store.rows[line.execution_id]
        if line.task_id not in locked or line.mark is not Mark.END:
            continue
        if row.status is not TaskStatus.COMPLETED or row.fence != line.fence:
            continue
        holding = holdings.get((line.task_id, line.lock_fence or 0))
        if holding is None or holding.until < line.at:
            name = journal.name(line.execution_id)
            yield f"I7: {name} of task {line.task_id} completed, though its lock was lost before"


def counters(store: SharedStore) -> Iterator[str]:
    """What the store counts, and what is there."""
    rows = store.rows.values()
    there = Counter((row.status, row.priority) for row in rows)
    if (counted := store.counts()) != there:
        yield f"I10: counted {_plain(counted)}, there are {_plain(there)}"
    waiting = Counter(row.task_id for row in rows if row.status in OPEN)
    if (counted_tasks := store.waiting_tasks()) != waiting:
        yield f"I10: counted {counted_tasks} waiting, there are {dict(waiting)}"


def _plain(counted: object) -> str:
    assert isinstance(counted, dict)
    return ", ".join(
        f"{number} {status} {priority.name}"
        for (status, priority), number in sorted(counted.items())
    )
