"""Tells whoever listens in this process what happened to executions, ticks and locks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from .forks import free_in_child
from .models import TaskExecution

logger = logging.getLogger(__name__)


class EventType(StrEnum):
    """What can be heard.  ``data`` of each is given here."""

    SCHEDULED = "execution.scheduled"  # {}
    UNBLOCKED = "execution.unblocked"  # {"execution_ids": list}; a dependency of each was met
    REORDERED = "execution.reordered"  # {}; it has another priority or rank
    STARTED = "execution.started"  # {"queue_wait": seconds}
    PROGRESS = "execution.progress"  # {"done": number, "total": number or None, "message": text}
    RETRYING = "execution.retrying"  # {"delay": seconds, "duration": seconds of the attempt}
    GIVEN_BACK = "execution.given_back"  # {"reason": text}
    RECOVERED = "execution.recovered"  # {"node": the lost one}
    REVOKED = "execution.revoked"  # {"node": where it was seen to run, or None}; cancelled
    ATTEMPT_ENDED = "attempt.ended"  # {"outcome": what it answered or raised}; not stored yet
    FINISHED = "execution.finished"  # {"duration": seconds of its last attempt, or None}
    TICK = "schedule.tick"  # {"tick": Tick}
    LOCK = "lock"  # {"result": acquired|contended|timeout|error, "wait": seconds}
    LOCK_RELEASED = "lock.released"  # {"held": seconds}
    LOCK_LOST = "lock.lost"  # {"task_id": str}
    STOPPING = "node.stopping"  # {}; this process is about to stop
    STORE_ERROR = "store.error"  # {"operation": str, "error": text}
    STORE_CALL = "store.call"  # {"operation": str, "seconds": float}
    LIVE = "live"  # {"transport": sse|websocket, "connections": int, "dropped": events since}


class Event(NamedTuple):
    """One thing that happened; ``execution`` is the row as it stands after it."""

    type: EventType
    time: datetime
    execution: TaskExecution | None = None
    data: Mapping[str, Any] = MappingProxyType({})


Listener = Callable[[Event], None]


class EventBus:
    """Calls every listener for every event that it wants, in the thread that publishes.

    Listeners must be quick and thread-safe. One that raises is logged and stays.
    """

    def __init__(self) -> None:
        self._listeners: dict[EventType, tuple[Listener, ...]] = dict.fromkeys(EventType, ())
        self._lock = free_in_child(threading.Lock())

    def subscribe(
        self, listener: Listener, types: Collection[EventType] = tuple(EventType)
    ) -> Callable[[], None]:
        """Add a listener for events of these types; answers the call that takes it off again."""
        with self._lock:
            for one in types:
                self._listeners[one] = (*self._listeners[one], listener)

        def unsubscribe() -> None:
            with self._lock:
                for one in types:
                    kept = (other for other in self._listeners[one] if other is not listener)
                    self._listeners[one] = tuple(kept)

        return unsubscribe

    def hears(self, type_: EventType) -> bool:
        """Whether anybody listens: an event for nobody need not be made."""
        return bool(self._listeners[type_])

    def publish(self, event: Event) -> None:
        """Tell all who listen; never raises."""
        for listener in self._listeners[event.type]:
            try:
                listener(event)
            except Exception:
                logger.exception("a listener failed on %s", event.type)
