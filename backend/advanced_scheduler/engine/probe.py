"""Asks a server something, and does not wait for the answer for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ..clock import Clock

T = TypeVar("T")

PATIENCE: Final = 2.0  # seconds, of a health report


class Probe(Generic[T]):
    """Calls ``ask`` on a thread of its own, and one at a time, however long it hangs.

    With ``patience=None`` it is called right here: it does not hang. An answer is good for
    ``rest`` times as long as it took to get it.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        clock: Clock,
        *,
        patience: float | None = PATIENCE,
        rest: float = 0.0,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._patience = patience
        self._rest = rest
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
        asking.join(max(self._patience - (self._clock.monotonic() - self._since), 0.0))
        if asking.is_alive():
            return None, f"no answer within {self._clock.monotonic() - self._since:.1f} s"
        return self._told

    def _run(self) -> None:
        began = self._clock.monotonic()
        try:
            self._told = self._ask(), None
            ended = self._clock.monotonic()
            self._good_until = ended + self._rest * (ended - began)
        except Exception as error:
            self._told = None, str(error)
