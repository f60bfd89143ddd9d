"""Tokens whose last command went unanswered, so that they may hold a lock without an owner."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ..errors import LockUnavailable
from ..forks import free_in_child, renew_in_child
from .base import Backend, Holding

_PAUSE_SECONDS: Final = 1.0
_AT_ONCE: Final = 1000  # tokens, so that their number cannot make an answer come too late


@dataclass(slots=True)
class _Doubt:
    task_id: str
    adoptable: bool


class Unsettled:
    """Remembers such tokens, and releases them from a thread once the server answers again.

    The thread lives as long as there is something to settle.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changed = free_in_child(threading.Condition())
        self._doubts: dict[str, _Doubt] = {}
        self._thread: threading.Thread | None = None
        renew_in_child(self, Unsettled._leave_to_parent)

    def remember(self, task_id: str, token: str, *, adoptable: bool) -> None:
        """The token may hold the lock of the task; ``adoptable``: nobody asked to release it."""
        with self._changed:
            self._doubts[token] = _Doubt(task_id, adoptable)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lock-settler", daemon=True)
                with suppress(RuntimeError):  # no thread to be had: the next call asks again
                    thread.start()
                    self._thread = thread

    def adopt(self, task_id: str) -> str | None:
        """A token to try again with, which is then the caller's.

        Never one that was to be released: that command may still be on its way, and would free
        the lock under its new owner.
        """
        with self._changed:
            for token, doubt in self._doubts.items():
                if doubt.adoptable and doubt.task_id == task_id:
                    del self._doubts[token]
                    return token
            return None

    def close(self) -> None:
        """Forget everything: what is held runs out by itself."""
        with self._changed:
            self._doubts.clear()
            self._changed.notify_all()

    def _leave_to_parent(self) -> None:
        self._doubts.clear()
        self._thread = None

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._doubts:
                    self._changed.wait(_PAUSE_SECONDS)
                if not self._doubts:
                    self._thread = None
                    return
            with suppress(LockUnavailable):  # reported where it hurt
                self._backend.ping()  # first, so that tokens stay adoptable throughout an outage
                self._settle()

    def _settle(self) -> None:
        doubts = self._no_longer_adoptable()
        answers, _ = self._backend.exchange(doubts, [])
        with self._changed:
            for doubt, answer in zip(doubts, answers, strict=True):
                if not isinstance(answer, LockUnavailable):
                    self._doubts.pop(doubt.token, None)

    def _no_longer_adoptable(self) -> list[Holding]:
        with self._changed:
            doubts = list(islice(self._doubts.items(), _AT_ONCE))
            for _, doubt in doubts:
                doubt.adoptable = False
        return [Holding(doubt.task_id, token) for token, doubt in doubts]
