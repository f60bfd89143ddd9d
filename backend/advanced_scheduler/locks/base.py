"""What a place where locks live must do, and the grant that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
