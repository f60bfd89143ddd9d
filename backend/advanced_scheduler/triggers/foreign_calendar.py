"""Owns the trigger that runs when APScheduler's calendar interval trigger would."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, tzinfo
from datetime import time as clock
from typing import ClassVar, Final, get_args

from ..errors import InvalidTrigger
from .calendar import Short
from .wall import Fold, Gap, WallTrigger
from .zones import DAY

_LAST_YEAR: Final = 9998
_ORDINAL: Final = date(1970, 1, 1).toordinal()


class ForeignCalendarTrigger(WallTrigger):
    """Runs when APScheduler's calendar interval trigger does: on one day of several.

    ``every`` is years, months, weeks and days; ``start`` and ``end`` are ISO dates. A date that
    does not exist is passed over ("skip"), or the last day of its month runs ("last", which goes
    on with the day of ``start``); a time that a clock change skips is passed over. The other
    arguments are those of WallTrigger. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "apscheduler_calendar"

    def __init__(
        self,
        every: Sequence[int],
        time: Sequence[int],
        start: str,
        end: str | None = None,
        *,
        short: Short = "skip",
        timezone: str | tzinfo = "UTC",
        gap: Gap | None = "skip",
        fold: Fold | None = None,
        jitter: float | None = None,
        jitter_seed: str | None = None,
    ) -> None:
        self._every = list(every)
        if short not in get_args(Short):
            raise InvalidTrigger(f"short={short!r} is unknown; use one of skip, last")
        try:
            hour, minute, second = time
            self._time = clock(hour, minute, second)
            walls = _CalendarWalls(self._every, self._time, start, end, last=short == "last")
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidTrigger(
                f"every={every!r}, time={time!r}, start={start!r} and end={end!r} make no calendar "
                f"interval trigger: {error}"
            ) from error
        super().__init__(
            walls,
            {
                "every": self._every,
                "time": list(time),
                "start": start,
                "end": end,
                "short": None if short == "skip" else short,
            },
            timezone=timezone,
            gap="skip" if gap is None else gap,
            fold=fold,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )

    def __str__(self) -> str:
        names = ("years", "months", "weeks", "days")
        every = [f"{n} {name}" for n, name in zip(self._every, names, strict=True) if n]
        since = f"from {self._arguments['start']} on"
        return self._in_words(f"every {' and '.join(every)} at {self._time}, {since}")


class _CalendarWalls:
    """One time of the days that are so many years, months, weeks and days apart."""

    def __init__(
        self, every: Sequence[int], at: clock, start: str, end: str | None, *, last: bool
    ) -> None:
        years, months, weeks, days = every
        self._months = years * 12 + months
        self._days = weeks * 7 + days
        if self._months < 0 or self._days < 0 or not self._months + self._days:
            raise ValueError("it must be a day or more")
        self._second = at.hour * 3600 + at.minute * 60 + at.second
        self._last = date.fromisoformat(end).toordinal() if end else date.max.toordinal()
        first = date.fromisoformat(start)
        self._ordinals = [first.toordinal()]
        self._day = first.day if last else None

    def next_wall(self, wall: int) -> int | None:
        """The first wall time (seconds) that is named, from ``wall`` on; None: never again."""
        ordinal = -(-(wall - self._second) // DAY) + _ORDINAL
        if not self._months:
            first = self._ordinals[0]
            ahead = max(0, -(-(ordinal - first) // self._days))
            return self._wall(first + ahead * self._days)
        while self._ordinals[-1] < ordinal:
            following = self._following(date.fromordinal(self._ordinals[-1]))
            if following is None:
                return None
            self._ordinals.append(following)
        return self._wall(self._ordinals[bisect_left(self._ordinals, ordinal)])

    def _following(self, day: date) -> int | None:
        month = day.year * 12 + day.month - 1
        while (month := month + self._months) < _LAST_YEAR * 12:
            of_month = (month // 12, month % 12 + 1)
            length = monthrange(*of_month)[1]
            wanted = day.day if self._day is None else min(self._day, length)
            if wanted <= length:
                return date(*of_month, wanted).toordinal() + self._days
        return None

    def _wall(self, ordinal: int) -> int | None:
        if ordinal > self._last:
            return None
        return (ordinal - _ORDINAL) * DAY + self._second
