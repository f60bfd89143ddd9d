"""How executions, schedules and ticks become fields of a Redis hash, and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

from ..lifecycle import Transition, plain_need
from ..models import DEFAULT_QUEUE, Schedule, TaskExecution, TaskPriority, Tick
from .rows import EXECUTION, SCHEDULE, TICK, Codec, Fetched, reader, write

T = TypeVar("T")
Arg: TypeAlias = str | int | float | bytes
Reply: TypeAlias = bytes
"""A hash in one piece: its id, then fields and values, with a NUL between each."""

_BLOCKER: Final = b"+"
_NUMBERS: Final = {bool, datetime, float, int, TaskPriority}
_LATER: Final[Mapping[str, Arg]] = {"queue": DEFAULT_QUEUE, "rank": 0, "run_count": 0}
"""What is meant where a hash lacks the field: nodes of older versions do not write it."""


class Hash(Codec[T]):
    """Between a dataclass and a hash: a ``Codec`` that reads what ``fetched`` answers.

    The hash has no field for a column of None, nor for one of ``_LATER`` with that value. The
    first column is part of the hash's key and no field. Other than SQL, a hash can lack any
    field, which is damage if it should be there. Only the fields that it has are looked at:
    they are half of the columns.
    """

    def __init__(self, hinted: type[Any], make: Callable[..., T], names: Iterable[str]) -> None:
        super().__init__(make, names)
        hints = get_type_hints(hinted)
        self._make = make
        self._first, *others = self.names
        needed = {name for name in others if _is_needed(hints[name])}
        self._later = {name: _LATER[name] for name in needed if name in _LATER}
        self._needed = needed - _LATER.keys()
        self._readers = {
            name.encode(): (name, _reader(name, _is_number(hints[name]))) for name in others
        }

    def fields(self, item: T) -> list[Arg]:
        """Names and values, one after the other."""
        columns = self.dump(item)
        del columns[self._first]
        for name, value in self._later.items():
            if columns[name] == value:
                del columns[name]
        return [part for pair in columns.items() if pair[1] is not None for part in pair]

    def load(self, row: Sequence[Any], **more: Any) -> T:
        """The item of what ``fetched`` answers; raises ``DAMAGE``."""
        values = {self._first: row[0].decode(), **more}
        readers, blockers = self._readers, []
        for key, value in zip(row[1::2], row[2::2], strict=False):
            if key in readers:
                name, read = readers[key]
                values[name] = read(value)
            elif key == _BLOCKER:
                blockers.append(value.decode(errors="replace"))
        if not self._needed <= values.keys():
            raise ValueError(f"{min(self._needed - values.keys())} is missing")
        if blockers:
            values["blocked_by"] = frozenset(blockers)
        return self._make(**values)


def _reader(name: str, numeric: bool) -> Callable[[bytes], Any]:
    """What makes a field of the value in a hash; raises ``DAMAGE``."""
    take: Callable[[bytes], Any] = _number if numeric else bytes.decode
    load = reader(name)
    return take if load is None else lambda value: load(take(value))


def _is_number(hint: Any) -> bool:
    return bool(_NUMBERS & {hint, *get_args(hint)})


def _is_needed(hint: Any) -> bool:
    """Whether the column is never None: collections are, when they are empty."""
    return isinstance(hint, type) and issubclass(hint, str | int | datetime)


def _number(value: bytes) -> int | float | bytes:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value


EXECUTIONS: Final = Hash(TaskExecution, TaskExecution.make, EXECUTION.names)
SCHEDULES: Final = Hash(Schedule, Schedule, SCHEDULE.names)
TICKS: Final = Hash(Tick, Tick, TICK.names)


def fetched(reply: Reply) -> Fetched:
    """A reply as ``Hash`` loads it."""
    return reply.split(b"\0"), {}


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


Shape: TypeAlias = tuple[Arg, ...]
"""What many transitions have in common, as ``exchange.lua`` takes it; see ``shaped``."""

Move: TypeAlias = tuple[Shape, list[Arg]]
"""A transition: its shape, and what is its own: id, fence, values, keys that it unblocks."""


def moved(move: Transition) -> Move:
    """A transition as ``exchanged`` takes it."""
    names, values, gone = changed(move.changes)
    fence = "" if move.fence is None else move.fence
    own = [move.execution_id, fence, *values, *listed(sorted(move.unblocks))]
    return shaped(sorted(move.sources), move.target, names, gone), own


def shaped(sources: Sequence[Arg], target: Arg, names: Sequence[Arg], gone: Sequence[Arg]) -> Shape:
    """Statuses that it leaves, the one that it leads to, fields to set, fields to delete."""
    return (len(sources), *sources, target, len(names), *names, len(gone), *gone)


def exchanged(moves: Iterable[Move]) -> list[Arg]:
    """Transitions as ``exchange.lua`` takes them.

    Most of a batch are of one shape, which is told once: a third of the bytes and of the parts.
    """
    shapes: dict[Shape, int] = {}
    rows: list[Arg] = []
    count = 0
    for shape, own in moves:
        rows += (shapes.setdefault(shape, len(shapes) + 1), *own)
        count += 1
    return [len(shapes), *chain.from_iterable(shapes), count, *rows]


def changed(changes: Mapping[str, Any]) -> tuple[list[Arg], list[Arg], list[Arg]]:
    """The fields to set, their values, and the fields to delete."""
    names: list[Arg] = []
    values: list[Arg] = []
    gone: list[Arg] = []
    for name, value in changes.items():
        stored = write(name, value)
        if stored == _LATER.get(name):
            gone.append(name)
        else:
            names.append(name)
            values.append(stored)
    return names, values, gone


def undone(reply: Reply, granted: Mapping[str, Any]) -> Move:
    """The way back of a claim that nobody can read.

    ``reply`` are the fields before the claim, ``granted`` those that it changed.
    """
    execution_id, *parts = reply.split(b"\0")
    before = dict(zip(parts[::2], parts[1::2], strict=False))
    names = [name.encode() for name in granted if name != "status"]
    kept = [name for name in names if name in before]
    gone = [name for name in names if name not in before]
    shape = shaped([granted["status"]], before[b"status"], kept, gone)
    fence = int(before[b"fence"]) + granted["fence"]
    return shape, [execution_id, fence, *(before[name] for name in kept), 0]
