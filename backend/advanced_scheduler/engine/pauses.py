"""Reads and names what no node may start anything from."""

from __future__ import annotations

from typing import Final

from ..errors import InvalidArguments
from ..models import NO_PAUSES, Pauses, RecordKind, TaskPriority
from ..stores.record_store import RecordStore
from .options import check_text

_EVERYTHING: Final = "everything"
_QUEUE: Final = "queue:"
_PRIORITY: Final = "priority:"

_ALL: Final = 1_000_000


def pause_id(queue: str | None, priority: TaskPriority | None) -> str:
    """The id of the record that pauses a queue, a priority, or (neither) everything.

    Raises ``InvalidArguments`` for both, and for what is neither.
    """
    if queue is not None and priority is not None:
        raise InvalidArguments(
            f"queue={queue!r}, priority={priority!r}: give one of them, or none for everything"
        )
    if queue is not None:
        if not isinstance(queue, str):
            raise InvalidArguments(f"queue={queue!r} must be the name of a queue")
        check_text("queue", queue)
        return f"{_QUEUE}{queue}"
    if priority is None:
        return _EVERYTHING
    if priority not in set(TaskPriority):
        raise InvalidArguments(f"priority={priority!r} must be a TaskPriority")
    return f"{_PRIORITY}{TaskPriority(priority).word}"


def read_pauses(store: RecordStore) -> Pauses:
    """From where no node may start anything; raises ``StoreError``."""
    ids = [one.record_id for one in store.records(RecordKind.PAUSE, limit=_ALL)]
    if not ids:
        return NO_PAUSES
    known = {f"{_PRIORITY}{one.word}": one for one in TaskPriority}
    return Pauses(
        everything=_EVERYTHING in ids,
        queues=frozenset(one.removeprefix(_QUEUE) for one in ids if one.startswith(_QUEUE)),
        priorities=frozenset(known[one] for one in ids if one in known),
    )
