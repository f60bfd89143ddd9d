"""Owns what clock changes do to a trigger, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from ..errors import InvalidTrigger
from .combined import CombinedTrigger
from .date import OneTimeTrigger
from .recurring import SECOND, RecurringTrigger, WallTimes
from .trigger import Trigger, microseconds
from .zones import DAY, EARLIEST, EPOCH, LATEST, Stretch, stretch_at

MOST_NAMED: Final = 1000
"""Times that one clock change skips or repeats are counted up to here."""

_MARGIN: Final = 2 * DAY  # more than the repeated times of any change


@dataclass(frozen=True, slots=True)
class NextRun:
    """A run to come, aware in the trigger's zone, and what a clock change does to it."""

    instant: datetime
    note: str | None = None


class Change(NamedTuple):
    """What one change of the clocks does to a trigger.

    ``start`` to ``end`` (seconds, exclusive) are both passes of the times that come twice; of
    times that do not exist both are the instant of the jump.
    """

    start: int
    end: int
    words: str


def describe(trigger: Trigger) -> str:
    """When the trigger runs, in words: ``at 02:30 every day, Europe/Berlin``."""
    return str(trigger)


def lint(trigger: Trigger, start: datetime, days: float = 730) -> list[str]:
    """What the clock changes within ``days`` from ``start`` (aware) do to the trigger, in words.

    One line for each change that skips or repeats times at which it would run; none for triggers
    that run by real time. Raises InvalidTrigger for ``days`` that are not a stretch of 0 to
    36,600 days.
    """
    if not 0 <= days <= 36_600:
        raise InvalidTrigger(f"days={days!r} must be from 0 to 36,600")
    return [change.words for change in changes(trigger, start, start + timedelta(days=days))]


def next_runs(trigger: Trigger, count: int, start: datetime) -> list[NextRun]:
    """The first ``count`` runs from ``start`` (aware) on, or fewer if they end.

    Runs that a clock change moves, or makes the first or the second of two, have a note, and so
    has the one after times that were skipped.
    """
    instants: list[datetime] = []
    while len(instants) < count:
        following = trigger.get_next_fire_time(instants[-1] if instants else None, start)
        if following is None:
            break
        instants.append(following)
    if not instants:
        return []
    found = list(changes(trigger, start, max(start, instants[-1])))
    runs: list[NextRun] = []
    since = microseconds(start) // SECOND - 1  # a jump right at the start counts
    for instant in instants:
        until = microseconds(instant) // SECOND
        notes = [
            change.words
            for change in found
            if change.start <= until < change.end or since < change.start == change.end <= until
        ]
        runs.append(NextRun(instant, "; ".join(notes) or None))
        since = until
    return runs


def changes(trigger: Trigger, start: datetime, end: datetime) -> Iterator[Change]:
    """Each change of the clocks that affects the trigger from ``start`` up to ``end``, once."""
    if isinstance(trigger, CombinedTrigger):
        parts = (change for part in trigger.parts for change in changes(part, start, end))
        yield from dict.fromkeys(sorted(parts))
    elif isinstance(trigger, OneTimeTrigger):
        at = microseconds(trigger.run_at) // SECOND
        if trigger.moved is not None and microseconds(start) // SECOND <= at:
            yield Change(at, at, trigger.moved)
    elif isinstance(trigger, RecurringTrigger) and trigger.walls is not None:
        low = max(microseconds(start) // SECOND, EARLIEST + _MARGIN)
        high = min(microseconds(end) // SECOND, LATEST - _MARGIN - 1)
        for before, after in pairwise(_stretches(trigger.timezone, low - _MARGIN, high + _MARGIN)):
            if before.offset < after.offset and low <= after.start <= high:
                yield from _skipped(trigger, trigger.walls, before, after)
            elif before.offset > after.offset:
                found = _repeated(trigger, trigger.walls, before, after)
                yield from (change for change in found if change.start <= high and change.end > low)


def _stretches(zone: tzinfo, low: int, high: int) -> Iterator[Stretch]:
    while low <= high:
        stretch = stretch_at(zone, low)
        yield stretch
        low = stretch.end


def _skipped(
    trigger: RecurringTrigger, walls: WallTimes, before: Stretch, after: Stretch
) -> Iterator[Change]:
    jump = after.start
    named = _named(walls, jump + before.offset, jump + after.offset)
    following = trigger.nominal((jump - 1) * SECOND - 1)
    if following is not None and following < jump * SECOND:
        following = trigger.nominal(jump * SECOND - 1)
    if not named or following is None or not trigger.holds(jump * SECOND):
        return
    shown = following // SECOND + stretch_at(trigger.timezone, following // SECOND).offset
    one = len(named) == 1
    if trigger.catches_up(after) or walls.next_wall(shown) != shown:
        outcome = f"{'runs' if one else 'they run once,'} at {_clock(shown, named[0])} instead"
    else:
        outcome = "is skipped" if one else "they are skipped"
    exist = "does not exist" if one else "do not exist"
    yield Change(jump, jump, f"{_times(named)} {exist} in {trigger.timezone}: {outcome}")


def _repeated(
    trigger: RecurringTrigger, walls: WallTimes, before: Stretch, after: Stretch
) -> Iterator[Change]:
    turn, shift = after.start, before.offset - after.offset
    named = _named(walls, turn + after.offset, turn + before.offset)
    first = _runs_within(trigger, turn - shift, turn)
    second = _runs_within(trigger, turn, turn + shift)
    if not named or trigger.nominal((turn - shift) * SECOND - 1) is None:
        return
    if not (first or second or trigger.holds((turn - shift) * SECOND)):
        return
    outcome = {
        (True, True): "both times",
        (True, False): "the first time",
        (False, True): "the second time",
        (False, False): "at no time",
    }[first, second]
    one = len(named) == 1
    happens, runs = ("happens", "runs") if one else ("happen", "they run")
    words = f"{_times(named)} {happens} twice in {trigger.timezone}: {runs} {outcome}"
    yield Change(turn - shift, turn + shift, words)


def _runs_within(trigger: RecurringTrigger, start: int, end: int) -> bool:
    found = trigger.nominal(start * SECOND - 1)
    return found is not None and found < end * SECOND


def _named(walls: WallTimes, low: int, high: int) -> list[int]:
    """The wall times from ``low`` up to ``high`` that are named, as far as they are counted."""
    named: list[int] = []
    wall = walls.next_wall(low)
    while wall is not None and wall < high and len(named) < MOST_NAMED:
        named.append(wall)
        wall = walls.next_wall(wall + 1)
    return named


def _times(named: list[int]) -> str:
    first = _text(named[0])
    if len(named) == 1:
        return first
    if len(named) == MOST_NAMED:
        return f"{first} and {MOST_NAMED - 1:,} or more times after it"
    return f"{first} to {_clock(named[-1], named[0])} ({len(named)} times)"


def _clock(wall: int, beside: int) -> str:
    """The time of ``wall``, with its date if that is not the one of ``beside``."""
    text, other = _text(wall), _text(beside)
    return text.split()[1] if text.split()[0] == other.split()[0] else text


def _text(wall: int) -> str:
    shown = EPOCH + timedelta(seconds=wall)
    return f"{shown:%Y-%m-%d %H:%M}" + (f":{shown:%S}" if shown.second else "")
