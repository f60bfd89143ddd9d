"""How executions, schedules and ticks become columns of a durable store, and come back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import NoneType
from typing import Any, Final, Generic, Literal, TypeVar

from ..clock import Clock
from ..forks import free_in_child
from ..models import (
    EXECUTION_FIELDS,
    MisfirePolicy,
    OverlapPolicy,
    Parked,
    Schedule,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
)
from ..serialization import from_json, to_json

logger = logging.getLogger(__name__)

T = TypeVar("T")
Fetched = tuple[Sequence[Any], Mapping[str, Any]]
"""A row, whose first column is its key, and the fields that are no columns of it."""

_Write = Callable[[Any], Any]
_Read = Callable[[Any], Any]

DAMAGE: Final = (ValueError, TypeError, ArithmeticError, RecursionError)
"""What ``Codec.load`` raises for a row that cannot be read."""

_MINUTE: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exact; raises TypeError for a datetime without a zone."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_FIRST: Final = micros(datetime.min.replace(tzinfo=UTC))
_LAST: Final = micros(datetime.max.replace(tzinfo=UTC))


def instant(micros: int | None) -> datetime | None:
    """The inverse of ``micros``, in UTC; None stays None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def nearest(micros: Any) -> datetime | None:
    """The same for what the least or the greatest row may say, damaged or not.

    A time that no datetime can be becomes the first or the last that one can; what is no number
    becomes None.
    """
    if not isinstance(micros, int | float):
        return None
    return instant(int(min(max(micros, _FIRST), _LAST)))


def write(name: str, value: Any) -> Any:
    """What the column ``name`` stores for the value of the field ``name``."""
    return value if value is None or name not in _FORMATS else _FORMATS[name][0](value)


class Codec(Generic[T]):
    """Between a dataclass and the columns that have the names of its fields."""

    def __init__(self, kind: Callable[..., T], names: Iterable[str]) -> None:
        self.names: Final = tuple(names)
        self._kind = kind
        self._values = attrgetter(*self.names)
        self._formats = [
            (at, *_FORMATS[name]) for at, name in enumerate(self.names) if name in _FORMATS
        ]
        self._numbers = [
            (at, _NUMBERS[name]) for at, name in enumerate(self.names) if name in _NUMBERS
        ]

    def dump(self, item: T) -> dict[str, Any]:
        """The columns of an item."""
        values = list(self._values(item))
        for at, write_one, _ in self._formats:
            if values[at] is not None:
                values[at] = write_one(values[at])
        return dict(zip(self.names, values, strict=True))

    def load(self, row: Sequence[Any], **more: Any) -> T:
        """The item of a row that begins with the columns of ``names``; raises ``DAMAGE``."""
        values = list(row[: len(self.names)])
        for at, _, read_one in self._formats:
            values[at] = read_one(values[at])
        if bytes in map(type, values):
            raise ValueError("a text is not UTF-8")
        for at, kinds in self._numbers:
            if type(values[at]) not in kinds:  # SQLite keeps any text in a column of numbers
                raise ValueError(f"{self.names[at]}={values[at]!r} is not a number")
        return self._kind(**dict(zip(self.names, values, strict=True)), **more)


class Reader(Generic[T]):
    """Reads what can be read; the rest is left alone, logged, and tried again after a minute."""

    def __init__(self, what: str, codec: Codec[T], clock: Clock) -> None:
        self._what: Final = what
        self._codec = codec
        self._clock = clock
        self._lock = free_in_child(threading.Lock())
        self._skipped: Mapping[str, str] = {}  # replaced, never changed: key -> why
        self._since = 0.0

    def unreadable(self) -> list[Parked]:
        """What was met in the last minute and could not be read, by key."""
        kind: Literal["execution", "schedule"]
        kind = "execution" if self._codec.names[0] == "execution_id" else "schedule"
        known = self._known()
        return [Parked(kind=kind, id=key, reason=known[key]) for key in sorted(known)]

    def skipped(self) -> list[str]:
        """The keys of what is not tried again yet."""
        return sorted(self._known())

    def read(self, fetch: Callable[[list[str]], Sequence[Fetched]]) -> list[T]:
        """The items of the rows that ``fetch`` answers, without the keys that it is given.

        It is asked again when a row was unreadable, so that a limit counts readable rows alone.
        """
        while True:
            known = self._known()
            rows = fetch(sorted(known))
            items = self.decode(rows)
            if len(items) == len(rows) or self._known() == known:
                return items

    def decode(self, rows: Sequence[Fetched]) -> list[T]:
        """The items of those rows that can be read."""
        items = []
        for row, more in rows:
            try:
                items.append(self._codec.load(row, **more))
            except DAMAGE as error:
                self._skip(row[0], error)
        return items

    def _known(self) -> Mapping[str, str]:
        with self._lock:
            if self._skipped and self._clock.monotonic() - self._since > _MINUTE:
                self._skipped = {}
            return self._skipped

    def _skip(self, key: str | bytes, error: Exception) -> None:
        key = key if isinstance(key, str) else key.decode(errors="replace")
        with self._lock:
            if not self._skipped:
                self._since = self._clock.monotonic()
            if key not in self._skipped:
                self._skipped = {**self._skipped, key: repr(error)}
                logger.error("%s %s cannot be read and is left alone: %r", self._what, key, error)


def _write_items(items: Any) -> str | None:
    return to_json(list(items)) if items else None


def _write_mapping(mapping: Any) -> str | None:
    return to_json(dict(mapping)) if mapping else None


def _write_dependencies(items: Sequence[TaskDependency]) -> str | None:
    return _write_items(
        [[one.task_id, one.dependency_type, one.timeout, one.execution_id] for one in items]
    )


def _read_result(text: str | None) -> Any:
    return None if text is None else from_json(text)


def _read_items(text: str | None) -> tuple[Any, ...]:
    return () if text is None else tuple(from_json(text))


def _read_mapping(text: str | None) -> dict[str, Any]:
    return {} if text is None else dict(from_json(text))


def _read_dependencies(text: str | None) -> tuple[TaskDependency, ...]:
    return tuple(TaskDependency(*item) for item in _read_items(text))


def _read_priority(number: int | None) -> TaskPriority | None:
    return None if number is None else TaskPriority(number)


# The status and the policies are stored as plain text, since not every driver takes a StrEnum.
_INSTANT: Final = (micros, instant)
_ITEMS: Final = (_write_items, _read_items)
_MAPPING: Final = (_write_mapping, _read_mapping)
_FORMATS: Final[dict[str, tuple[_Write, _Read]]] = {
    "args": _ITEMS,
    "at_most_once": (int, bool),
    "changed_time": _INSTANT,
    "completed_time": _INSTANT,
    "created_time": _INSTANT,
    "dependencies": (_write_dependencies, _read_dependencies),
    "due_time": _INSTANT,
    "extras": _MAPPING,
    "instant": _INSTANT,
    "kwargs": _MAPPING,
    "last_fire_time": _INSTANT,
    "lease_until": _INSTANT,
    "ledger_from": _INSTANT,
    "metadata": _MAPPING,
    "metrics": _MAPPING,
    "misfire": (str, MisfirePolicy),
    "next_fire_time": _INSTANT,
    "outcome": (str, TickOutcome),
    "overlap": (str, OverlapPolicy),
    "paused": (int, bool),
    "priority": (int, _read_priority),
    "recorded_time": _INSTANT,
    "resumed_time": _INSTANT,
    "result": (to_json, _read_result),
    "retry": _MAPPING,
    "scheduled_time": _INSTANT,
    "started_time": _INSTANT,
    "status": (str, TaskStatus),
    "tags": _ITEMS,
    "trigger": _MAPPING,
    "wait_until": _INSTANT,
}

_COUNT: Final = (int,)
_LIMIT: Final = (int, NoneType)
_SECONDS: Final = (float, int, NoneType)
_NUMBERS: Final[dict[str, tuple[type, ...]]] = {
    "attempt": _COUNT,
    "crashes": _COUNT,
    "fence": _COUNT,
    "grace_seconds": _SECONDS,
    "max_catch_up": _COUNT,
    "max_runs": _LIMIT,
    "pause_on_failure": _LIMIT,
    "rank": _COUNT,
    "retry_count": _COUNT,
    "run_count": _COUNT,
    "timeout": _SECONDS,
    "version": _COUNT,
}

EXECUTION: Final = Codec(TaskExecution.make, (n for n in EXECUTION_FIELDS if n != "blocked_by"))
SCHEDULE: Final = Codec(Schedule, (one.name for one in fields(Schedule)))
TICK: Final = Codec(Tick, (one.name for one in fields(Tick)))
