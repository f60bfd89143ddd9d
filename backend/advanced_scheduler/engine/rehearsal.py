"""Lets an application be imported for its tasks alone, while nothing reaches its store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, cast

from ..executors import script
from ..models import TaskExecution
from ..stores.abilities import Signal
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


def staged(store: Store) -> Store:
    """The store, or in a worker that imports a task one that does without it until that is over.

    A script that schedules something at its top has done so in the process that was started;
    what its functions schedule when the worker calls them is meant.
    """
    return cast(Store, _Staged(store)) if store.durable and script.is_importing() else store


class _Stage(MemoryStore):
    """Keeps what an import stores, and has what databases have besides."""

    def publish(self, signal: Signal) -> None:
        """Nobody listens."""

    def add_within(self, _connection: object, executions: Sequence[TaskExecution]) -> list[str]:
        self.add(executions)
        return [row.execution_id for row in executions]

    def get_within(self, _connection: object, ids: Collection[str]) -> list[TaskExecution]:
        return self.get(ids)


class _Staged:
    """Passes each call to the stage while something is imported, else to the store itself.

    Locks are no records: they are the store's at any time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stage = _Stage()
        self._opened = False

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # what a store can do is asked with isinstance
        return type(self._store)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return partial(self._call, name) if callable(found) else found

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if script.is_importing() and hasattr(self._stage, name):
            return getattr(self._stage, name)(*args, **kwargs)
        if not self._opened:
            self._store.open()  # it may be done twice
            self._opened = True
        return getattr(self._store, name)(*args, **kwargs)
