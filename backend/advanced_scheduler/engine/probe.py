"""Asks a server whether it answers, and does not wait for it for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from ..clock import Clock

PATIENCE: Final = 2.0  # seconds, of a health report


class Probe:
    """Calls ``ask`` on a thread of its own, and one at a time, however long it hangs."""

    def __init__(
        self, ask: Callable[[], object], clock: Clock, *, patience: float = PATIENCE
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._patience = patience
        self._asking: threading.Thread | None = None
        self._since = 0.0
        self._error: str | None = None

    def error(self) -> str | None:
        """What ``ask`` raised, or that it has not answered in time; None if all is well."""
        asking = self._asking
        if asking is None or not asking.is_alive():
            asking = threading.Thread(target=self._run, name="store-probe", daemon=True)
            self._asking, self._since = asking, self._clock.monotonic()
            asking.start()
        asking.join(max(self._patience - (self._clock.monotonic() - self._since), 0.0))
        if asking.is_alive():
            return f"no answer within {self._clock.monotonic() - self._since:.1f} s"
        return self._error

    def _run(self) -> None:
        try:
            self._ask()
            self._error = None
        except Exception as error:
            self._error = str(error)
