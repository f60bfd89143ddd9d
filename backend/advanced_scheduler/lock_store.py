"""What a store offers that keeps locks: stores have it, and locks are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class LockStore(Protocol):
    """Locks with fencing, on stores that several processes share."""

    def exchange_locks(
        self,
        given: Sequence[tuple[str, str]],
        wanted: Sequence[tuple[str, str, datetime]],
        now: datetime,
    ) -> tuple[Sequence[bool], Sequence[int | None]]:
        """Release the given (key, token), then acquire the wanted (key, token, until), in one step.

        What the two verbs below would answer to each.
        """
        ...

    def acquire_lock(self, key: str, token: str, now: datetime, until: datetime) -> int | None:
        """The fence (it grows with every grant of the key, for ever), or None if held."""
        ...

    def extend_lock(self, key: str, token: str, now: datetime, until: datetime) -> bool:
        """Replace the end of a lock that is still ours; False if it is not."""
        ...

    def release_lock(self, key: str, token: str | None, now: datetime) -> bool:
        """Free a lock that is still ours (``token=None``: whoever holds it)."""
        ...

    def lock_until(self, key: str, now: datetime) -> datetime | None:
        """When the lock will run out, or None if it is free."""
        ...

    def lock_fence(self, key: str) -> int:
        """The fence of the last grant; 0 if there was none."""
        ...
