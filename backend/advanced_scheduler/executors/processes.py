"""Runs functions in processes of their own, which can be killed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..errors import ConfigurationError
from . import script
from .base import Call, Outcome
from .remote import hear
from .wire import Message, pack_call, unpack_outcome
from .worker import Hear, Worker


class ProcessExecutor:
    """At most ``size`` calls at a time, each in a worker process, which serves many in turn.

    Workers start on demand, which takes some tenths of a second of the first call's time; they
    import the function by its name. Arguments travel as JSON and are rebuilt to the function's
    annotations; a result travels as JSON and stays that: tuples become lists. One that is no
    JSON, or more than ``result_limit_bytes``, becomes ``pack_result``'s marker.

    A cancelled call's worker is killed, and with it every process that descends from it (outside
    Linux: that did not leave its session). Workers end when the scheduler's process ends, however.
    """

    abandoned = 0  # a killed process does not go on

    def __init__(self, size: int, *, result_limit_bytes: int = 1024 * 1024) -> None:
        self._size = size
        self._limit = result_limit_bytes
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._slots: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    def start(self) -> None:
        """Raise ``SchedulerStateError`` within an import that a worker process makes."""
        script.refuse_while_importing()

    def shutdown(self) -> None:
        """Kill all workers; a call that is under way fails with ``ProcessDied``."""
        for worker in self._busy:
            worker.kill()
        while self._idle:
            self._idle.pop().close()

    async def run(self, call: Call) -> Outcome:
        """Call the function in a process; a process that dies is an ``Outcome.error``, too."""
        try:
            message = pack_call(call, await _results_of(call), self._limit)
            async with self._slots_here():
                call.begun()
                answer = await self._ask(message, partial(hear, call.context))
        except Exception as error:
            return Outcome(error=error)
        except BaseException:
            call.context.cancelled.set()
            raise
        return unpack_outcome(answer)

    async def _ask(self, message: Message, heard: Hear) -> Message:
        worker = self._take()
        self._busy.add(worker)
        try:
            answer = await worker.ask(message, heard)
        except BaseException:
            worker.close()
            raise
        finally:
            self._busy.discard(worker)
        self._idle.append(worker)
        return answer

    def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.close()
        if os.name != "posix":
            raise ConfigurationError("executor='process' needs a POSIX system such as Linux")
        return Worker()

    def _slots_here(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._slots is None or self._slots[0] is not loop:
            self._slots = loop, asyncio.Semaphore(self._size)
        return self._slots[1]


async def _results_of(call: Call) -> Mapping[str, Any]:
    """Of the dependencies, read here: a worker process has no store."""
    if not call.context.execution.dependencies:
        return {}
    return await asyncio.to_thread(call.context.load_results)
