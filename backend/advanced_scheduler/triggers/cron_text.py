"""Owns the cron text: what it may say, and the errors that tell what it may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeVar

from ..errors import InvalidCronExpression
from .cron_fields import LAST, AtMost, CronFields, Dates, DayRule, Nearest, Nth

MAX_LENGTH: Final = 256
MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

Atom = TypeVar("Atom")


@dataclass(frozen=True)
class _Field:
    """One column of a cron text: values ``low`` to ``high``, of which ``size`` differ."""

    name: str
    low: int
    high: int
    size: int
    names: str = ""

    @cached_property
    def every(self) -> tuple[int, ...]:
        """What ``*`` means."""
        return tuple(range(self.low, self.low + self.size))

    @cached_property
    def words(self) -> dict[str, int]:
        """What a number or a name means; most columns are one of these, or ``*``."""
        numbers = {str(value): value for value in range(self.low, self.high + 1)}
        return numbers | {name: at for at, name in enumerate(self.names.split(), self.low)}


_SECOND: Final = _Field("second", 0, 59, 60)
_MINUTE: Final = _Field("minute", 0, 59, 60)
_HOUR: Final = _Field("hour", 0, 23, 24)
_DATE: Final = _Field("day-of-month", 1, 31, 31)
_MONTH: Final = _Field("month", 1, 12, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
_WEEKDAY: Final = _Field("day-of-week", 0, 7, 7, "SUN MON TUE WED THU FRI SAT")
_FIELDS: Final = (_SECOND, _MINUTE, _HOUR, _DATE, _MONTH, _WEEKDAY)

_RANGE: Final = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\w+))?", re.ASCII)
_NEAREST: Final = re.compile(r"(\d+|L)W", re.ASCII)
_NTH: Final = re.compile(r"(\w+)#(\w+)", re.ASCII)
_LAST: Final = re.compile(r"(\w+)L", re.ASCII)


class _Refused(Exception):
    """What cannot be, and why; it becomes part of the message."""


def parse_cron(text: str) -> CronFields:
    """What a cron text of 5 fields, 6 fields (seconds first) or a macro means.

    Follows crontab(5) of Debian and adds ``L LW nW d#n dL ?``, wrap-around ranges and steps
    without a range. Raises InvalidCronExpression, which names the field and the token, also
    for a date that never comes.
    """
    if not isinstance(text, str):
        raise InvalidCronExpression(f"Invalid cron expression {text!r}: it must be a str")
    if len(text) > MAX_LENGTH:
        raise InvalidCronExpression(
            f"Invalid cron expression {text[:20]!r}...: it has {len(text)} characters, more "
            f"than {MAX_LENGTH}"
        )
    return _parse(text)


@lru_cache(maxsize=4096)
def _parse(text: str) -> CronFields:
    try:
        second, minute, hour, date, month, weekday = _columns(text)
        return CronFields(
            seconds=_sorted(_SECOND, second),
            minutes=_sorted(_MINUTE, minute),
            hours=_sorted(_HOUR, hour),
            dates=_days_of(month, date, weekday),
            wildcard=minute[0] == "*" or hour[0] == "*",
        )
    except _Refused as problem:
        raise InvalidCronExpression(f"Invalid cron expression {text!r}: {problem}") from None


@lru_cache(maxsize=4096)
def _days_of(month: str, date: str, weekday: str) -> Dates:
    """The days that these columns name; texts that differ in their times share them."""
    days = Dates(
        _sorted(_MONTH, month),
        DayRule(
            dates=_atoms(_DATE, "*" if date == "?" else date, _dates),
            weekdays=_atoms(_WEEKDAY, "*" if weekday == "?" else weekday, _weekdays),
            both=date[0] in "*?" or weekday[0] in "*?",
        ),
    )
    if not days.ever():
        problem = f"never comes with month {month!r} and day-of-week {weekday!r}"
        raise _Refused(f"{_DATE.name} {date!r}: {problem}")
    return days


def _columns(text: str) -> list[str]:
    """The six columns, as they were written."""
    columns = [one for one in text.strip("\r\n \t").replace("\t", " ").split(" ") if one] or [""]
    if columns[0].startswith("@"):
        macro = " ".join(columns)
        if macro.lower() not in MACROS:
            raise _Refused(f"macro {macro!r}: unknown; use one of {', '.join(MACROS)}")
        columns = MACROS[macro.lower()].split()
    if len(columns) == 5:
        columns.insert(0, "0")
    if len(columns) != 6:
        end, count = columns[-1], len(columns) if columns[0] else 0
        raise _Refused(f"last field {end!r}: there are {count} fields, there must be 5 or 6")
    return columns


def _sorted(field: _Field, column: str) -> tuple[int, ...]:
    """The values of one column, in order."""
    if column == "*":
        return field.every
    if column in field.words:
        return (field.words[column],)
    return tuple(sorted(_atoms(field, column, _values)))


def _atoms(field: _Field, column: str, take: Callable[[_Field, str], set[Atom]]) -> frozenset[Atom]:
    """What ``take`` makes of the tokens of one column, together."""
    atoms: set[Atom] = set()
    for token in column.split(","):
        try:
            if not token.isascii():
                raise _Refused("only ASCII characters may be used")
            atoms |= take(field, token.upper())
        except _Refused as problem:
            raise _Refused(f"{field.name} {token or column!r}: {problem}") from None
    return frozenset(atoms)


def _dates(field: _Field, token: str) -> set[int | Nearest | AtMost]:
    if token == "L":
        return {LAST}
    if nearest := _NEAREST.fullmatch(token):
        return {Nearest(LAST if nearest[1] == "L" else _value(field, nearest[1]))}
    return {*_values(field, token)}


def _weekdays(field: _Field, token: str) -> set[int | Nth]:
    if nth := _NTH.fullmatch(token):
        return {Nth(_value(field, nth[1]) % 7, _number(nth[2], 1, 5, "the number after #"))}
    if last := _LAST.fullmatch(token):
        return {Nth(_value(field, last[1]) % 7, LAST)}
    return {*_values(field, token)}


def _values(field: _Field, token: str) -> set[int]:
    """The values of ``*``, ``a`` or ``a-b``, each with or without ``/step``."""
    match = _RANGE.fullmatch(token)
    if match is None:
        raise _Refused("neither a value nor a range nor a step")
    first, last, step = match.groups()
    low = field.low if first is None else _value(field, first)
    end = field.high if first is None or step else low
    high = end if last is None else _value(field, last)
    stride = 1 if step is None else _number(step, 1, field.high, "the step")
    if high < low:
        high += field.size
    return {(value - field.low) % field.size + field.low for value in range(low, high + 1, stride)}


def _value(field: _Field, text: str) -> int:
    value = field.words.get(text)
    return _number(text, field.low, field.high, "a value") if value is None else value


def _number(text: str, low: int, high: int, what: str) -> int:
    if not text.isdigit() or not low <= int(text) <= high:
        raise _Refused(f"{what} must be from {low} to {high}, not {text!r}")
    return int(text)
