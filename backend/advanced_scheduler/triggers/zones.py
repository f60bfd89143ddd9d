"""Owns time zones: their names, and the stretches of constant UTC offset they consist of.

Instants here are whole seconds since 1970-01-01 UTC; *wall* times are seconds since
1970-01-01 00:00 of what a clock on the wall of the zone shows, so ``wall = instant + offset``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from ..errors import InvalidTrigger

DAY: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST: Final = int(datetime(2, 1, 1, tzinfo=UTC).timestamp())
LATEST: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())

# Two changes of one zone were never less than 3.9 days apart, and no change moved the clocks
# by more than 24 hours: probing every two days finds each of them, and its repeated hours.
_STEP: Final = 2 * DAY
_SPAN: Final = 200 * _STEP
_FIXED: Final = re.compile(r"UTC([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)


class Pass(IntEnum):
    """Whether the wall clock shows the times of a stretch once, or for the first or second time."""

    ONLY = 0
    FIRST = 1
    SECOND = 2


class Stretch(NamedTuple):
    """Instants from ``start`` up to ``end`` (exclusive) during which the offset is constant.

    ``skipped`` is by how many seconds the wall clock jumped forward at ``start``.
    """

    start: int
    end: int
    offset: int
    skipped: int
    passing: Pass


def stretch_at(zone: tzinfo, instant: int) -> Stretch:
    """The stretch of ``zone`` that holds ``instant``, which is in ``[EARLIEST, LATEST)``."""
    starts, stretches = _stretches(zone, instant // _SPAN)
    return stretches[bisect_right(starts, instant) - 1]


def zone_of(zone: str | tzinfo) -> tzinfo:
    """The zone of that name, or of the name that the tzinfo bears.

    Raises InvalidTrigger for a name nobody knows, and for a tzinfo without one: it could be
    stored nowhere.
    """
    if isinstance(zone, timezone):
        name: object = str(timezone(zone.utcoffset(None)))
    elif isinstance(zone, tzinfo):
        name = getattr(zone, "key", getattr(zone, "zone", None))  # zoneinfo, pytz
    else:
        name = zone
    if not isinstance(name, str):
        raise InvalidTrigger(
            f"timezone={zone!r} has no name; give an IANA name such as 'Europe/Berlin'"
        )
    if name.upper() == "UTC":
        return UTC
    if fixed := _FIXED.fullmatch(name):
        sign, *parts = fixed.groups(default="0")
        hours, minutes, seconds = map(int, parts)
        distance = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if distance < timedelta(days=1):
            return timezone(-distance if sign == "-" else distance)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of tzdata is an OSError
        raise InvalidTrigger(
            f"timezone={name!r} is unknown; give an IANA name such as 'Europe/Berlin'"
        ) from error


def localize(wall: datetime, zone: tzinfo) -> datetime:
    """The instant at which a clock in ``zone`` shows the naive ``wall``.

    A time that is shown twice means the first one (unless ``fold=1``), a time that is skipped
    the moment right after the jump.
    """
    local = wall.replace(tzinfo=zone)
    back = local.astimezone(UTC).astimezone(zone)
    if back.replace(tzinfo=None) == wall:
        return local
    late = local.replace(fold=0).astimezone(UTC)
    return datetime.fromtimestamp(stretch_at(zone, int(late.timestamp())).start, zone)


@lru_cache(maxsize=4096)
def _stretches(zone: tzinfo, number: int) -> tuple[tuple[int, ...], tuple[Stretch, ...]]:
    """The stretches of the ``number``-th span since 1970, and where each starts."""
    low, high = number * _SPAN, (number + 1) * _SPAN
    shifts = dict(_changes(zone, max(low - _STEP, EARLIEST - DAY), min(high + _STEP, LATEST)))
    cuts = {low, high}
    for at, shift in shifts.items():
        cuts |= {at, at + shift, at - shift} if shift < 0 else {at}
    stretches = tuple(
        Stretch(
            start, end, _offset(zone, start), max(shifts.get(start, 0), 0), _passing(zone, start)
        )
        for start, end in pairwise(sorted(cut for cut in cuts if low <= cut <= high))
    )
    return tuple(stretch.start for stretch in stretches), stretches


def _changes(zone: tzinfo, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Each instant in ``(low, high]`` at which the offset changes, and by how many seconds."""
    probes = [(at, _offset(zone, at)) for at in range(low, high + 1, _STEP)]
    for (before, old), (after, new) in pairwise(probes):
        if old != new:
            yield _changed(zone, before, after), new - old


def _changed(zone: tzinfo, before: int, after: int) -> int:
    """The first instant whose offset is no longer that of ``before``, but that of ``after``."""
    new = _offset(zone, after)
    return before + bisect_left(
        range(before, after), True, key=lambda instant: _offset(zone, instant) == new
    )


def _offset(zone: tzinfo, instant: int) -> int:
    local = _local(zone, instant).utcoffset()
    assert local is not None  # an aware datetime has an offset
    return local.days * DAY + local.seconds


def _passing(zone: tzinfo, instant: int) -> Pass:
    local = _local(zone, instant)
    if local.fold:
        return Pass.SECOND
    again = local.replace(fold=1).astimezone(UTC)
    return Pass.FIRST if again > local.astimezone(UTC) else Pass.ONLY


def _local(zone: tzinfo, instant: int) -> datetime:
    within = min(max(instant, EARLIEST - DAY), LATEST)  # the first and last span reach beyond
    return datetime.fromtimestamp(within, zone)
