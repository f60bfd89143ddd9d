"""The schedules of the memory store, their versions and ticks: plain data, and no lock."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import islice
from operator import attrgetter
from typing import Final

from ..models import Schedule, ScheduleFilter, TaskExecution, TaskStatus, Tick, TickOutcome, Total
from .base import VERSIONS_KEPT, Firing, name_taken

TICKS_KEPT: Final = 10_000
"""How many ticks of one schedule are remembered, whatever their age."""

_BY_INSTANT: Final = attrgetter("instant")


class MemorySchedules:
    """Schedules by id and by name, and what is kept about each."""

    def __init__(self) -> None:
        self.by_id: dict[str, Schedule] = {}
        self._ids: dict[str, str] = {}  # name -> schedule id
        self._versions: defaultdict[str, dict[int, Schedule]] = defaultdict(dict)
        self._totals: defaultdict[str, dict[TaskStatus, Total]] = defaultdict(dict)
        self._ticks: defaultdict[str, list[Tick]] = defaultdict(list)  # by instant
        # A heap of (next fire time, schedule id): looking through all schedules at each poll kept
        # 2 % of a core busy with 100,000 of them. What is no longer so goes when it is met.
        self._agenda: list[tuple[datetime, str]] = []

    def add(self, new: Sequence[Schedule]) -> bool:
        """Insert all of them, or none where an id is taken."""
        if any(one.schedule_id in self.by_id for one in new):
            return False
        names: dict[str, str] = {}
        for one in new:
            if one.name is None:
                continue
            holder = self._ids.get(one.name) or names.setdefault(one.name, one.schedule_id)
            if holder != one.schedule_id:
                raise name_taken(one.name, holder)
        for one in new:
            self.put(one, None)
        return True

    def put(self, schedule: Schedule, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected."""
        one, name = schedule.schedule_id, schedule.name
        known = self.by_id.get(one)
        if _state(known) != _state(expected):
            return False
        if name is not None and (holder := self._ids.get(name, one)) != one:
            raise name_taken(name, holder)
        if known is not None and known.name is not None:
            del self._ids[known.name]
        if name is not None:
            self._ids[name] = one
        versions = self._versions[one]
        versions[schedule.version] = schedule
        for version in sorted(versions)[:-VERSIONS_KEPT]:
            del versions[version]
        self._set(schedule if known is None else schedule.with_changes(run_count=known.run_count))
        return True

    def some(self, ids: Collection[str] | None) -> list[Schedule]:
        """These schedules, or all, by id."""
        known = self.by_id
        return [known[one] for one in sorted(known if ids is None else known.keys() & ids)]

    def find(self, query: ScheduleFilter) -> list[Schedule]:
        """The schedules that fit, by id."""
        there = (self.by_id[one] for one in sorted(self.by_id))
        return list(islice((one for one in there if _matches(one, query)), query.limit))

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest versions of a schedule, as they were put, oldest first."""
        versions = self._versions.get(schedule_id, {})
        return [versions[version] for version in sorted(versions)]

    def remove(self, schedule_id: str) -> bool:
        """Forget the schedule, its versions and totals; its ticks stay."""
        schedule = self.by_id.pop(schedule_id, None)
        if schedule is None:
            return False
        if schedule.name is not None:
            del self._ids[schedule.name]
        del self._versions[schedule_id]
        self._totals.pop(schedule_id, None)
        return True

    def due(self, now: datetime, limit: int) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        found: list[tuple[datetime, str]] = []
        while len(found) < limit and (at := self.next_fire()) is not None and at <= now:
            entry = heappop(self._agenda)
            if entry not in found[-1:]:  # one that was moved there and back is there twice
                found.append(entry)
        for entry in found:
            heappush(self._agenda, entry)
        return [self.by_id[one] for _, one in found]

    def next_fire(self) -> datetime | None:
        """The earliest next fire time of a schedule that is not paused."""
        while self._agenda:
            at, one = self._agenda[0]
            if _fires_at(self.by_id.get(one)) == at:
                return at
            heappop(self._agenda)
        return None

    def fits(self, firing: Firing) -> bool:
        """Whether the schedule is as the firing says, and its ticks are not recorded yet."""
        known = self.by_id.get(firing.schedule_id)
        return (
            known is not None
            and (known.version, known.next_fire_time, known.last_fire_time)
            == (firing.version, firing.expected, firing.last)
            and not (known.paused and firing.executions and not firing.by_hand)
            and not any(self._has(tick) for tick in firing.ticks)
        )

    def fire(self, firing: Firing) -> None:
        """Advance the schedule and write the ticks of a firing that fits."""
        known = self.by_id[firing.schedule_id]
        instants = {tick.instant for tick in firing.ticks}
        self._set(
            known.with_changes(
                next_fire_time=firing.next_fire_time,
                last_fire_time=max(instants | _given(known.last_fire_time), default=None),
                run_count=known.run_count + (0 if firing.by_hand else len(firing.executions)),
            )
        )
        for tick in firing.ticks:
            ticks = self._ticks[tick.schedule_id]
            ticks.insert(bisect_left(ticks, tick.instant, key=_BY_INSTANT), tick)
            del ticks[:-TICKS_KEPT]

    def ticks(self, schedule_id: str, start: datetime, end: datetime) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        return _between(self._ticks.get(schedule_id, []), start, end)

    def tick_counts(self, start: datetime, end: datetime) -> dict[TickOutcome, int]:
        """How many ticks there are of each outcome."""
        ledgers = self._ticks.values()
        return dict(Counter(tick.outcome for one in ledgers for tick in _between(one, start, end)))

    def drop_ticks(self, before: datetime) -> None:
        """Forget the ticks of earlier instants."""
        for ticks in self._ticks.values():
            del ticks[: bisect_left(ticks, before, key=_BY_INSTANT)]

    def count_pruned(self, row: TaskExecution) -> None:
        """Remember how an execution ended that is about to be forgotten."""
        if row.schedule_id in self.by_id:
            totals = self._totals[row.schedule_id]
            totals[row.status] = _sum([totals.get(row.status, Total()), _total(row)])

    def totals(self, schedule_id: str, rows: Iterable[TaskExecution]) -> dict[TaskStatus, Total]:
        """How these rows ended, and those that were pruned."""
        found: defaultdict[TaskStatus, list[Total]] = defaultdict(list)
        for status, total in self._pruned(schedule_id).items():
            found[status].append(total)
        for row in rows:
            found[row.status].append(_total(row))
        return {status: _sum(totals) for status, totals in found.items()}

    def _set(self, schedule: Schedule) -> None:
        one, at = schedule.schedule_id, _fires_at(schedule)
        moved = at != _fires_at(self.by_id.get(one))
        self.by_id[one] = schedule
        if moved and at is not None:
            heappush(self._agenda, (at, one))
            if len(self._agenda) > 2 * len(self.by_id) + 1000:  # many moves, and none was met
                times = ((_fires_at(each), each.schedule_id) for each in self.by_id.values())
                self._agenda = [(time, each) for time, each in times if time is not None]
                heapify(self._agenda)

    def _pruned(self, schedule_id: str) -> Mapping[TaskStatus, Total]:
        return self._totals.get(schedule_id, {})

    def _has(self, tick: Tick) -> bool:
        ticks = self._ticks.get(tick.schedule_id, [])
        at = bisect_left(ticks, tick.instant, key=_BY_INSTANT)
        return at < len(ticks) and ticks[at].instant == tick.instant


def _state(schedule: Schedule | None) -> tuple[int, datetime | None, datetime | None] | None:
    """What ``put`` compares."""
    if schedule is None:
        return None
    return schedule.version, schedule.next_fire_time, schedule.last_fire_time


def _fires_at(schedule: Schedule | None) -> datetime | None:
    return None if schedule is None or schedule.paused else schedule.next_fire_time


def _matches(one: Schedule, query: ScheduleFilter) -> bool:
    return (
        (query.name is None or one.name == query.name)
        and (query.event is None or one.event == query.event)
        and (query.task_id is None or one.task_id == query.task_id)
        and (query.cursor is None or one.schedule_id > query.cursor)
    )


def _given(instant: datetime | None) -> set[datetime]:
    return set() if instant is None else {instant}


def _between(ticks: list[Tick], start: datetime, end: datetime) -> list[Tick]:
    first, last = (bisect_left(ticks, at, key=_BY_INSTANT) for at in (start, end))
    return ticks[first:last]


def _total(row: TaskExecution) -> Total:
    if row.started_time is None or row.completed_time is None:
        return Total(count=1)
    return Total(count=1, seconds=(row.completed_time - row.started_time).total_seconds())


def _sum(totals: Collection[Total]) -> Total:
    count, seconds = (sum(one.count for one in totals), sum(one.seconds for one in totals))
    return Total(count=count, seconds=seconds)
