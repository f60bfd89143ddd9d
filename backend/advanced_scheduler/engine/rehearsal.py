"""Lets an application be imported for a look at its tasks, while nothing reaches its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ..stores.base import Store
from ..stores.memory import MemoryStore

_ACTIVE: Final[ContextVar[bool]] = ContextVar("advanced_scheduler_rehearsal", default=False)


@contextmanager
def rehearsal() -> Iterator[None]:
    """Schedulers that are made within keep in memory what they would else store."""
    token = _ACTIVE.set(True)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def or_rehearsed(store: str | Store) -> str | Store:
    """The store, or one in memory during a rehearsal."""
    return MemoryStore() if _ACTIVE.get() else store
