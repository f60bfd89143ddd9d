"""Locks among the threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from ..clock import Clock
from ..forks import free_in_child, renew_in_child
from .base import Answers, Holding, Wish


class ProcessLocks:
    """Locks in two dicts; they run out by the clock and are gone with the process."""

    kind: Final = "process"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._mutex = free_in_child(threading.Lock())
        self._held: dict[str, tuple[str, float]] = {}
        self._fences: dict[str, int] = {}
        renew_in_child(self, ProcessLocks._leave_to_parent)

    def exchange(self, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        """See ``Backend.exchange``."""
        return Answers(
            [self.release(*one) for one in given], [self.acquire(*one) for one in wanted]
        )

    def acquire(self, task_id: str, token: str, timeout: float) -> int | None:
        """The fence, or None if another token holds the lock."""
        with self._mutex:
            if self._holder(task_id) not in (None, token):
                return None
            self._held[task_id] = token, self.clock.monotonic() + timeout
            self._fences[task_id] = self._fences.get(task_id, 0) + 1
            return self._fences[task_id]

    def extend(self, wanted: Sequence[Wish]) -> list[bool | None]:
        """See ``Backend.extend``."""
        return [self._extend(*one) for one in wanted]

    def free(self, task_id: str) -> bool:
        """See ``Backend.free``."""
        return self.release(task_id, None)

    def release(self, task_id: str, token: str | None) -> bool:
        """Free the lock if the token holds it (None: whoever does); False if nothing changed."""
        with self._mutex:
            holder = self._holder(task_id)
            if holder is None or token not in (None, holder):
                return False
            del self._held[task_id]
            return True

    def ttl(self, task_id: str) -> float | None:
        """See ``Backend.ttl``."""
        with self._mutex:
            if self._holder(task_id) is None:
                return None
            return self._held[task_id][1] - self.clock.monotonic()

    def fence(self, task_id: str) -> int:
        """See ``Backend.fence``."""
        return self._fences.get(task_id, 0)

    def ping(self) -> None:
        """This process answers."""

    def close(self) -> None:
        """Nothing to give back: locks outlive a pause of the scheduler."""

    def _leave_to_parent(self) -> None:
        self._held.clear()

    def _extend(self, task_id: str, token: str, timeout: float) -> bool:
        with self._mutex:
            if self._holder(task_id) != token:
                return False
            self._held[task_id] = token, self.clock.monotonic() + timeout
            return True

    def _holder(self, task_id: str) -> str | None:
        token, until = self._held.get(task_id, ("", 0.0))
        if token and until > self.clock.monotonic():
            return token
        self._held.pop(task_id, None)
        return None
