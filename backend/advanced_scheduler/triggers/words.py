"""Owns what a cron text says, in words: two texts in equal words mean equal times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, product
from typing import Final

from .calendar import DAYS, listed, ordinal
from .cron_fields import LAST, AtMost, CronFields, DayRule, Nearest, Nth

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)

_WEEK: Final = tuple(DAYS[(day + 6) % 7].capitalize() for day in range(7))  # 0 is Sunday
_MOST_TIMES: Final = 6  # of a day that are named one by one
_EVERY_DATE: Final = frozenset(range(1, 32))
_EVERY_WEEKDAY: Final = frozenset(range(7))


def cron_in_words(fields: CronFields) -> str:
    """``at 02:30 every day``, ``every 15 minutes from 09:00 to 17:59, Monday to Friday``."""
    times, days = _times(fields), _days(fields.dates.days, fields.dates.months)
    by_clock = _count(fields) <= _MOST_TIMES
    if days is None:
        return f"{times} every day" if by_clock else times
    return f"{times} {days}" if by_clock else f"{times}, {days}"


def _count(fields: CronFields) -> int:
    return len(fields.seconds) * len(fields.minutes) * len(fields.hours)


def _times(fields: CronFields) -> str:
    seconds, minutes, hours = fields.seconds, fields.minutes, fields.hours
    if _count(fields) <= _MOST_TIMES:
        shown = product(hours, minutes, seconds)
        return f"at {listed([_clock(*one, with_seconds=seconds != (0,)) for one in shown])}"
    if seconds == (0,):
        return _minutes(minutes, hours)
    if len(minutes) == 60:
        every = _every(seconds, 60, "second")
        said = every or f"at {_numbered('second', seconds)} of every minute"
        return said + _within(hours)
    return f"at {_numbered('second', seconds)} of each minute of: {_minutes(minutes, hours)}"


def _minutes(minutes: Sequence[int], hours: Sequence[int]) -> str:
    if minutes == (0,) and (every := _every(hours, 24, "hour")):
        return every
    if every := _every(minutes, 60, "minute"):
        return every + _within(hours)
    said = f"at {_numbered('minute', minutes)}"
    if (every := _every(hours, 24, "hour")) and every != "every hour":
        return f"{said} of {every}"
    return f"{said} of every hour" + _within(hours)


def _within(hours: Sequence[int]) -> str:
    """Which hours of the day; nothing for all."""
    if len(hours) == 24:
        return ""
    if _is_run(hours):
        return f" from {hours[0]:02}:00 to {hours[-1]:02}:59"
    if every := _every(hours, 24, "hour"):
        return f" in an hour of {every}"
    return f" in {_numbered('hour', hours)}"


def _every(values: Sequence[int], size: int, unit: str) -> str:
    """``every 15 minutes``, where the values are equally far apart, from 0 on; or nothing."""
    if len(values) == size:
        return f"every {unit}"
    if len(values) < 2 or values[0] != 0:
        return ""
    step = values[1]
    return (
        f"every {step} {unit}s"
        if tuple(values) == tuple(range(0, size, step)) and size % step == 0
        else ""
    )


def _days(rule: DayRule, months: Sequence[int]) -> str | None:
    """Which days; None for all."""
    dates = None if rule.dates == _EVERY_DATE else _dates(rule.dates, months)
    weekdays = None if rule.weekdays == _EVERY_WEEKDAY else _weekdays(rule.weekdays)
    within = f" in {_named(months, MONTHS, 1)}" if len(months) < 12 else ""
    if dates is None and weekdays is None:
        return f"every day{within}" if within else None
    if weekdays is None:
        return f"on {dates}"
    if dates is None:
        return f"{weekdays}{within}"
    if rule.both:
        return f"{weekdays} that is {dates}"
    return f"on {dates}, and {weekdays}{within}"


def _dates(dates: Iterable[int | Nearest | AtMost], months: Sequence[int]) -> str:
    plain = sorted(one for one in dates if isinstance(one, int) and one != LAST)
    said = [_run_of(one, ordinal) for one in _runs(plain)]
    near = sorted(one.date for one in dates if isinstance(one, Nearest))
    said += [
        "last weekday" if one == LAST else f"weekday nearest to the {ordinal(one)}" for one in near
    ]
    if LAST in dates:
        said.append("last day")
    of = "every month" if len(months) == 12 else _named(months, MONTHS, 1)
    return f"the {listed(said)} of {of}"


def _weekdays(weekdays: Iterable[int | Nth]) -> str:
    plain = sorted((one + 6) % 7 for one in weekdays if isinstance(one, int))
    nth = sorted(one for one in weekdays if isinstance(one, Nth))
    said = []
    if plain:
        said.append("every " + _named(plain, [day.capitalize() for day in DAYS], 0))
    for one in nth:
        which = "last" if one.number == LAST else ordinal(one.number)
        said.append(f"the {which} {_WEEK[one.weekday]} of the month")
    return listed(said) if plain else f"on {listed(said)}"


def _named(values: Sequence[int], names: Sequence[str], low: int) -> str:
    return listed([_run_of(one, lambda value: names[value - low]) for one in _runs(values)])


def _numbered(unit: str, values: Sequence[int]) -> str:
    said = listed([_run_of(one, str) for one in _runs(values)])
    return f"{unit} {said}" if len(values) == 1 else f"{unit}s {said}"


def _runs(values: Sequence[int]) -> list[list[int]]:
    """The sorted values, those that follow each other together where there are three or more."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return [part for run in runs for part in ([run] if len(run) > 2 else [[one] for one in run])]


def _run_of(run: Sequence[int], name: Callable[[int], str]) -> str:
    return name(run[0]) if len(run) == 1 else f"{name(run[0])} to {name(run[-1])}"


def _is_run(values: Sequence[int]) -> bool:
    return all(right - left == 1 for left, right in pairwise(values))


def _clock(hour: int, minute: int, second: int, *, with_seconds: bool) -> str:
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if with_seconds else "")
