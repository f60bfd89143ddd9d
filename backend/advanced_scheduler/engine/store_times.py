"""Tells how long the store took for what, where somebody wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from ..clock import Clock
from ..events import Event, EventBus, EventType
from ..stores.base import Store

_CALL: Final = EventType.STORE_CALL
_UNTIMED: Final = nullcontext()


class StoreTimes:
    """Publishes a call that was answered; a store that waits for nothing is not timed."""

    def __init__(self, store: Store, events: EventBus, clock: Clock) -> None:
        self._timed = store.blocking
        self._events = events
        self._clock = clock

    def of(self, operation: str) -> AbstractContextManager[None]:
        """Around a call: one that raises is an error, which is counted as such."""
        if self._timed and self._events.hears(_CALL):
            return self._measured(operation)
        return _UNTIMED

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        begun = self._clock.monotonic()
        yield
        data = {"operation": operation, "seconds": self._clock.monotonic() - begun}
        self._events.publish(Event(_CALL, self._clock.now(), None, data))
