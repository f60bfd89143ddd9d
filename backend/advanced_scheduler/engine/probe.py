"""Asks a server something, and does not wait for the answer for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ..clock import Clock

T = TypeVar("T")

PATIENCE: Final = 2.0  # seconds, of a health report
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
        self._asking: threading.Thread | None = None
        self._since = 0.0
        self._told: tuple[T | None, str | None] = None, None

    def answer(self) -> tuple[T | None, str | None]:
        """What ``ask`` answers, or None and what it raised, or that it did not answer in time."""
        if self._clock.monotonic() < self._good_until:
            return self._told
        if self._patience is None:
            self._run()
            return self._told
        asking = self._asking
        if asking is None or not asking.is_alive():
            asking = threading.Thread(target=self._run, name="store-probe", daemon=True)
            self._asking, self._since = asking, self._clock.monotonic()
            asking.start()
        hurry = None if self._told[0] is None else self._hurry
        patience = self._patience if hurry is None else hurry
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
