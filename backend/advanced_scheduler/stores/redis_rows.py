"""How executions, schedules and ticks become fields of a Redis hash, and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args, get_type_hints

from ..lifecycle import Transition, plain_need
from ..models import DEFAULT_QUEUE, Schedule, TaskExecution, TaskPriority, Tick
from .rows import EXECUTION, SCHEDULE, TICK, Codec, Fetched, write

T = TypeVar("T")
Arg: TypeAlias = str | int | float | bytes
Reply: TypeAlias = bytes
"""A hash in one piece: its id, then fields and values, with a NUL between each."""

_BLOCKER: Final = b"+"
_NUMBERS: Final = {bool, datetime, float, int, TaskPriority}
_LATER: Final[Mapping[str, Arg]] = {"queue": DEFAULT_QUEUE, "rank": 0, "run_count": 0}
"""What is meant where a hash lacks the field: nodes of older versions do not write it."""


class Hash(Generic[T]):
    """Between the columns of a dataclass and a hash.

    The hash has no field for a column of None, nor for one of ``_LATER`` with that value. The
    first column is part of the hash's key and no field. ``codec`` reads what ``fetched``
    answers; other than SQL, a hash can lack any field, which is damage if it should be there.
    """

    def __init__(self, kind: type[Any], make: Callable[..., T], codec: Codec[T]) -> None:
        hints = get_type_hints(kind)
        self._dump = codec.dump
        self._first = codec.names[0]
        needed = tuple(name for name in codec.names if _is_needed(hints[name]))
        self._later = [(name, _LATER[name]) for name in needed if name in _LATER]
        self._blank = [dict(self._later).get(name) for name in codec.names]
        self._places = {
            name.encode(): (at, _number if _is_number(hints[name]) else _text)
            for at, name in enumerate(codec.names)
        }

        def complete(**values: Any) -> T:
            for name in needed:
                if values.get(name) is None:
                    raise ValueError(f"{name} is missing")
            return make(**values)

        self.codec: Final = Codec(complete, codec.names)

    def fields(self, item: T) -> list[Arg]:
        """Names and values, one after the other."""
        columns = self._dump(item)
        del columns[self._first]
        for name, value in self._later:
            if columns[name] == value:
                del columns[name]
        return [part for pair in columns.items() if pair[1] is not None for part in pair]

    def fetched(self, reply: Reply) -> Fetched:
        """The columns of a reply, and nothing beyond them."""
        values, _ = self.read(reply)
        return values, {}

    def read(self, reply: Reply) -> tuple[list[Any], frozenset[str]]:
        """The columns of a reply, and the keys that block the execution."""
        parts = reply.split(b"\0")
        values: list[Any] = self._blank.copy()
        values[0] = _text(parts[0])
        blockers, places = [], self._places
        for name, value in zip(parts[1::2], parts[2::2], strict=False):
            if name in places:
                at, take = places[name]
                values[at] = take(value)
            elif name == _BLOCKER:
                blockers.append(value.decode(errors="replace"))
        return values, frozenset(blockers)


def _is_number(hint: Any) -> bool:
    return bool(_NUMBERS & {hint, *get_args(hint)})


def _is_needed(hint: Any) -> bool:
    """Whether the column is never None: collections are, when they are empty."""
    return isinstance(hint, type) and issubclass(hint, str | int | datetime)


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value  # which the codec refuses


def _number(value: bytes) -> int | float | bytes:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value


EXECUTIONS: Final = Hash(TaskExecution, TaskExecution.make, EXECUTION)
SCHEDULES: Final = Hash(Schedule, Schedule, SCHEDULE)
TICKS: Final = Hash(Tick, Tick, TICK)


def fetched_execution(reply: Reply) -> Fetched:
    """The columns of an execution, and what blocks it."""
    values, blockers = EXECUTIONS.read(reply)
    return values, {"blocked_by": blockers}


def key_of(reply: Reply) -> str:
    """The id in a reply, as a ``Reader`` shows it."""
    return reply.partition(b"\0")[0].decode(errors="replace")


def has_fields(reply: Reply) -> bool:
    """Whether there was a hash, and one that the scripts could use."""
    return b"\0" in reply


def listed(items: Iterable[Arg]) -> list[Arg]:
    """A list as the scripts take it: its length first."""
    found = list(items)
    return [len(found), *found]


def optional(item: Arg | None) -> list[Arg]:
    """The same of one or none."""
    return listed([] if item is None else [item])


def inserted(row: TaskExecution) -> list[Arg]:
    """An execution as ``insert.lua`` takes it."""
    fields = EXECUTIONS.fields(row)
    if row.blocked_by:
        fields += ("blocked", 1)
        if (need := plain_need(row)) is not None:
            fields += ("needs", need)
    keys = sorted(row.blocked_by)
    return [row.execution_id, row.unique_key or "", *listed(keys), len(fields), *fields]


def moved(move: Transition) -> list[Arg]:
    """A transition as ``exchange.lua`` takes it."""
    changes = {**move.changes, "status": move.target}
    fence = "" if move.fence is None else move.fence
    sources = f",{','.join(sorted(move.sources))},"
    return [move.execution_id, fence, sources, *changed(changes), *listed(sorted(move.unblocks))]


def changed(changes: Mapping[str, Any]) -> list[Arg]:
    """The fields to set and their values, then the fields to delete."""
    kept: list[Arg] = []
    gone: list[Arg] = []
    for name, value in changes.items():
        stored = write(name, value)
        if stored == _LATER.get(name):
            gone.append(name)
        else:
            kept += (name, stored)
    return [len(kept), *kept, len(gone), *gone]


def undone(reply: Reply, granted: Mapping[str, Any]) -> list[Arg]:
    """The way back of a claim that nobody can read, as ``exchange.lua`` takes it.

    ``reply`` are the fields before the claim, ``granted`` those that it changed.
    """
    execution_id, *parts = reply.split(b"\0")
    before = dict(zip(parts[::2], parts[1::2], strict=False))
    names = [name.encode() for name in granted]
    kept = [part for name in names if name in before for part in (name, before[name])]
    gone = [name for name in names if name not in before]
    fence, sources = int(before[b"fence"]) + granted["fence"], f",{granted['status']},"
    return [execution_id, fence, sources, *listed(kept), *listed(gone), 0]
