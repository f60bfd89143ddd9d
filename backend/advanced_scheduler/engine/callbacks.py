"""Calls functions of the application when executions have ended, whichever node ran them."""

from __future__ import annotations

import logging
import reprlib
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final

from ..errors import ExecutionNotFound, InvalidArguments, StoreError
from ..events import Event, EventBus, EventType
from ..faults import is_storable
from ..forks import free_in_child, renew_in_child
from ..lifecycle import FINAL
from ..models import TaskExecution
from ..stores.base import ExecutionStore

logger = logging.getLogger(__name__)

Callback = Callable[[TaskExecution], object]

PAGE: Final = 500  # executions to ask for in one call
DRAIN_SECONDS: Final = 5.0


class Callbacks:
    """One thread for all, which lives while anybody waits: a slow callback holds up the others.

    Told at once of what ends on this node; looks into the store for the rest, once a poll.
    """

    def __init__(self, store: ExecutionStore, events: EventBus, poll_seconds: float) -> None:
        self._store = store
        self._poll = poll_seconds
        self._lock = free_in_child(threading.Lock())
        self._waiting: dict[str, list[Callback]] = {}
        self._ended: deque[TaskExecution] = deque()
        self._drains: list[threading.Event] = []
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        events.subscribe(self._hear, [EventType.FINISHED])
        renew_in_child(self, Callbacks._leave_to_parent)

    def add(self, execution_id: str, callback: Callback) -> None:
        """Call ``callback`` once with the ended execution; at once if it has ended.

        Raises ``ExecutionNotFound``.
        """
        if not callable(callback):
            raise InvalidArguments(f"callback={reprlib.repr(callback)} cannot be called")
        if not isinstance(execution_id, str):
            raise InvalidArguments(f"execution_id={execution_id!r} must be a text")
        row = self._look(execution_id)
        with self._lock:
            self._waiting.setdefault(execution_id, []).append(callback)
            self._start()
        if row.status not in FINAL:  # again: it may have ended before we were heard
            with suppress(StoreError, ExecutionNotFound):
                row = self._look(execution_id)
        if row.status in FINAL:
            self._ended.append(row)
            self._woken.set()

    def drain(self) -> None:
        """Return once whoever waited for what has ended was called; after 5 seconds in any case.

        A callback does not wait for itself.
        """
        drained = threading.Event()
        with self._lock:
            if self._thread in (None, threading.current_thread()):
                return
            self._drains.append(drained)
        self._woken.set()
        if not drained.wait(DRAIN_SECONDS):
            logger.warning("callbacks are not done after %.0f s, and left alone", DRAIN_SECONDS)

    def close(self) -> None:
        """Drain, and call nobody any more."""
        self.drain()
        with self._lock:
            self._waiting.clear()
        self._woken.set()

    def _look(self, execution_id: str) -> TaskExecution:
        for row in self._store.get([execution_id]) if is_storable(execution_id) else ():
            return row
        raise ExecutionNotFound(
            f"no execution {execution_id!r}: it never existed, or it was trimmed from the history"
        )

    def _hear(self, event: Event) -> None:
        row = event.execution
        if self._waiting and row is not None and row.execution_id in self._waiting:
            self._ended.append(row)
            self._woken.set()

    def _start(self) -> None:
        if self._thread is None:
            name = "advanced-scheduler-callbacks"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            heard = self._woken.wait(self._poll)
            self._woken.clear()
            with self._lock:
                drains, self._drains = self._drains, []
            if drains or not heard:
                self._ask()
            while self._ended:
                self._call(self._ended.popleft())
            for drained in drains:
                drained.set()
            with self._lock:
                if not self._waiting and not self._drains:
                    self._thread = None
                    return

    def _ask(self) -> None:
        """Look for what ended on other nodes."""
        ids = iter(list(self._waiting))
        while page := list(islice(ids, PAGE)):
            try:
                known = {row.execution_id: row for row in self._store.get(page)}
            except Exception as error:  # whatever it is: the next poll asks again
                logger.warning("callbacks wait: %s", error)
                return
            self._ended += [row for row in known.values() if row.status in FINAL]
            for gone in set(page) - known.keys():
                with self._lock:
                    lost = self._waiting.pop(gone, None)
                if lost:
                    logger.error("execution %s was trimmed before its end was heard of", gone)

    def _call(self, row: TaskExecution) -> None:
        with self._lock:
            callbacks = self._waiting.pop(row.execution_id, ())
        for callback in callbacks:
            try:
                callback(row)
            except BaseException:  # the thread is there for others, too
                logger.exception("a callback failed on the end of execution %s", row.execution_id)

    def _leave_to_parent(self) -> None:
        """In a forked process: whoever waits does so in the parent."""
        self._waiting.clear()
        self._ended.clear()
        self._drains.clear()
        self._woken, self._thread = threading.Event(), None
