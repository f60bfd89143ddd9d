"""What a place where locks live must do, and the grant that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from ..clock import Clock
from ..errors import LockUnavailable

Kind = Literal["redis", "store", "process"]


@dataclass(frozen=True, slots=True)
class Grant:
    """One acquisition of one lock; ``timeout`` is its time to live in seconds.

    ``fence`` grows with every grant of the same lock: hand it to whatever the work writes to,
    and let that refuse a smaller one. ``sent`` is the monotonic moment right before the
    request, so the lock is ours until ``sent + timeout`` at least.
    """

    task_id: str
    lock_id: str
    fence: int
    timeout: float
    sent: float


class Wish(NamedTuple):
    """That a lock shall be the token's, and live ``timeout`` seconds from now."""

    task_id: str
    token: str
    timeout: float


class Holding(NamedTuple):
    """A lock, and the token that holds it, as far as is known."""

    task_id: str
    token: str


class Answers(NamedTuple):
    """What a place answers to each, in order; an exception is about that one alone.

    ``freed``: False if nothing changed. ``fences``: the fence if the lock is now the token's,
    None if it is another's.
    """

    freed: Sequence[bool | LockUnavailable]
    fences: Sequence[int | LockUnavailable | None]


class Exchanged(NamedTuple):
    """What ``let_go`` and ``try_acquire`` say, in order; ``outage`` if there was no answer."""

    kept: Sequence[bool]
    grants: Sequence[Grant | LockUnavailable | None]
    outage: LockUnavailable | None


class Backend(Protocol):
    """Where locks live. Every call is one step there, thread-safe, and safe to repeat.

    Raises ``LockUnavailable`` when there was no answer; the step may then have been done.
    """

    @property
    def kind(self) -> Kind:
        """Where that is."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock whose ``monotonic`` measures how long a lock has lived."""
        ...

    def exchange(self, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        """Free what is given if its token holds it, then grant what is wanted and is free.

        If a lock was the token's already, the time to live may be the old one.
        """
        ...

    def extend(self, wanted: Sequence[Wish]) -> list[bool | None]:
        """Replace times to live: True done, False not the token's, None refused unexpectedly."""
        ...

    def free(self, task_id: str) -> bool:
        """Free the lock whoever holds it; False if nobody did."""
        ...

    def ttl(self, task_id: str) -> float | None:
        """Seconds that the lock still lives, None if it is free."""
        ...

    def fence(self, task_id: str) -> int:
        """The fence of the last grant, 0 if there was none."""
        ...

    def ping(self) -> None:
        """Raise ``LockUnavailable`` if nothing answers."""
        ...

    def close(self) -> None:
        """Give connections back; the next call opens new ones."""
        ...


class RedisClient(Protocol):
    """A ``redis.Redis``, named so that the package runs where redis-py is not installed."""

    connection_pool: Any


class LockStore(Protocol):
    """What a store offers to keep locks in: the lock verbs of the store protocol."""

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
