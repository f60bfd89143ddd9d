"""The APScheduler that a scheduler plugs its timer into, and whether it outlives a fork."""

from __future__ import annotations

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

from ..errors import SchedulerStateError
from ..forks import renew_in_child


class TimerHost:
    """The one that the application gave, or one of our own.

    One that ran in the parent of this process has no thread here, though it says that it runs:
    our own is replaced.
    """

    def __init__(self, given: BaseScheduler | None) -> None:
        self.apscheduler: BaseScheduler = given or _own()
        self._given = given is not None
        self._stranded = False
        renew_in_child(self, TimerHost._leave_to_parent)

    def check(self) -> None:
        """Raise ``SchedulerStateError`` if the application's own ran in the parent."""
        if self._stranded:
            raise SchedulerStateError(
                "this process was forked from one where the APScheduler that was given ran, "
                "and has none of its threads; start it, and what uses it, after the fork"
            )

    def _leave_to_parent(self) -> None:
        if self.apscheduler.running:
            if self._given:
                self._stranded = True
            else:
                self.apscheduler = _own()


def _own() -> BaseScheduler:
    return BackgroundScheduler(timezone="UTC")
