"""Asks a server something, and does not wait for the answer for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

from ..clock import Clock
from ..forks import free_in_child

T = TypeVar("T")

Answer: TypeAlias = tuple[T | None, str | None]
"""What was answered, or None and why it was not."""

PATIENCE: Final = 0.9  # seconds: who asks for the health of a node may wait for one
BRIEF: Final = 0.5  # seconds, for the part of it that nothing is judged by
HURRY: Final = 0.1  # seconds, for the same once there was an answer


class Probe(Generic[T]):
    """Calls ``ask`` on a thread of its own, and one at a time, however long it hangs.

    With ``patience=None`` it is called right here: it does not hang. An answer is good for
    ``rest`` times as long as it took to get it. With ``hurry``, in seconds, an answer also stands
    in for a newer one that takes longer than that: for what nothing is judged by.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        clock: Clock,
        *,
        patience: float | None = PATIENCE,
        rest: float = 0.0,
        hurry: float | None = None,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._patience = patience
        self._rest = rest
        self._hurry = hurry
        self._good_until = clock.monotonic()
        self._starting = free_in_child(threading.Lock())  # else two callers start one each
        self._asking: threading.Thread | None = None
        self._since = 0.0
        self._told: Answer[T] = None, None

    def answer(self) -> Answer[T]:
        """What ``ask`` answers, or None and what it raised, or that it did not answer in time."""
        return self.begin()()

    def begin(self) -> Callable[[], Answer[T]]:
        """Ask, and do something else before calling what this returns: it waits, and answers."""
        if self._clock.monotonic() >= self._good_until:
            if self._patience is not None:
                return partial(self._wait, self._asked(), self._patience)
            self._run()
        return lambda: self._told

    def _asked(self) -> threading.Thread:
        with self._starting:
            asking = self._asking
            if asking is None or not asking.is_alive():
                asking = threading.Thread(target=self._run, name="store-probe", daemon=True)
                self._since = self._clock.monotonic()
                asking.start()
                self._asking = asking
            return asking

    def _wait(self, asking: threading.Thread, patience: float) -> Answer[T]:
        hurry = None if self._told[0] is None else self._hurry
        patience = patience if hurry is None else hurry
        asking.join(max(patience - (self._clock.monotonic() - self._since), 0.0))
        if hurry is not None or not asking.is_alive():
            return self._told
        return None, f"no answer within {self._clock.monotonic() - self._since:.1f} s"

    def _run(self) -> None:
        began = self._clock.monotonic()
        try:
            self._told = self._ask(), None
            ended = self._clock.monotonic()
            self._good_until = ended + self._rest * (ended - began)
        except Exception as error:
            self._told = None, str(error)
