"""Owns what recurring triggers share: the window they run in, the number of runs, jitter."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import Final, Protocol

from ..errors import InvalidTrigger
from .trigger import Argument, Moment, Trigger, duration, microseconds, moment
from .zones import EARLIEST, LATEST, Stretch, zone_of

SECOND: Final = 1_000_000
"""Instants here and in the subclasses are microseconds since 1970-01-01 UTC."""


class WallTimes(Protocol):
    """What a clock on the wall shows when it is time; see ``zones`` for wall times."""

    def next_wall(self, wall: int) -> int | None:
        """The first wall time (seconds) that is named, from ``wall`` on; None: never again."""


class RecurringTrigger(Trigger):
    """Runs at the instants that ``_following`` names, within a window, spread by jitter.

    ``start_time`` and ``end_time`` are inclusive; naive ones are in ``timezone``. ``max_runs``
    ends it after that many instants, counted from ``start_time`` on, which it therefore needs:
    the answer depends on nothing but the arguments, so it is the same on every machine.

    ``jitter`` (seconds) delays each run by less than that, always by as much for the same
    arguments and instant, and never past the next one. ``jitter_seed`` tells schedules apart
    that would otherwise be delayed alike, such as many with the same cron text.
    """

    walls: WallTimes | None = None
    """The wall times that it follows; None if it runs by real time."""

    def __init__(
        self,
        arguments: Mapping[str, Argument | None],
        *,
        timezone: str | tzinfo,
        start_time: Moment | None,
        end_time: Moment | None,
        max_runs: int | None,
        jitter: float | None,
        jitter_seed: str | None,
    ) -> None:
        self._zone = zone_of(timezone)
        self._jitter = 0 if jitter is None else duration("jitter", jitter)
        start = None if start_time is None else moment("start_time", start_time, self._zone)
        end = None if end_time is None else moment("end_time", end_time, self._zone)
        if start and end and end < start:
            raise InvalidTrigger(f"end_time={end_time!r} is before start_time={start_time!r}")
        super().__init__(
            {
                **arguments,
                "timezone": str(self._zone),
                "start_time": start.isoformat() if start else None,
                "end_time": end.isoformat() if end else None,
                "max_runs": max_runs,
                "jitter": None if jitter is None else float(jitter),
                "jitter_seed": jitter_seed,
            }
        )
        self._start = microseconds(start) if start else EARLIEST * SECOND
        self._end = microseconds(end) if end else LATEST * SECOND
        self._max_runs = _checked_runs(max_runs, start)
        # The last question and its answer: many schedules, due at once, may share the trigger.
        self._answered: tuple[int | None, datetime | None] = (None, None)
        self._counted = (0, self._start - 1)  # so many runs up to and including this instant
        if jitter_seed is not None and not isinstance(jitter_seed, str):
            raise InvalidTrigger(f"jitter_seed={jitter_seed!r} is not a str")

    @property
    def timezone(self) -> tzinfo:
        """The zone whose wall clock counts, and in which answers are given."""
        return self._zone

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first instant after ``previous_fire_time``, or from ``now`` on if that is None.

        Both are aware. The answer is in the trigger's zone; None means never again. Compare it
        in UTC: to Python a wall time that comes twice equals nothing in another zone (PEP 495).
        """
        if previous_fire_time is None:
            after = microseconds(now) - 1
        else:
            after = microseconds(previous_fire_time)
        asked, answer = self._answered
        if asked != after:
            answer = self._answer(after)
            self._answered = after, answer
        return answer

    def _answer(self, after: int) -> datetime | None:
        found = self._spread(after) if self._jitter else self._within(after)
        if found is None:
            return None
        seconds, rest = divmod(found, SECOND)
        answer = datetime.fromtimestamp(seconds, self._zone)
        return answer.replace(microsecond=rest) if rest else answer

    def nominal(self, after: int) -> int | None:
        """The first instant of the window later than ``after``, as it is without jitter."""
        return self._within(after)

    def holds(self, instant: int) -> bool:
        """Whether ``instant`` is from the start to the end of the window."""
        return self._start <= instant <= self._end

    def catches_up(self, stretch: Stretch) -> bool:
        """Whether times that the jump at the start of ``stretch`` skipped run right after it."""
        return False

    def _in_words(self, times: str) -> str:
        """``times``, the zone, and the window: what ``str`` answers."""
        words = [times, str(self._zone)]
        for name, before in (("start_time", "from"), ("end_time", "until")):
            if given := self._arguments.get(name):
                local = datetime.fromisoformat(str(given)).astimezone(self._zone)
                words.append(f"{before} {local:%Y-%m-%d %H:%M:%S}".removesuffix(":00"))
        if self._max_runs is not None:
            words.append("once" if self._max_runs == 1 else f"{self._max_runs} times")
        return ", ".join(words)

    @abstractmethod
    def _following(self, after: int) -> int | None:
        """The first instant later than ``after``, whatever the window."""

    def _within(self, after: int) -> int | None:
        """The first instant of the window later than ``after``, without jitter."""
        found = self._following(after if after >= self._start else self._start - 1)
        if found is None or found > self._end:
            return None
        return found if self._max_runs is None or self._granted(found, self._max_runs) else None

    def _granted(self, instant: int, max_runs: int) -> bool:
        """Whether ``instant`` is among the first ``max_runs`` from the start on.

        Costs one step per run since the start, once: it remembers how far it came.
        """
        count, last = self._counted
        while count < max_runs and last < instant:
            found = self._following(last)
            if found is None:
                break
            count, last = self._counted = (count + 1, found)
        return instant <= last

    def _spread(self, after: int) -> int | None:
        """The first delayed instant later than ``after``."""
        nominal = self._latest(after)
        while nominal is not None:
            delayed = min(nominal + self._delay(nominal), self._end)
            if delayed > after:
                return delayed
            nominal = self._within(nominal)
        return None

    def _latest(self, after: int) -> int | None:
        """The last instant that may be delayed beyond ``after``, or else the first one after it.

        No run is delayed past the next, so those before the last one up to ``after`` are over.
        """
        latest = self._within(max(after - self._jitter, self._start - 1))
        following = None if latest is None else self._within(latest)
        if latest is None or following is None or following > after:
            return latest
        latest, beyond = following, after
        while beyond - latest > 1:  # after ``latest`` there may be more of them, not so after that
            middle = (latest + beyond) // 2
            found = self._within(middle)
            if found is None or found > after:
                beyond = middle
            else:
                latest = found
        return latest

    def _delay(self, nominal: int) -> int:
        """Below the jitter and below the distance to the next instant, so that order stays."""
        following = self._following(nominal)
        room = self._jitter if following is None else min(self._jitter, following - nominal)
        text = json.dumps([self._arguments, nominal], sort_keys=True)
        share = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
        return room * share >> 64


def _checked_runs(max_runs: int | None, start: datetime | None) -> int | None:
    if max_runs is None:
        return None
    if type(max_runs) is not int or max_runs < 1:  # True is an int, but no number
        raise InvalidTrigger(f"max_runs={max_runs!r} must be a whole number from 1 on, or None")
    if start is None:
        raise InvalidTrigger(
            f"max_runs={max_runs} needs a start_time: runs are counted from there on"
        )
    return max_runs
