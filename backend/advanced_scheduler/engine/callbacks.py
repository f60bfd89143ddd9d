"""Calls functions of the application when executions have ended, whichever node ran them."""

from __future__ import annotations

import inspect
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
from ..functions import body_of, name_of
from ..lifecycle import FINAL
from ..models import TaskExecution
from ..stores.base import ExecutionStore

logger = logging.getLogger(__name__)

Callback = Callable[[TaskExecution], object]

PAGE: Final = 500  # executions to ask for in one call
DRAIN_SECONDS: Final = 5.0
MAX_CALLERS: Final = 8  # threads


class Callbacks:
    """Told at once of what ends on this node; looks into the store for the rest, once a poll.

    One thread watches while anybody waits. Up to ``MAX_CALLERS`` more call, each those of one
    execution in their order, and end when there is nobody to call: as many callbacks may block
    before they hold up the others.
    """

    def __init__(self, store: ExecutionStore, events: EventBus, poll_seconds: float) -> None:
        self._store = store
        self._poll = poll_seconds
        self._lock = free_in_child(threading.Condition())  # notified of what a drain waits for
        self._waiting: dict[str, list[Callback]] = {}
        self._ended: deque[TaskExecution] = deque()
        self._lines: dict[str, deque[tuple[Callback, TaskExecution]]] = {}  # by execution id
        self._new_lines: deque[str] = deque()  # those that no thread sees to yet
        self._callers: set[threading.Thread] = set()
        self._drains: list[threading.Event] = []
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        events.subscribe(self._hear, [EventType.FINISHED])
        renew_in_child(self, Callbacks._leave_to_parent)

    def add(self, execution_id: str, callback: Callback) -> None:
        """Call ``callback`` once with the ended execution; at once if it has ended.

        Raises ``ExecutionNotFound``, and ``InvalidArguments`` for what is no plain function.
        """
        if not callable(callback):
            raise InvalidArguments(f"callback={reprlib.repr(callback)} cannot be called")
        if inspect.iscoroutinefunction(body := body_of(callback)):
            raise InvalidArguments(
                f"callback={name_of(body)} is a coroutine function, which nobody would await; "
                "pass a function that calls asyncio.run_coroutine_threadsafe"
            )
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

        A callback does not wait for itself, nor for others.
        """
        asked = threading.Event()
        with self._lock:
            if threading.current_thread() in {self._thread, *self._callers}:
                return
            if self._thread is None:
                asked.set()
            else:
                self._drains.append(asked)
                self._woken.set()
            done = self._lock.wait_for(lambda: asked.is_set() and not self._lines, DRAIN_SECONDS)
        if not done:
            logger.warning("callbacks are not done after %.0f s, and left alone", DRAIN_SECONDS)

    def close(self) -> None:
        """Drain, and call nobody any more."""
        self.drain()
        with self._lock:
            self._waiting.clear()
            while self._new_lines:
                del self._lines[self._new_lines.popleft()]
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
                self._line_up(self._ended.popleft())
            with self._lock:
                for asked in drains:
                    asked.set()
                self._lock.notify_all()
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

    def _line_up(self, row: TaskExecution) -> None:
        """Let those be called who wait for this end, after whoever is in line for it already."""
        with self._lock:
            calls = [(callback, row) for callback in self._waiting.pop(row.execution_id, ())]
            line = self._lines.get(row.execution_id)
            if line is not None:  # an empty one has its last call under way
                line.extend(calls)
                return
            if not calls:
                return
            self._lines[row.execution_id] = deque(calls)
            self._new_lines.append(row.execution_id)
            if len(self._callers) >= MAX_CALLERS:
                return
            name = "advanced-scheduler-callback"
            caller = threading.Thread(target=self._serve, name=name, daemon=True)
            self._callers.add(caller)
        try:
            caller.start()
        except RuntimeError:  # the system has no more threads, or Python is about to end
            with self._lock:
                self._callers.discard(caller)
            self._serve()

    def _serve(self) -> None:
        """Call whoever is in a line, until there is no line that nobody sees to."""
        while (execution_id := self._next_line()) is not None:
            while (call := self._next_call(execution_id)) is not None:
                callback, row = call
                try:
                    callback(row)
                except BaseException:  # the thread is there for others, too
                    logger.exception("a callback failed on the end of execution %s", execution_id)

    def _next_line(self) -> str | None:
        with self._lock:
            if self._new_lines:
                return self._new_lines.popleft()
            self._callers.discard(threading.current_thread())
            return None

    def _next_call(self, execution_id: str) -> tuple[Callback, TaskExecution] | None:
        with self._lock:
            if line := self._lines.get(execution_id):
                return line.popleft()
            self._lines.pop(execution_id, None)
            self._lock.notify_all()
            return None

    def _leave_to_parent(self) -> None:
        """In a forked process: whoever waits does so in the parent."""
        self._waiting.clear()
        self._ended.clear()
        self._lines.clear()
        self._new_lines.clear()
        self._callers.clear()
        self._drains.clear()
        self._woken, self._thread = threading.Event(), None
