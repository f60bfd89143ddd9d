"""Tells functions of the application of the executions of schedules that have failed."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from ..errors import InvalidArguments, TaskFailed
from ..events import Event, EventBus, EventType
from ..models import TaskStatus

logger = logging.getLogger(__name__)

Handler = Callable[[str, Exception], object]
H = TypeVar("H", bound=Handler)


class ScheduleErrors:
    """Calls each handler in a thread of its own; coroutines on the loop of ``run_here``."""

    def __init__(self, events: EventBus) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events = events

    def run_here(self) -> None:
        """Run coroutines on the loop that runs now, as long as it does."""
        self._loop = asyncio.get_running_loop()

    def add(self, handler: Handler) -> None:
        """Call it for every failure from now on; raises ``InvalidArguments``."""
        if not callable(handler):
            raise InvalidArguments(f"handler={handler!r} cannot be called")

        def hear(event: Event) -> None:
            row = event.execution
            if row is None or row.schedule_id is None or row.status is not TaskStatus.FAILED:
                return
            error = TaskFailed(f"task {row.task_id!r} (execution {row.execution_id}): {row.error}")
            told = (handler, row.schedule_id, error)
            threading.Thread(target=self._tell, args=told, daemon=True).start()

        self._events.subscribe(hear, [EventType.FINISHED])

    def _tell(self, handler: Handler, schedule_id: str, error: Exception) -> None:
        try:
            answer = handler(schedule_id, error)
            if not inspect.iscoroutine(answer):
                return
            if self._loop is not None and self._loop.is_running():
                asyncio.run_coroutine_threadsafe(answer, self._loop).result()
            else:
                asyncio.run(answer)
        except Exception:
            logger.exception("an error handler failed for schedule %s", schedule_id)
