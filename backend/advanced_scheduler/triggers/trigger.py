"""Owns what all triggers share: they are their arguments, and state them as JSON."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from reprlib import repr as brief
from typing import Any, ClassVar, Final, Self

from apscheduler.triggers.base import BaseTrigger

from ..errors import InvalidTrigger
from .zones import DAY, EARLIEST, EPOCH, LATEST, localize

Moment = datetime | str | float
"""A datetime (naive: in the trigger's zone), an ISO 8601 text of one, or Unix seconds."""

Argument = str | int | float | Sequence[Any] | Mapping[str, Any]
"""A value that JSON has (but for the live object of an ``ObjectTrigger``)."""

_VERSION: Final = 1
_LONGEST: Final = 1e300  # seconds, which a float can tell in microseconds as well
_KINDS: Final[dict[str, type[Trigger]]] = {}


class Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """A pure APScheduler trigger that is nothing but its arguments.

    Triggers of equal arguments are equal; pickle and ``to_json`` carry the arguments alone.
    A subclass that has a ``kind`` of its own is known to ``trigger_from_json``. In words, ``str``
    tells what a trigger does.
    """

    kind: ClassVar[str]
    """What ``to_json`` calls this class of triggers."""

    durable: bool = True
    """Whether ``to_json`` is JSON; if not, the trigger lives in the memory of one process."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if kind := vars(cls).get("kind"):
            _KINDS[kind] = cls

    def __init__(self, arguments: Mapping[str, Argument | None]) -> None:
        self._arguments: dict[str, Argument] = {
            name: value for name, value in arguments.items() if value is not None
        }

    @abstractmethod
    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first instant after ``previous_fire_time``, or from ``now`` on if that is None."""

    def starting(self, now: datetime) -> Trigger:
        """The trigger as it is once it was scheduled at ``now``: what counts from then, does."""
        return self

    def index_of(self, instant: datetime) -> int | None:
        """Which one ``instant`` is, from 0 on, of a trigger that is a list; None of any other."""
        return None

    def after_pause(self, paused_from: datetime, now: datetime) -> Trigger:
        """The trigger after a pause up to ``now``: later by the pause if it tells elapsed time."""
        return self

    def to_json(self) -> dict[str, Argument]:
        """This trigger as values that JSON has: its type, the version of the form, arguments."""
        return {"type": self.kind, "v": _VERSION, **self._arguments}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The trigger whose ``to_json`` gave ``state``; raises InvalidTrigger."""
        version = state.get("v")
        if version != _VERSION:
            raise InvalidTrigger(
                f"a {cls.kind} trigger of version {version!r} cannot be read here, only of "
                f"version {_VERSION}; a newer release may have written it"
            )
        arguments = {name: value for name, value in state.items() if name not in ("type", "v")}
        try:
            return cls(**arguments)
        except InvalidTrigger:
            raise
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InvalidTrigger(f"no {cls.kind} trigger can be made of {brief(state)}") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trigger):
            return NotImplemented
        return self.kind == other.kind and self._arguments == other._arguments

    def __hash__(self) -> int:
        return hash((self.kind, repr(self._arguments)))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self._arguments.items())
        return f"{type(self).__name__}({arguments})"

    def __getstate__(self) -> dict[str, Argument]:
        return self.to_json()

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(type(self).from_json(state).__dict__)


def trigger_from_json(state: Mapping[str, Any]) -> Trigger:
    """The trigger whose ``to_json()`` gave ``state``.

    Raises InvalidTrigger for a type that is unknown, a state that a newer release wrote, and
    arguments that make no trigger.
    """
    if not isinstance(state, Mapping):
        raise InvalidTrigger(f"{brief(state)} is no trigger; give the dict that to_json() answered")
    kind = state.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidTrigger(
            f"type={kind!r} of a trigger is unknown; use one of {', '.join(_KINDS)}"
        )
    return _KINDS[kind].from_json(state)


def moment(name: str, value: Moment, zone: tzinfo) -> datetime:
    """The instant that the argument ``name`` means, in UTC; raises InvalidTrigger."""
    try:
        if isinstance(value, datetime):
            given = value
        elif isinstance(value, str):
            given = datetime.fromisoformat(value)
        elif isinstance(value, bool):
            raise TypeError("a truth is no time")
        else:
            given = datetime.fromtimestamp(value, UTC)
        instant = (given if given.tzinfo else localize(given, zone)).astimezone(UTC)
        if EARLIEST + DAY <= instant.timestamp() < LATEST - DAY:
            return instant
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidTrigger(
            f"{name}={value!r} is not a time; give a datetime, its ISO 8601 text or Unix seconds"
        ) from error
    raise InvalidTrigger(f"{name}={value!r} is out of range; give a time in the years 3 to 9998")


def duration(name: str, seconds: float) -> int:
    """A number of seconds, not negative, in whole microseconds; raises InvalidTrigger."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidTrigger(f"{name}={seconds!r} is not a number of seconds")
    if not 0 <= seconds <= _LONGEST:
        raise InvalidTrigger(
            f"{name}={brief(seconds)} must be a finite number of seconds, from 0 to {_LONGEST}"
        )
    return round(seconds * 1_000_000)


def microseconds(instant: datetime) -> int:
    """Microseconds from 1970-01-01 UTC to ``instant``, which is aware; exact."""
    since = instant - EPOCH
    return (since.days * DAY + since.seconds) * 1_000_000 + since.microseconds
