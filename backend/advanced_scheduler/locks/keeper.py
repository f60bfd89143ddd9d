"""Keeps granted locks alive, and tells their owners when one is lost."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import LockUnavailable
from ..forks import free_in_child, renew_in_child
from .base import Backend, Grant, Wish

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    grant: Grant
    on_lost: Callable[[Grant], None] | None  # None: nobody is to be told any more
    renew_at: float
    expires: float


class Keeper:
    """Renews each kept grant at a third of its time to live.

    Its thread only watches the time; each round of renewals has a thread of its own, so that
    a server that hangs delays neither the next round nor the news that a lock has run out.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changed = free_in_child(threading.Condition())
        self._kept: dict[str, _Kept] = {}
        self._thread: threading.Thread | None = None
        self._wake_at = -math.inf
        renew_in_child(self, Keeper._leave_to_parent)

    def keep(self, grant: Grant, on_lost: Callable[[Grant], None]) -> None:
        """Renew the grant until it is dropped; ``on_lost`` is called once if that fails."""
        kept = _Kept(grant, on_lost, grant.sent + grant.timeout / 3, grant.sent + grant.timeout)
        with self._changed:
            self._kept[grant.lock_id] = kept
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lock-keeper", daemon=True)
                thread.start()
                self._thread = thread
            if kept.renew_at < self._wake_at:  # else the thread sleeps on, whatever their number
                self._wake_at = kept.renew_at
                self._changed.notify_all()

    def drop(self, grant: Grant) -> bool:
        """Renew no longer; False if the grant was lost or ran out before, or was never kept."""
        with self._changed:
            kept = self._kept.pop(grant.lock_id, None)
        return kept is not None and self._backend.clock.monotonic() < kept.expires

    def leave(self, grant: Grant) -> None:
        """Renew no longer and tell nobody; it can be dropped until it runs out."""
        with self._changed:
            if kept := self._kept.get(grant.lock_id):
                kept.renew_at, kept.on_lost = math.inf, None

    def close(self) -> None:
        """Drop everything and let the thread end."""
        with self._changed:
            self._kept.clear()
            self._changed.notify_all()

    def _leave_to_parent(self) -> None:
        self._kept.clear()
        self._thread = None

    def _run(self) -> None:
        while True:
            self.tend()
            with self._changed:
                if not self._kept:
                    self._thread = None
                    return
                self._changed.wait(self._pause())

    def tend(self) -> float:
        """Do what is due now; answer after how many seconds to do it again."""
        now = self._backend.clock.monotonic()
        with self._changed:
            lost = [kept for kept in self._kept.values() if kept.expires <= now]
            for kept in lost:
                del self._kept[kept.grant.lock_id]
            # A little early rather than alone: grants of one length come to share a round.
            due = [
                kept
                for kept in self._kept.values()
                if kept.renew_at <= now + kept.grant.timeout / 30
            ]
            for kept in due:
                kept.renew_at = now + kept.grant.timeout / 3
            self._wake_at = min(
                (min(kept.renew_at, kept.expires) for kept in self._kept.values()),
                default=math.inf,
            )
            pause = self._pause()
        if due:
            self._start_round(due, now)
        for kept in lost:
            _tell(kept, "could not be renewed in time")
        return pause

    def _pause(self) -> float:
        left = self._wake_at - self._backend.clock.monotonic()
        return max(0.0, min(left, threading.TIMEOUT_MAX))

    def _start_round(self, due: Sequence[_Kept], sent: float) -> None:
        round_ = threading.Thread(
            target=self._renew, args=(due, sent), name="lock-renewal", daemon=True
        )
        try:
            round_.start()
        except RuntimeError as error:  # no more threads: must not be the end of this one
            _log.warning("%d locks not renewed, will try again: %s", len(due), error)

    def _renew(self, due: Sequence[_Kept], sent: float) -> None:
        wanted = [Wish(k.grant.task_id, k.grant.lock_id, k.grant.timeout) for k in due]
        try:
            answers = self._backend.extend(wanted)
        except LockUnavailable as error:
            _log.warning("%d locks not renewed, will try again: %s", len(due), error)
            return
        for kept, ours in zip(due, answers, strict=True):
            with self._changed:
                if self._kept.get(kept.grant.lock_id) is not kept:
                    continue
                if ours:
                    kept.expires = max(kept.expires, sent + kept.grant.timeout)
                if ours is not False:
                    continue
                del self._kept[kept.grant.lock_id]
            _tell(kept, "is no longer ours")


def _tell(kept: _Kept, why: str) -> None:
    grant, on_lost = kept.grant, kept.on_lost
    if on_lost is None:
        return
    _log.warning("lock of task %s (fence %d) %s", grant.task_id, grant.fence, why)
    try:
        on_lost(grant)
    except Exception:  # whatever it was: other owners must still be told
        _log.exception("on_lost of task %s failed", grant.task_id)
