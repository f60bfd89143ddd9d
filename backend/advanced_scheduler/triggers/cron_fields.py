"""Owns which days and wall times a text names: set arithmetic on integers, without time zones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap
from dataclasses import dataclass, field
from datetime import MAXYEAR, date
from itertools import product
from typing import Final, NamedTuple

from .zones import DAY

LAST: Final = 0
"""Stands for the last day of a month, or the last one of a weekday in it."""

_ORDINAL: Final = date(1970, 1, 1).toordinal()
_THURSDAY: Final = 4  # 1970-01-01
_LENGTHS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Nearest(NamedTuple):
    """``nW``: the weekday (Monday to Friday) nearest to a date, in the same month."""

    date: int


class AtMost(NamedTuple):
    """A date, or the last day of a month that ends before it."""

    date: int


class Nth(NamedTuple):
    """``d#n`` and ``dL``: the n-th, or last, such day of the week (0 is Sunday) of a month."""

    weekday: int
    number: int


@dataclass(frozen=True, slots=True)
class DayRule:
    """The days of a month that day-of-month and day-of-week name, both or one of them."""

    dates: frozenset[int | Nearest | AtMost]
    weekdays: frozenset[int | Nth]
    both: bool

    def days(self, first: int, length: int) -> tuple[int, ...]:
        """The days, in order, of a month of that length whose 1st is weekday ``first``."""
        dated = {_resolved(item, first, length) for item in self.dates}
        named = {day for item in self.weekdays for day in _weekly(item, first, length)}
        found = dated & named if self.both else dated | named
        return tuple(sorted(day for day in found if day <= length))


@dataclass(frozen=True, slots=True)
class Dates:
    """The days of the year: sorted months, and the rule of the days in each."""

    months: tuple[int, ...]
    days: DayRule
    _known: dict[int, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def next_day(self, day: int) -> int | None:
        """The first day (since 1970-01-01) that is named, from ``day`` on; None: never again."""
        start = date.fromordinal(day + _ORDINAL)
        months = self.months[bisect_left(self.months, start.month) :]
        for year in range(start.year, MAXYEAR + 1):
            for month in months:
                first = date(year, month, 1).toordinal() - _ORDINAL
                length = 29 if month == 2 and isleap(year) else _LENGTHS[month]
                days = self._month((first + _THURSDAY) % 7, length)
                if days and day - first < days[-1]:
                    return first - 1 + days[bisect_left(days, day - first + 1)]
            months = self.months
        return None

    def ever(self) -> bool:
        """Whether any day is named.

        In the 400 years after which dates repeat, every month begins on each day of the week,
        and so does February of leap years.
        """
        lengths = {_LENGTHS[month] for month in self.months} | ({29} if 2 in self.months else set())
        return any(self._month(first, length) for length, first in product(lengths, range(7)))

    def _month(self, first: int, length: int) -> tuple[int, ...]:
        key = first * 32 + length
        days = self._known.get(key)
        if days is None:
            days = self._known[key] = self.days.days(first, length)
        return days


@dataclass(frozen=True, slots=True)
class CalendarTimes:
    """The same sorted times, in seconds of the day, on each of the days."""

    dates: Dates
    times: tuple[int, ...]

    def next_wall(self, wall: int) -> int | None:
        """The first wall time (seconds) that is named, from ``wall`` on; None: never again."""
        today, second = divmod(wall, DAY)
        at = bisect_left(self.times, second)
        day = self.dates.next_day(today if at < len(self.times) else today + 1)
        if day is None:
            return None
        return day * DAY + self.times[at if day == today else 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFields:
    """The days, and the sorted values of each field of the time.

    ``wildcard`` says that the minute or hour field starts with ``*``.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    dates: Dates
    wildcard: bool

    def next_wall(self, wall: int) -> int | None:
        """The first wall time (seconds) that is named, from ``wall`` on; None: never again."""
        today, second = divmod(wall, DAY)
        day = self.dates.next_day(today)
        if day == today:
            time = self._next_time(second)
            if time is not None:
                return today * DAY + time
            day = self.dates.next_day(today + 1)
        if day is None:
            return None
        return day * DAY + self.hours[0] * 3600 + self.minutes[0] * 60 + self.seconds[0]

    def _next_time(self, second: int) -> int | None:
        """The first second of the day that is named, from ``second`` on."""
        hour, rest = divmod(second, 3600)
        minute, second = divmod(rest, 60)
        hours, minutes, seconds = self.hours, self.minutes, self.seconds
        if hour in hours:
            if minute in minutes and second <= seconds[-1]:
                return hour * 3600 + minute * 60 + seconds[bisect_left(seconds, second)]
            if minute < minutes[-1]:
                minute = minutes[bisect_right(minutes, minute)]
                return hour * 3600 + minute * 60 + seconds[0]
        if hour < hours[-1]:
            return hours[bisect_right(hours, hour)] * 3600 + minutes[0] * 60 + seconds[0]
        return None


def _resolved(item: int | Nearest | AtMost, first: int, length: int) -> int:
    """The day of the month that ``item`` means; a day beyond its end for none."""
    if isinstance(item, int):
        return length if item == LAST else item
    if isinstance(item, AtMost):
        return min(item.date, length)
    day = length if item.date == LAST else item.date
    if day > length:
        return day
    weekday = (first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else 3
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


def _weekly(item: int | Nth, first: int, length: int) -> range:
    """The days of the month that ``item`` means."""
    if isinstance(item, int):
        return range((item - first) % 7 + 1, length + 1, 7)
    every = _weekly(item.weekday, first, length)
    return every[-1:] if item.number == LAST else every[item.number - 1 : item.number]
