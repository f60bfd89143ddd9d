"""Locks in the store, for processes that share a store and have no Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from ..clock import Clock
from ..errors import LockUnavailable, StoreError
from ..lock_store import LockStore
from .base import Answers, Holding, Wish


class StoreLocks:
    """The lock verbs of a store; they run out by ``clock``, on which all nodes should agree."""

    kind: Final = "store"

    def __init__(self, store: LockStore, clock: Clock) -> None:
        self.clock = clock
        self._store = store

    def exchange(self, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        """See ``Backend.exchange``; one transaction for all."""
        with _answering():
            now = self.clock.now()
            wishes = [(key, token, now + timedelta(seconds=ttl)) for key, token, ttl in wanted]
            return Answers(*self._store.exchange_locks(given, wishes, now))

    def extend(self, wanted: Sequence[Wish]) -> list[bool | None]:
        """See ``Backend.extend``."""
        return [self._extend(*one) for one in wanted]

    def free(self, task_id: str) -> bool:
        """See ``Backend.free``."""
        with _answering():
            return self._store.release_lock(task_id, None, self.clock.now())

    def ttl(self, task_id: str) -> float | None:
        """See ``Backend.ttl``."""
        with _answering():
            now = self.clock.now()
            until = self._store.lock_until(task_id, now)
        return None if until is None else (until - now).total_seconds()

    def fence(self, task_id: str) -> int:
        """See ``Backend.fence``."""
        with _answering():
            return self._store.lock_fence(task_id)

    def ping(self) -> None:
        """Read something, since a ping is not among the lock verbs."""
        self.fence("")

    def close(self) -> None:
        """The store belongs to whoever opened it."""

    def _extend(self, task_id: str, token: str, timeout: float) -> bool:
        with _answering():
            now = self.clock.now()
            return self._store.extend_lock(task_id, token, now, now + timedelta(seconds=timeout))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise LockUnavailable(f"the store that keeps the locks did not answer: {error}") from error
