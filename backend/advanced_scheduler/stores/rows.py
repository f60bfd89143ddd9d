"""How executions, schedules and ticks become columns of a durable store, and come back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import NoneType
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from ..clock import Clock
from ..forks import free_in_child
from ..models import (
    EXECUTION_FIELDS,
    MisfirePolicy,
    Outline,
    OverlapPolicy,
    Parked,
    Record,
    RecordKind,
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

DAMAGE: Final = (ValueError, TypeError, ArithmeticError, RecursionError)
"""What ``Codec.load`` raises for a row that cannot be read."""

_MINUTE: Final = 60
_SOUND_KEPT: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exact; raises TypeError for a datetime without a zone."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_FIRST: Final = micros(datetime.min.replace(tzinfo=UTC))
_LAST: Final = micros(datetime.max.replace(tzinfo=UTC))


def instant(micros: int | None) -> datetime | None:
    """The inverse of ``micros``, in UTC; None stays None."""
    return None if micros is None else _instant(micros)


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
    return value if value is None or name not in _FORMATS else _FORMATS[name].write(value)


class _Format(NamedTuple):
    """How a field becomes a column that is not NULL, and comes back."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def reader(name: str) -> Callable[[Any], Any] | None:
    """What makes the field ``name`` of a column that is not NULL; raises ``DAMAGE``.

    None where the two are the same.
    """
    kinds = _NUMBERS.get(name)
    if kinds is None:
        return _FORMATS[name].read if name in _FORMATS else None

    def checked(value: Any) -> Any:
        if type(value) not in kinds:
            raise ValueError(f"{name}={value!r} is not a number")
        return value

    return checked


class Codec(Generic[T]):
    """Between a dataclass and the columns that have the names of its fields."""

    def __init__(self, kind: Callable[..., T], names: Iterable[str]) -> None:
        self.names: Final = tuple(names)
        self._kind = kind
        self._values = attrgetter(*self.names)
        formats = [_FORMATS.get(name) for name in self.names]
        self._writes = [(at, one.write) for at, one in enumerate(formats) if one]
        self._reads = [one and one.read for one in formats]
        self._numbers = [(at, _NUMBERS[n]) for at, n in enumerate(self.names) if n in _NUMBERS]
        self._sound: set[tuple[type, ...]] = set()  # types of rows that were checked: a few

    def dump(self, item: T) -> dict[str, Any]:
        """The columns of an item."""
        values = list(self._values(item))
        for at, write_one in self._writes:
            if values[at] is not None:
                values[at] = write_one(values[at])
        return dict(zip(self.names, values, strict=True))

    def load(self, row: Sequence[Any], **more: Any) -> T:
        """The item of a row that begins with the columns of ``names``; raises ``DAMAGE``.

        Where a column is NULL, the field has its default.
        """
        values = row[: len(self.names)]
        kinds = tuple(map(type, values))
        if kinds not in self._sound:
            self._check(kinds, values)
        given = {
            name: read_one(value) if read_one else value
            for name, read_one, value in zip(self.names, self._reads, values, strict=True)
            if value is not None
        }
        return self._kind(**given, **more)

    def _check(self, kinds: tuple[type, ...], values: Sequence[Any]) -> None:
        if bytes in kinds:
            raise ValueError("a text is not UTF-8")
        for at, allowed in self._numbers:
            if kinds[at] not in allowed:  # SQLite keeps any text in a column of numbers
                raise ValueError(f"{self.names[at]}={values[at]!r} is not a number")
        if len(self._sound) < _SOUND_KEPT:
            self._sound.add(kinds)


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


def _read_items(text: str) -> tuple[Any, ...]:
    return tuple(from_json(text))


def _read_mapping(text: str) -> dict[str, Any]:
    return dict(from_json(text))


def _read_dependencies(text: str) -> tuple[TaskDependency, ...]:
    return tuple(TaskDependency(*item) for item in _read_items(text))


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(0, 0, micros)  # by position: a third less


# The status and the policies are stored as plain text, since not every driver takes a StrEnum.
_INSTANT: Final = _Format(micros, _instant)
_ITEMS: Final = _Format(_write_items, _read_items)
_MAPPING: Final = _Format(_write_mapping, _read_mapping)
_FLAG: Final = _Format(int, bool)
_FORMATS: Final[dict[str, _Format]] = {
    "args": _ITEMS,
    "at_most_once": _FLAG,
    "changed_time": _INSTANT,
    "completed_time": _INSTANT,
    "created_time": _INSTANT,
    "data": _MAPPING,
    "dependencies": _Format(_write_dependencies, _read_dependencies),
    "due_time": _INSTANT,
    "extras": _MAPPING,
    "instant": _INSTANT,
    "kind": _Format(str, RecordKind),
    "kwargs": _MAPPING,
    "last_fire_time": _INSTANT,
    "lease_until": _INSTANT,
    "ledger_from": _INSTANT,
    "metadata": _MAPPING,
    "metrics": _MAPPING,
    "misfire": _Format(str, MisfirePolicy),
    "next_fire_time": _INSTANT,
    "outcome": _Format(str, TickOutcome),
    "overlap": _Format(str, OverlapPolicy),
    "paused": _FLAG,
    "priority": _Format(int, TaskPriority),
    "recorded_time": _INSTANT,
    "resumed_time": _INSTANT,
    "result": _Format(to_json, from_json),
    "retry": _MAPPING,
    "scheduled_time": _INSTANT,
    "started_time": _INSTANT,
    "status": _Format(str, TaskStatus),
    "tags": _ITEMS,
    "trigger": _MAPPING,
    "wait_until": _INSTANT,
    "written_time": _INSTANT,
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

OUTLINE: Final = Codec(Outline, (one.name for one in fields(Outline)))
EXECUTION: Final = Codec(TaskExecution.make, (n for n in EXECUTION_FIELDS if n != "blocked_by"))
SCHEDULE: Final = Codec(Schedule, (one.name for one in fields(Schedule)))
TICK: Final = Codec(Tick, (one.name for one in fields(Tick)))
RECORD: Final = Codec(Record, ("record_id", "kind", "written_time", "data"))
