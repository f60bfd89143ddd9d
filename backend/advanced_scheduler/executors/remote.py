"""What a task in a worker process asks of the engine, at both ends of the pipe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from queue import SimpleQueue
from typing import Any, Final

from ..clock import Clock
from ..context import Spawning, TaskContext
from ..errors import InvalidArguments, NotStorable
from ..faults import cleaned, describe_traceback
from ..models import Progress, ScheduleOptions, TaskPriority
from ..serialization import pack_plain
from .base import Outcome
from .wire import Message, pack_outcome, unpack_outcome

PAUSE_SECONDS: Final = 0.25
"""How often progress travels, at most."""

_HERE_ALONE: Final = ("connection", "retry")
_UNLIMITED: Final = 1 << 20


class PipeDesk:
    """The ``context.Desk`` of one call in a worker process."""

    def __init__(
        self,
        send: Callable[[Message], None],
        replies: SimpleQueue[Message],
        clock: Clock,
        *,
        keeps_logs: bool,
    ) -> None:
        self.keeps_logs = keeps_logs
        self._send = send
        self._replies = replies
        self._clock = clock
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: Message | None = None  # progress that was not sent yet
        self._sent = float("-inf")

    def progress(self, context: TaskContext, progress: Progress) -> None:
        """Send it, unless the last one was sent just now; the newest follows."""
        told = [progress.done, progress.total, cleaned(progress.message or "") or None]
        with self._lock:
            self._waiting = {"tell": "progress", "said": told}
            if self._clock.monotonic() - self._sent >= PAUSE_SECONDS:
                self._flush()

    def log(self, context: TaskContext, level: int, text: str, error: BaseException | None) -> None:
        """Send a line."""
        if error is not None:
            text = f"{text}\n{describe_traceback(error).rstrip()}"
        self._tell({"tell": "log", "said": [level, cleaned(text)]})

    def extend(self, context: TaskContext, seconds: float) -> None:
        """Send it."""
        self._tell({"tell": "extend", "said": [seconds]})

    def spawn(self, context: TaskContext, wanted: Spawning) -> str:
        """Ask, and wait for the answer; raises what is raised there."""
        asked = {"tell": "spawn", "said": _packed(wanted)}
        with self._asking:
            self._tell(asked)
            outcome = unpack_outcome(self._replies.get()["reply"])
        if outcome.error is not None:
            raise outcome.error
        made: str = outcome.value
        return made

    def close(self) -> None:
        """Send what is left; a thread that the task has left behind is not heard any more."""
        with self._lock:
            self._flush()
            self._closed = True

    def _tell(self, message: Message) -> None:
        with self._lock:
            if not self._closed:
                self._send(message)

    def _flush(self) -> None:
        if self._waiting is not None and not self._closed:
            self._send(self._waiting)
            self._sent = self._clock.monotonic()
        self._waiting = None


async def hear(context: TaskContext, told: Message) -> Message | None:
    """Do what the worker asks, in the scheduler's process; what to answer, if it waits."""
    kind, said = told["tell"], told["said"]
    if kind == "spawn":
        return {"reply": await asyncio.to_thread(_spawned, context, said)}
    if kind == "progress":
        context.progress(*said)
    elif kind == "extend":
        context.extend(*said)
    elif context.desk is not None:
        level, text = said
        context.desk.log(context, level, text, None)
    return None


def _spawned(context: TaskContext, said: Mapping[str, Any]) -> Message:
    options = said["options"]
    try:
        if options is not None:
            at = options.get("at")
            at = None if at is None else datetime.fromisoformat(at)
            options = ScheduleOptions(**{**options, "at": at})
        made = context.spawn(
            said["task"], *said["args"], options=options, key=said["key"], **said["kwargs"]
        )
    except Exception as error:
        return pack_outcome(Outcome(error=error), _UNLIMITED)
    return pack_outcome(Outcome(made), _UNLIMITED)


def _packed(wanted: Spawning) -> Message:
    """Raises ``InvalidArguments`` for what cannot travel."""
    task = wanted.task if isinstance(wanted.task, str) else getattr(wanted.task, "task_id", None)
    if not isinstance(task, str):
        raise InvalidArguments("spawn() in a process takes the id of a task, not a function")
    try:
        call, _ = pack_plain({"args": list(wanted.args), "kwargs": dict(wanted.kwargs)})
    except NotStorable as error:
        raise InvalidArguments(f"spawn() in a process takes plain JSON: {error}") from error
    return {**call, "task": task, "key": wanted.key, "options": _options(wanted.options)}


def _options(options: ScheduleOptions | None) -> Message | None:
    if options is None:
        return None
    if not isinstance(options, ScheduleOptions):
        raise InvalidArguments("options of spawn() must be a ScheduleOptions")
    default = ScheduleOptions()
    given = {
        one.name: getattr(options, one.name)
        for one in fields(options)
        if getattr(options, one.name) != getattr(default, one.name)
    }
    for name in _HERE_ALONE:
        if name in given:
            raise InvalidArguments(f"spawn() in a process takes no {name}")
    if isinstance(at := given.get("at"), datetime):
        given["at"] = at.isoformat()
    if isinstance(priority := given.get("priority"), TaskPriority):
        given["priority"] = int(priority)
    lists = {"tags": list(options.tags), "after": list(options.after)}
    try:
        packed: Message = pack_plain({**given, **lists})[0]
    except NotStorable as error:
        raise InvalidArguments(f"options of spawn() in a process: {error}") from error
    return packed
