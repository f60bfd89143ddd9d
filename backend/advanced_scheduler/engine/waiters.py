"""Lets a thread wait for the end of an execution, whichever node runs it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from math import isnan
from typing import Any, Final, cast

from ..clock import SystemClock
from ..errors import (
    ExecutionNotFound,
    InvalidArguments,
    ResultTimeout,
    SchedulerStateError,
    TaskFailed,
)
from ..events import Event, EventBus, EventType
from ..faults import is_storable
from ..forks import free_in_child
from ..lifecycle import FINAL
from ..models import LONGEST, TaskExecution, TaskStatus
from ..stores.base import ExecutionStore

FIRST_LOOK_SECONDS: Final = 0.01


class Waiters:
    """Woken at once by what ends on this node; looks into the store for the rest.

    Often at first, since most executions are short, and once a poll in the end.
    """

    def __init__(
        self,
        store: ExecutionStore,
        events: EventBus,
        poll_seconds: float,
        *,
        on_loop: Callable[[], bool],
    ) -> None:
        self._store = store
        self._poll = poll_seconds
        self._on_loop = on_loop
        self._clock = SystemClock()  # a waiting thread waits in real time
        self._lock = free_in_child(threading.Lock())
        self._waiting: defaultdict[str, list[threading.Event]] = defaultdict(list)
        self._ended: dict[str, TaskExecution] = {}
        events.subscribe(self._hear, [EventType.FINISHED])

    def wait(self, execution_id: str, timeout: float | None) -> TaskExecution | None:
        """The ended row; None if ``timeout`` seconds pass first.

        Raises ``ExecutionNotFound`` for an id that the store does not know, and
        ``SchedulerStateError`` on the event loop, which must not be blocked.
        """
        if self._on_loop():
            raise SchedulerStateError(
                "waiting here would block the event loop that runs the tasks; "
                "use await asyncio.to_thread(scheduler.result, execution_id)"
            )
        if not isinstance(execution_id, str):
            raise InvalidArguments(f"execution_id={execution_id!r} must be a text")
        end = None if timeout is None else self._clock.monotonic() + checked_seconds(timeout)
        pause, woken = FIRST_LOOK_SECONDS, threading.Event()
        with self._lock:
            self._waiting[execution_id].append(woken)
        try:
            while True:
                row = self._row(execution_id)
                if row.status in FINAL:
                    return row
                pause = min(2 * pause, self._poll)
                left = pause if end is None else end - self._clock.monotonic()
                if left <= 0:
                    return None
                woken.wait(min(left, pause))
        finally:
            self._leave(execution_id, woken)

    def result(self, execution_id: str, timeout: float | None) -> Any:
        """The result; raises ``ResultTimeout``, ``TaskFailed`` or ``ExecutionNotFound``."""
        row = self.wait(execution_id, timeout)
        if row is None:
            raise ResultTimeout(f"execution {execution_id} did not end within {timeout} s")
        if row.status is not TaskStatus.COMPLETED:
            why = row.error or row.reason
            raise TaskFailed(f"task {row.task_id!r} (execution {execution_id}) {row.status}: {why}")
        return row.result

    def _row(self, execution_id: str) -> TaskExecution:
        heard = self._ended.get(execution_id)
        if heard is not None:
            return heard
        for row in self._store.get([execution_id]) if is_storable(execution_id) else ():
            return row
        raise ExecutionNotFound(
            f"no execution {execution_id!r}: it never existed, or it was trimmed from the history "
            "(see the settings history_limit and history_days)"
        )

    def _leave(self, execution_id: str, woken: threading.Event) -> None:
        with self._lock:
            self._waiting[execution_id].remove(woken)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]
                self._ended.pop(execution_id, None)

    def _hear(self, event: Event) -> None:
        if event.execution is None or not self._waiting:
            return
        row = event.execution
        with self._lock:
            waiting = self._waiting.get(row.execution_id)
            if waiting:
                self._ended[row.execution_id] = row
                for woken in waiting:
                    woken.set()


def checked_seconds(timeout: object, name: str = "timeout") -> float:
    """A time-out that somebody asked for; raises ``InvalidArguments``."""
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or isnan(seconds := cast(float, timeout)):  # with NaN a wait spins for ever
        raise InvalidArguments(f"{name}={timeout!r} must be a number of seconds, or None")
    return min(seconds, LONGEST)
