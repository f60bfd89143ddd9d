"""Tells how long the store took for what, where somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from ..clock import Clock
from ..events import Event, EventBus, EventType
from ..stores.base import Store

P = ParamSpec("P")
T = TypeVar("T")

_CALL: Final = EventType.STORE_CALL


class StoreTimes:
    """Publishes a call that was answered; a store that waits for nothing is not timed."""

    def __init__(self, store: Store, events: EventBus, clock: Clock) -> None:
        self._timed = store.blocking
        self._events = events
        self._clock = clock

    def call(self, operation: str, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``ask`` answers. One that raises is an error, which is counted as such."""
        if not (self._timed and self._events.hears(_CALL)):
            return ask(*args, **kwargs)
        begun = self._clock.monotonic()
        answer = ask(*args, **kwargs)
        data = {"operation": operation, "seconds": self._clock.monotonic() - begun}
        self._events.publish(Event(_CALL, self._clock.now(), None, data))
        return answer
