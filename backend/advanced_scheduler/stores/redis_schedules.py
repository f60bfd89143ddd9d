"""The schedules of the Redis store and the ledger of their ticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from ..models import (
    SCHEDULE_STATES,
    Schedule,
    ScheduleFilter,
    ScheduleState,
    TaskStatus,
    Tick,
    TickOutcome,
    Total,
)
from .base import VERSIONS_KEPT, Firing, name_taken
from .redis_client import EVERYTHING, RedisClient
from .redis_executions import PAGE, chunks
from .redis_rows import SCHEDULES, TICKS, Arg, Reply, fetched, inserted, listed, optional
from .rows import Reader, instant, micros, nearest

NEW: Final = 1000
"""How many schedules one script adds, in one step: 50 ms, see ``PAGE``."""

FIRINGS: Final = 100
"""How many schedules one script fires: 10 ms, see ``PAGE``."""


class RedisSchedules(RedisClient):
    """``ScheduleStore`` on a Redis server."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._schedules = Reader("schedule", SCHEDULES, self._clock)
        self._versions = Reader("version of schedule", SCHEDULES, self._clock)
        self._ticks = Reader("tick of schedule", TICKS, self._clock)

    def add_schedules(self, new: Sequence[Schedule]) -> bool:
        """Insert all of them, or none where an id is taken.

        In one step up to ``NEW`` of them, and in several beyond.
        """
        for some in chunks(new, NEW):
            found = self._call("add_schedules", [part for one in some for part in _added(one)])
            if isinstance(found, list):
                raise name_taken(*(text.decode(errors="replace") for text in found))
            if not found:
                return False
        return True

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected; keep each version."""
        state: list[Arg] = ["", "", ""]
        if expected is not None:
            times = map(_micros, (expected.next_fire_time, expected.last_fire_time))
            state = [expected.version, *times]
        args = [*state, _due(schedule), VERSIONS_KEPT, *SCHEDULES.fields(schedule)]
        found = self._call("put", [schedule.schedule_id, *args])
        if isinstance(found, bytes):
            raise name_taken(schedule.name or "", found.decode(errors="replace"))
        return bool(found)

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        wanted: Sequence[str | bytes]
        if ids is None:
            wanted = self._run(lambda client: client.zrange(f"{self._root}schedules", 0, -1))
        else:
            wanted = sorted(set(ids))
        replies = (self._call("rows", ["s:", *some]) for some in chunks(wanted, PAGE))
        return self._schedules.decode([fetched(one) for part in replies for one in part])

    def find_schedules(self, query: ScheduleFilter) -> list[Schedule]:
        """The schedules that fit, by id."""
        limit = EVERYTHING if query.limit is None else query.limit
        wanted = [*optional(query.name), *optional(query.event), *optional(query.task_id)]

        def ask(skip: list[str]) -> list[Reply]:
            tail = [*wanted, *listed(skip)]
            return self._pages("find_schedules", [], limit, tail, query.cursor or "")

        return self._load(ask)

    def versions(self, schedule_id: str) -> list[Schedule]:
        """The latest versions of a schedule that is there, the oldest first."""
        found = self._call("versions", [schedule_id])
        return self._versions.decode([fetched(reply) for reply in found])

    def totals(self, schedule_id: str) -> dict[TaskStatus, Total]:
        """How its ended executions ended, also those that were pruned."""
        sums = self._sums("totals", schedule_id)
        return {
            one: Total(count=sums[f"{one} count"], seconds=sums[f"{one} micros"] / 1_000_000)
            for one in TaskStatus
            if sums[f"{one} count"]
        }

    def schedule_counts(self) -> dict[ScheduleState, int]:
        """How many schedules are in each state."""
        sums = self._sums("schedule_counts")
        return {one: sums[one] for one in SCHEDULE_STATES if sums[one]}

    def scheduled_tasks(self) -> dict[str, int]:
        """How many schedules there are, by task id."""
        return self._sums("scheduled_tasks")

    def tick_counts(self, start: datetime, end: datetime) -> dict[TickOutcome, int]:
        """How many ticks there are of each outcome, of all schedules."""
        counts = self._call("tick_counts", [micros(start), micros(end), *listed(TickOutcome)])
        return {one: count for one, count in zip(TickOutcome, counts, strict=True) if count}

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule, its versions and totals; its ticks stay."""
        return bool(self._call("remove", [schedule_id]))

    def due(self, now: datetime, limit: int) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        return self._load(lambda skip: self._call("due", [micros(now), limit, *listed(skip)]))

    def next_fire(self) -> datetime | None:
        """The earliest next fire time of a schedule that is not paused."""
        key = f"{self._root}due"
        found = self._run(lambda client: client.zrange(key, 0, 0, withscores=True))
        return nearest(found[0][1]) if found else None

    def fire(self, firings: Sequence[Firing]) -> list[bool]:
        """Advance each schedule, write its ticks and add its executions, in one step each."""
        fired: list[bool] = []
        for some in chunks(firings, FIRINGS):
            args = [len(some), *(part for firing in some for part in _fired(firing))]
            fired += map(bool, self._call("fire", args))
        return fired

    def ticks(
        self, schedule_id: str, start: datetime, end: datetime, limit: int = 1000
    ) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        found = self._call("ticks", [schedule_id, micros(start), micros(end), limit])
        return self._ticks.decode([fetched(reply) for reply in found])

    def last_ticks(
        self, ids: Collection[str], start: datetime, end: datetime
    ) -> dict[str, datetime]:
        """The latest instant on record of each schedule within this time."""
        within = [micros(start), micros(end)]
        last: dict[str, datetime] = {}
        for some in chunks(ids, PAGE):
            for one, found in zip(some, self._call("last_ticks", [*within, *some]), strict=True):
                if found and (at := instant(int(found))):
                    last[one] = at
        return last

    def _sums(self, script: str, *args: Arg) -> Counter[str]:
        """What a script counts that goes through the pages of something."""
        sums: Counter[str] = Counter()
        cursor = ""
        while True:
            cursor, found = self._call(script, [*args, cursor])
            for name, number in zip(found[::2], found[1::2], strict=True):
                sums[name.decode(errors="replace")] += int(number)
            if not cursor:
                return sums

    def _load(self, ask: Callable[[list[str]], Sequence[Reply]]) -> list[Schedule]:
        return self._schedules.read(lambda skip: [fetched(reply) for reply in ask(skip)])


def _micros(time: datetime | None) -> Arg:
    return "" if time is None else micros(time)


def _due(schedule: Schedule) -> Arg:
    return "" if schedule.paused else _micros(schedule.next_fire_time)


def _added(schedule: Schedule) -> list[Arg]:
    """A schedule as ``add_schedules.lua`` takes it."""
    return [schedule.schedule_id, _due(schedule), *listed(SCHEDULES.fields(schedule))]


def _fired(firing: Firing) -> list[Arg]:
    """A firing as ``fire.lua`` takes it."""
    times = map(_micros, (firing.expected, firing.last, firing.next_fire_time))
    ticks: list[Arg] = []
    for tick in firing.ticks:
        ticks += [tick.schedule_id, micros(tick.instant), *listed(TICKS.fields(tick))]
    rows = [part for row in firing.executions for part in inserted(row)]
    head = [firing.schedule_id, firing.version, *times, int(firing.by_hand)]
    return [*head, len(firing.ticks), *ticks, len(firing.executions), *rows]
