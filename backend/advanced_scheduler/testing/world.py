"""Owns what virtual nodes share: the store, the locks in it, and the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..clock import Clock, ManualClock
from ..locks import DistributedTaskLock
from ..locks.base import Grant, Kind
from ..locks.keeper import Keeper
from ..models import TaskExecution
from ..stores.memory import MemoryStore


class NodeClock:
    """The clock of one node, ``skew`` ahead of the true one; no two answers are the same."""

    def __init__(self, true: Clock, skew: timedelta) -> None:
        self.skew = skew
        self._true = true
        self._last = true.now()
        self._asked = 0

    def now(self) -> datetime:
        """What this node believes: a microsecond passes from one question to the next."""
        now = self._true.now()
        self._asked = self._asked + 1 if now == self._last else 0
        self._last = now
        return now + self.skew + timedelta(microseconds=self._asked)

    def monotonic(self) -> float:
        """Seconds that pass everywhere alike."""
        return self._true.monotonic()


@dataclass(slots=True)
class Holding:
    """One grant of a lock, as the server knows it; ``until`` moves when it is extended."""

    key: str
    token: str
    fence: int
    since: datetime
    until: datetime


class SharedStore(MemoryStore):
    """A store in memory that several nodes share, with locks as a server keeps them.

    Locks run out by its own clock, whatever the nodes think of the time; leases do as well if
    it ``tells_time``. ``holdings`` are all the grants there ever were.
    """

    def __init__(self, clock: ManualClock, *, tells_time: bool) -> None:
        super().__init__()
        self.holdings: list[Holding] = []
        self._clock = clock
        self._tells_time = tells_time

    @property
    def rows(self) -> Mapping[str, TaskExecution]:
        """All executions by id: live, and read-only."""
        return self._rows.by_id

    def holding(self, key: str) -> Holding | None:
        """Who holds the lock now."""
        now = self._clock.now()
        return next((one for one in self.holdings if one.key == key and one.until > now), None)

    def time(self) -> datetime | None:
        """The true time, or None."""
        return self._clock.now() if self._tells_time else None

    def exchange_locks(
        self,
        given: Sequence[tuple[str, str]],
        wanted: Sequence[tuple[str, str, datetime]],
        now: datetime,
    ) -> tuple[list[bool], list[int | None]]:
        """Release the given, then acquire the wanted."""
        freed = [self.release_lock(key, token, now) for key, token in given]
        return freed, [self.acquire_lock(key, token, now, until) for key, token, until in wanted]

    def acquire_lock(self, key: str, token: str, now: datetime, until: datetime) -> int | None:
        """The fence, or None if another token holds the lock."""
        held = self.holding(key)
        if held is not None:
            return held.fence if held.token == token else None
        since = self._clock.now()
        fence = self.lock_fence(key) + 1
        self.holdings.append(Holding(key, token, fence, since, since + (until - now)))
        return fence

    def extend_lock(self, key: str, token: str, now: datetime, until: datetime) -> bool:
        """Replace the end of a lock that the token holds."""
        held = self.holding(key)
        if held is None or held.token != token:
            return False
        held.until = self._clock.now() + (until - now)
        return True

    def release_lock(self, key: str, token: str | None, now: datetime) -> bool:
        """Free the lock."""
        held = self.holding(key)
        if held is None or token not in (None, held.token):
            return False
        held.until = self._clock.now()
        return True

    def lock_until(self, key: str, now: datetime) -> datetime | None:
        """When the lock runs out, by the clock of whoever asks."""
        held = self.holding(key)
        return None if held is None else now + (held.until - self._clock.now())

    def lock_fence(self, key: str) -> int:
        """The fence of the last grant."""
        return max((one.fence for one in self.holdings if one.key == key), default=0)


class _SteppedKeeper(Keeper):
    """Renews when ``tend`` is called, on the caller's thread."""

    def keep(self, grant: Grant, on_lost: Callable[[Grant], None]) -> None:
        self._thread = threading.current_thread()  # so that none is started
        super().keep(grant, on_lost)

    def _start_round(self, due: Sequence[Any], sent: float) -> None:
        self._renew(due, sent)


class SteppedLocks(DistributedTaskLock):
    """Locks in the shared store, without a thread: they are renewed when ``tend`` is called."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        super().__init__(store=store, clock=clock)
        self._keeper = _SteppedKeeper(self._backend)

    @property
    def kind(self) -> Kind:
        """Nothing here blocks, so nothing needs a thread."""
        return "process"

    def tend(self) -> None:
        """Renew what is due, and tell of what was lost."""
        self._keeper.tend()
