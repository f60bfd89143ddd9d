"""Owns how adapters run a scheduler in a thread, and share one thing in a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Generic, TypeVar

from ..context import CURRENT
from ..forks import free_in_child, renew_in_child
from ..scheduler import AdvancedTaskScheduler

T = TypeVar("T")


class Background:
    """Starts and stops ``scheduler``, from any thread, as often as wanted.

    One that the application has started itself is left to run as it does.

    What runs goes on though nobody refers to it any more, and does not keep the interpreter from
    ending. In a forked process nothing runs until it is started there.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self.scheduler: Final = scheduler
        self._lock = free_in_child(threading.Lock())
        self._hosting: ExitStack | None = None
        self._of_parent: list[object] = []
        renew_in_child(self, Background._leave_to_parent)

    def start(self) -> None:
        """Run from now on; does nothing if it runs, or is just being stopped."""
        if self._hosting is not None:
            return
        with self._lock:
            if not self.scheduler.started:
                hosting = ExitStack()
                hosting.enter_context(self.scheduler.running())
                self._hosting = hosting
                _running.add(self)

    def stop(self, *, close: bool = False) -> None:
        """Let running work end within ``drain_seconds``; with ``close`` release the store then.

        Called by a task it returns at once, since that task has to end first.
        """
        if CURRENT.get() is None:
            self._stop(close)
        else:
            threading.Thread(target=self._stop, args=(close,), daemon=True).start()

    def _stop(self, close: bool) -> None:
        with self._lock:
            try:
                if self._hosting is not None:
                    self._hosting.close()
            finally:
                self._hosting = None
                _running.discard(self)
            if close:
                self.scheduler.close()

    def _leave_to_parent(self) -> None:
        self._of_parent.append(self._hosting)  # to free its loop closes it for the parent
        self._hosting = None


_running: Final[set[Background]] = set()


class Shared(Generic[T]):
    """One thing for the whole process, made at the first need; a forked process makes its own."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = free_in_child(threading.Lock())
        self._made: T | None = None
        self._of_parent: list[object] = []
        renew_in_child(self, Shared._leave_to_parent)

    def get(self) -> T:
        """The one thing."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _leave_to_parent(self) -> None:
        self._of_parent.append(self._made)
        self._made = None
