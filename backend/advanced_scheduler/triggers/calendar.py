"""Owns the triggers that run at given times of given days: of every day, week or month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final, Literal, Unpack, get_args

from ..errors import InvalidTrigger
from .cron_fields import LAST, AtMost, CalendarTimes, Dates, DayRule, Nearest
from .trigger import Argument
from .wall import WallOptions, WallTrigger

Short = Literal["skip", "last"]
"""What becomes of a day that a month lacks: nothing, or the last day of the month runs."""

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_TIME: Final = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?", re.ASCII)
_MONTHS: Final = tuple(range(1, 13))
_EVERY_DATE: Final = frozenset[int | Nearest | AtMost](range(1, 32))
_EVERY_WEEKDAY: Final = frozenset(range(7))


class DailyTrigger(WallTrigger):
    """Runs every day at each of ``times``: "HH:MM" or "HH:MM:SS", one or several.

    ``options`` are the keywords of WallTrigger, whose rule for clock changes is that of fixed
    times. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "daily"

    def __init__(self, times: str | Sequence[str], **options: Unpack[WallOptions]) -> None:
        seconds = _seconds("times", times)
        self._times = [_text(second) for second in seconds]
        dates = Dates(_MONTHS, DayRule(_EVERY_DATE, _EVERY_WEEKDAY, both=True))
        super().__init__(CalendarTimes(dates, seconds), {"times": self._times}, **options)

    def __str__(self) -> str:
        return self._in_words(f"at {listed(self._times)} every day")


class WeeklyTrigger(WallTrigger):
    """Runs on ``days`` of the week, one or several English names, at ``time``, one or several.

    Names are whole or of three letters, in any case; a time is "HH:MM" or "HH:MM:SS". For
    ``options`` see DailyTrigger. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "weekly"

    def __init__(
        self,
        days: str | Sequence[str],
        time: str | Sequence[str],
        **options: Unpack[WallOptions],
    ) -> None:
        seconds = _seconds("time", time)
        chosen = sorted({_weekday(day) for day in _several("days", days)})
        self._times = [_text(second) for second in seconds]
        self._days = [DAYS[day] for day in chosen]
        weekdays = frozenset((day + 1) % 7 for day in chosen)
        dates = Dates(_MONTHS, DayRule(_EVERY_DATE, weekdays, both=True))
        arguments = {"days": self._days, "time": self._times}
        super().__init__(CalendarTimes(dates, seconds), arguments, **options)

    def __str__(self) -> str:
        days = listed([day.capitalize() for day in self._days])
        return self._in_words(f"every {days} at {listed(self._times)}")


class MonthlyTrigger(WallTrigger):
    """Runs on ``days`` of the month, 1 to 31 or -1 or "last", one or several, at ``time``.

    ``short`` says what becomes of a day that a month lacks: nothing ("skip"), or the last day
    of that month runs instead ("last"). For ``time`` see WeeklyTrigger, for ``options``
    DailyTrigger. Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "monthly"

    def __init__(
        self,
        days: int | str | Sequence[int | str],
        time: str | Sequence[str],
        short: Short = "skip",
        **options: Unpack[WallOptions],
    ) -> None:
        if short not in get_args(Short):
            raise InvalidTrigger(f"short={short!r} is unknown; use one of skip, last")
        seconds = _seconds("time", time)
        chosen = sorted({_date(day) for day in _several("days", days)}, key=lambda day: day % 33)
        self._times = [_text(second) for second in seconds]
        self._days = chosen
        self._short = short
        named: set[int | Nearest | AtMost] = {
            LAST if day == -1 else AtMost(day) if short == "last" else day for day in chosen
        }
        dates = Dates(_MONTHS, DayRule(frozenset(named), _EVERY_WEEKDAY, both=True))
        arguments: dict[str, Argument | None] = {
            "days": chosen,
            "time": self._times,
            "short": short,
        }
        super().__init__(CalendarTimes(dates, seconds), arguments, **options)

    def __str__(self) -> str:
        days = listed(["last day" if day == -1 else ordinal(day) for day in self._days])
        instead = self._short == "last" and any(day > 28 for day in self._days)
        ending = " (the last day where a month is too short)" if instead else ""
        return self._in_words(f"on the {days} of every month at {listed(self._times)}{ending}")


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _several(name: str, given: object) -> Sequence[object]:
    """The one thing or several that the argument ``name`` says."""
    items = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    if not items:
        raise InvalidTrigger(f"{name}={given!r} is empty; it would never run")
    return items


def _seconds(name: str, given: object) -> tuple[int, ...]:
    """The times of the day, in seconds, sorted, each once."""
    return tuple(sorted({_second(name, item) for item in _several(name, given)}))


def _second(name: str, given: object) -> int:
    match = _TIME.fullmatch(given) if isinstance(given, str) else None
    if match is not None:
        hour, minute, second = map(int, match.groups(default="0"))
        if hour < 24 and minute < 60 and second < 60:
            return hour * 3600 + minute * 60 + second
    raise InvalidTrigger(f"{name}={given!r} is not a time of the day; write 'HH:MM' or 'HH:MM:SS'")


def _text(second: int) -> str:
    minute, second = divmod(second, 60)
    text = f"{minute // 60:02}:{minute % 60:02}"
    return f"{text}:{second:02}" if second else text


def _weekday(given: object) -> int:
    """0 for Monday."""
    if isinstance(given, str):
        for number, name in enumerate(DAYS):
            if given.lower() in (name, name[:3]):
                return number
    raise InvalidTrigger(f"days={given!r} is not a day of the week; use one of {', '.join(DAYS)}")


def _date(given: object) -> int:
    if given == "last":
        return -1
    if type(given) is int and (given == -1 or 1 <= given <= 31):
        return given
    raise InvalidTrigger(
        f"days={given!r} is not a day of the month; use 1 to 31, or -1 or 'last' for the last one"
    )


def ordinal(day: int) -> str:
    """``1st``, ``22nd``."""
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"
