"""Owns the trigger that asks an object of the application, and trusts none of its answers."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple, NoReturn, Self

from ..errors import InvalidTrigger, NotStorable
from ..forks import free_in_child
from .trigger import Trigger, microseconds
from .zones import DAY, EPOCH, LATEST

REMEMBERED: Final = 10_000

_LAST: Final = (LATEST - DAY) * 1_000_000


class _Answer(NamedTuple):
    """After the instant ``after`` came ``found`` (microseconds); ``said`` is what the object said.

    ``said`` may be a little later than a datetime can tell, and the object is asked from there.
    """

    after: int
    found: int
    said: float


class ObjectTrigger(Trigger):
    """Runs when an object of the application says so; it lives in the memory of this process.

    The object has ``get_next_run_time(after_time)``, which answers the next Unix seconds after
    ``after_time`` or None, and perhaps ``is_finished()``; or it is an APScheduler trigger of the
    application's own. Its answers are remembered, so that asking twice answers the same.

    ``to_json`` holds the trigger itself, which ``trigger_from_json`` gives back; turning that
    into text raises NotStorable. Raises InvalidTrigger for an object without such a method, and
    whenever the object raises or answers what is no instant, or one that has passed.
    """

    kind: ClassVar[str] = "object"
    durable = False

    def __init__(self, object: Any) -> None:
        if isinstance(object, type) or not any(
            callable(getattr(object, name, None))
            for name in ("get_next_run_time", "get_next_fire_time")
        ):
            raise InvalidTrigger(
                f"{object!r} is not a trigger: it has neither get_next_run_time(after_time) nor "
                "get_next_fire_time(previous, now)"
            )
        super().__init__({"object": object})
        self.object: Final = object
        self._answers: list[_Answer] = []  # by ``after``; what lies between two is known
        self._lock = free_in_child(threading.Lock())

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first instant after ``previous_fire_time``, or from ``now`` on if that is None."""
        if previous_fire_time is None:
            after = microseconds(now) - 1
        else:
            after = microseconds(previous_fire_time)
        with self._lock:
            found = self._known(after)
            if found is None:
                found = self._asked(after, previous_fire_time is None)
        return None if found is None else EPOCH + timedelta(microseconds=found)

    def to_json(self) -> dict[str, Any]:
        """A state that holds this very trigger; no text can be made of it."""
        return {"type": self.kind, "v": 1, "object": _Live(trigger=self)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The trigger that ``to_json`` put there; raises InvalidTrigger if there is none."""
        live = state.get("object")
        trigger = live.get("trigger") if isinstance(live, _Live) else None
        if not isinstance(trigger, cls):
            raise InvalidTrigger(
                "a trigger that is an object lives in the memory of one process only; it cannot "
                "be read from a store"
            )
        return trigger

    def _known(self, after: int) -> int | None:
        at = bisect_right(self._answers, after, key=_after)
        if at and after < self._answers[at - 1].found:
            return self._answers[at - 1].found
        return None

    def _asked(self, after: int, first: bool) -> int | None:
        """What the object answers; it never skips an instant that it named before."""
        at = bisect_right(self._answers, after, key=_after)
        before = self._answers[at - 1] if at else None
        since = after + 1 if first else after
        asked = before.said if before and before.found == since else since / 1_000_000
        said = self._said(asked, first)
        if said is not None and math.ceil(said * 1_000_000) == after:
            said = self._said(asked + 1e-6, first)  # it answers the next from there on, inclusive
        found = None if said is None else math.ceil(said * 1_000_000)
        if found is not None and not after < found < _LAST:
            raise self._refused(f"answered {said!r}, which is not after {asked!r}")
        if at < len(self._answers):
            later = self._answers[at]
            if found is None or later.found < found:
                found, said = later.found, later.said
        if found is not None and said is not None:
            self._answers.insert(at, _Answer(after, found, said))
            if len(self._answers) > REMEMBERED:
                del self._answers[: REMEMBERED // 10]
        return found

    def _said(self, asked: float, first: bool) -> float | None:
        """The object's answer in Unix seconds."""
        try:
            if hasattr(self.object, "get_next_run_time"):
                finished = getattr(self.object, "is_finished", None)
                if callable(finished) and finished():
                    return None
                answer = self.object.get_next_run_time(asked)
            else:
                instant = EPOCH + timedelta(seconds=asked)
                answer = self.object.get_next_fire_time(None if first else instant, instant)
        except Exception as error:
            raise InvalidTrigger(f"{self.object!r} raised {error!r}") from error
        if isinstance(answer, datetime) and answer.tzinfo is not None:
            return microseconds(answer) / 1_000_000
        if answer is None or (
            isinstance(answer, int | float) and not isinstance(answer, bool) and _finite(answer)
        ):
            return answer
        raise self._refused(f"answered {answer!r}, which is not a time in Unix seconds")

    def _refused(self, what: str) -> InvalidTrigger:
        return InvalidTrigger(f"{self.object!r} {what}")

    def __str__(self) -> str:
        return f"when {self.object!r} says so"


class _Live(dict[str, Any]):
    """The object in a state. An encoder of JSON asks a dict for its items, and here is told no."""

    __repr__ = object.__repr__  # that of an application's object may cost, or raise, anything

    def items(self) -> NoReturn:
        """Raises NotStorable."""
        raise NotStorable(
            f"{self['trigger']!r} lives in the memory of this process: use it on the memory store, "
            "or a trigger that can be stored"
        )


def _after(answer: _Answer) -> int:
    return answer.after


def _finite(number: float) -> bool:
    return -1e12 < number < 1e12  # also no NaN, and no integer that is too large for a float
