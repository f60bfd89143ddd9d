"""Owns locks of this process that can go away, or keep a batch waiting."""

from __future__ import annotations

from collections.abc import Sequence

from advanced_scheduler.clock import Clock
from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock
from advanced_scheduler.locks.base import Answers, Holding, Kind, Wish
from advanced_scheduler.locks.process import ProcessLocks
from advanced_scheduler.testing import Hold


class Place(ProcessLocks):
    """``batches`` are the task ids that were given and wanted, of each batch that came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.down = False
        self.batches: list[tuple[list[str], list[str]]] = []
        self._holds: list[Hold] = []

    def hold(self) -> Hold:
        """Hold up the next batch."""
        self._holds.append(hold := Hold(after=False))
        return hold

    def exchange(self, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        """What ``ProcessLocks`` answers, unless it is ``down`` by then."""
        self.batches.append(([one.task_id for one in given], [one.task_id for one in wanted]))
        if self._holds:
            self._holds.pop().pass_through()
        if self.down:
            raise LockUnavailable("the server is down")
        return super().exchange(given, wanted)

    def ping(self) -> None:
        """As ``exchange`` answers."""
        if self.down:
            raise LockUnavailable("the server is down")


class PlacedLock(DistributedTaskLock):
    """Locks in a ``Place``, which count as locks on a server."""

    def __init__(self, place: Place) -> None:
        super().__init__(clock=place.clock)
        for user in (self, self._keeper, self._unsettled):
            user._backend = place

    @property
    def kind(self) -> Kind:
        """So that they are asked from a thread."""
        return "redis"
