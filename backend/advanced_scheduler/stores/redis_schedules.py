"""The schedules of the Redis store and the ledger of their ticks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from ..models import Schedule, Tick
from .base import Firing
from .redis_client import RedisClient
from .redis_executions import CHUNK, chunks
from .redis_rows import SCHEDULES, TICKS, Arg, Reply, inserted, listed
from .rows import Reader, micros, nearest


class RedisSchedules(RedisClient):
    """``ScheduleStore`` on a Redis server."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._schedules = Reader("schedule", SCHEDULES.codec, self._clock)
        self._ticks = Reader("tick of schedule", TICKS.codec, self._clock)

    def put(self, schedule: Schedule, *, expected: Schedule | None) -> bool:
        """Insert, or replace what is stored if it is as expected."""
        state: list[Arg] = ["", ""]
        if expected is not None:
            state = [expected.version, _micros(expected.next_fire_time)]
        next_fire = "" if schedule.paused else _micros(schedule.next_fire_time)
        fields = SCHEDULES.fields(schedule)
        return bool(self._call("put", [schedule.schedule_id, *state, next_fire, *fields]))

    def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
        """These schedules, or all, by id."""
        wanted: Sequence[str | bytes]
        if ids is None:
            wanted = self._run(lambda client: client.zrange(f"{self._root}schedules", 0, -1))
        else:
            wanted = sorted(set(ids))
        replies = (self._call("rows", ["s:", *some]) for some in chunks(wanted, CHUNK))
        return self._schedules.decode([SCHEDULES.fetched(one) for part in replies for one in part])

    def remove(self, schedule_id: str) -> bool:
        """Delete the schedule; its ticks stay."""
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
        for some in chunks(firings, CHUNK // 10):
            args = [len(some), *(part for firing in some for part in _fired(firing))]
            fired += map(bool, self._call("fire", args))
        return fired

    def ticks(
        self, schedule_id: str, start: datetime, end: datetime, limit: int = 1000
    ) -> list[Tick]:
        """The ledger from ``start`` up to, without, ``end``, by instant."""
        found = self._call("ticks", [schedule_id, micros(start), micros(end), limit])
        return self._ticks.decode([TICKS.fetched(reply) for reply in found])

    def _load(self, ask: Callable[[list[str]], Sequence[Reply]]) -> list[Schedule]:
        return self._schedules.read(lambda skip: [SCHEDULES.fetched(reply) for reply in ask(skip)])


def _micros(time: datetime | None) -> Arg:
    return "" if time is None else micros(time)


def _fired(firing: Firing) -> list[Arg]:
    """A firing as ``fire.lua`` takes it."""
    last = max((tick.instant for tick in firing.ticks), default=None)
    state = [firing.version, micros(firing.expected), _micros(firing.next_fire_time)]
    ticks: list[Arg] = []
    for tick in firing.ticks:
        ticks += [tick.schedule_id, micros(tick.instant), *listed(TICKS.fields(tick))]
    rows = [part for row in firing.executions for part in inserted(row)]
    head = [firing.schedule_id, *state, _micros(last)]
    return [*head, len(firing.ticks), *ticks, len(firing.executions), *rows]
