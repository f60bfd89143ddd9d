"""Owns the triggers that combine others: when all of them run, or when any of them does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Self

from ..errors import InvalidTrigger
from .event import EventTrigger
from .trigger import Trigger, trigger_from_json
from .zones import EPOCH

MOST_PARTS: Final = 100
STEPS: Final = 10_000
"""So many questions may the search of one AndTrigger ask."""

MOST_STEPS: Final = 10 * STEPS
"""So many may those of all that stand side by side in an OrTrigger ask."""

HORIZON: Final = timedelta(days=50 * 366)
"""So far does an AndTrigger look: a 29th of February is a Monday again within 40 years."""

_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = datetime.max.replace(tzinfo=UTC) - HORIZON
_SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Effort:
    """How many questions the AndTriggers within one search may still ask, together."""

    def __init__(self, left: int = MOST_STEPS) -> None:
        self.left = left

    @contextmanager
    def part(self, most: int) -> Iterator[Effort]:
        """At most so much of it for one of those who search."""
        given = min(self.left, most)
        own = Effort(given)
        yield own
        self.left -= given - own.left


class CombinedTrigger(Trigger):
    """Made of other triggers, combined ones among them; ``max_runs`` of a part counts that part.

    A part may be given as what it states of itself. Raises InvalidTrigger for no part, more
    than 100, what is no trigger of ours, and an EventTrigger, which has no instants.
    """

    def __init__(self, triggers: Sequence[Trigger | Mapping[str, Any]]) -> None:
        if type(triggers) not in (list, tuple) or not 1 <= len(triggers) <= MOST_PARTS:
            raise InvalidTrigger(
                f"triggers={triggers!r} must be a list of 1 to {MOST_PARTS} triggers"
            )
        self.parts: Final = tuple(_part(at, given) for at, given in enumerate(triggers))
        super().__init__({"triggers": [part.to_json() for part in self.parts]})
        self.durable = all(part.durable for part in self.parts)

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first instant after ``previous_fire_time``, or from ``now`` on if that is None."""
        if previous_fire_time is not None:
            return self.after(previous_fire_time.astimezone(UTC), Effort())
        return self.after(max(now.astimezone(UTC), EPOCH) - _MICROSECOND, Effort())

    @abstractmethod
    def after(self, instant: datetime, effort: Effort) -> datetime | None:
        """The first instant later than ``instant``, which is in UTC."""

    def starting(self, now: datetime) -> Self:
        """The same of its parts as they are once they were scheduled at ``now``."""
        return self._of([part.starting(now) for part in self.parts])

    def after_pause(self, paused_from: datetime, now: datetime) -> Self:
        """The same of its parts as they are after the pause."""
        return self._of([part.after_pause(paused_from, now) for part in self.parts])

    def _of(self, parts: Sequence[Trigger]) -> Self:
        same = all(new is old for new, old in zip(parts, self.parts, strict=True))
        return self if same else type(self)(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.parts)!r})"


class OrTrigger(CombinedTrigger):
    """Runs whenever at least one of ``triggers`` does; once if several do at the same instant."""

    kind: ClassVar[str] = "or"

    def __init__(self, triggers: Sequence[Trigger | Mapping[str, Any]]) -> None:
        super().__init__(triggers)
        # What is nested says the same side by side, and then costs no part of the effort.
        self._flat: Final[tuple[Trigger, ...]] = tuple(
            leaf
            for part in self.parts
            for leaf in (part._flat if isinstance(part, OrTrigger) else (part,))
        )

    def after(self, instant: datetime, effort: Effort) -> datetime | None:
        """The earliest of what the parts answer; AndTriggers share what effort there is."""
        searching = sum(isinstance(part, AndTrigger) for part in self._flat)
        found = []
        for part in self._flat:
            if isinstance(part, AndTrigger):
                with effort.part(effort.left // searching) as own:
                    found.append(part.after(instant, own))
                searching -= 1
            else:
                found.append(_ask(part, instant, effort))
        return min(filter(None, found), key=_in_utc, default=None)

    def __str__(self) -> str:
        return f"any of: {'; '.join(map(str, self.parts))}"


class AndTrigger(CombinedTrigger):
    """Runs whenever all of ``triggers`` do, at the same microsecond.

    The search for such an instant is bounded: by 10,000 questions to parts, those of parts
    within them included (fewer where more than 10 such triggers stand side by side in an
    OrTrigger), and 50 years. One that finds nothing ends the trigger. Raises
    InvalidTrigger if already the first search does, from 2020 on, and for parts with jitter,
    which never meet.
    """

    kind: ClassVar[str] = "and"

    def __init__(self, triggers: Sequence[Trigger | Mapping[str, Any]]) -> None:
        super().__init__(triggers)
        if spread := next(filter(_spread, self.parts), None):
            raise InvalidTrigger(f"{spread!r} cannot be part of an AndTrigger: it has jitter")
        if self.durable and self.after(_SINCE - _MICROSECOND, Effort()) is None:
            raise InvalidTrigger(
                f"{self!r} never runs: its triggers have no instant in common within "
                f"{HORIZON.days // 366} years, or {STEPS:,} questions to them"
            )

    def after(self, instant: datetime, effort: Effort) -> datetime | None:
        """Asks each part from the latest answer of any on, until all answer the same."""
        with effort.part(STEPS) as own:
            return self._search(instant, own)

    def _search(self, instant: datetime, effort: Effort) -> datetime | None:
        latest, limit = instant, None
        while effort.left > 0:
            found = []
            for part in self.parts:
                effort.left -= 1
                following = _ask(part, max(latest - _MICROSECOND, instant), effort)
                if following is None:
                    return None
                found.append(following)
                latest = max(latest, following.astimezone(UTC))
            if all(one.astimezone(UTC) == latest for one in found):
                return found[0]
            limit = limit or min(latest, _LATEST) + HORIZON
            if latest > limit:
                break
        return None

    def __str__(self) -> str:
        return f"when all agree: {'; '.join(map(str, self.parts))}"


def _ask(part: Trigger, instant: datetime, effort: Effort) -> datetime | None:
    if isinstance(part, CombinedTrigger):
        return part.after(instant, effort)
    return part.get_next_fire_time(instant, instant)


def _part(at: int, given: object) -> Trigger:
    part = trigger_from_json(given) if isinstance(given, Mapping) else given
    if not isinstance(part, Trigger):
        raise InvalidTrigger(f"triggers[{at}]={given!r} is not a trigger; see as_trigger")
    if isinstance(part, EventTrigger):
        raise InvalidTrigger(f"triggers[{at}]={given!r} has no instants: it cannot be combined")
    return part


def _spread(part: Trigger) -> bool:
    if isinstance(part, CombinedTrigger):
        return any(map(_spread, part.parts))
    return bool(part.to_json().get("jitter"))


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)
