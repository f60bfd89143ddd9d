"""Runs coroutine functions right on the caller's event loop."""

from __future__ import annotations

import asyncio

from ..context import CURRENT
from .base import Call, Outcome, answer_of


class LoopExecutor:
    """Awaits the coroutine within the caller's own asyncio task: nothing is cheaper.

    For the same reason a body that calls ``asyncio.current_task().cancel()`` cancels the caller.
    """

    abandoned = 0

    def start(self) -> None:
        """Nothing to start."""

    def shutdown(self) -> None:
        """Nothing to release."""

    async def run(self, call: Call) -> Outcome:
        """Await the coroutine; a cancellation from outside goes to it, and then to the caller."""
        token = CURRENT.set(call.context)
        try:
            return Outcome(answer_of(await call.function(*call.args, **call.kwargs)))
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                call.context.cancelled.set()
                raise
            return Outcome(error=error)
        finally:
            try:  # noqa: SIM105  # suppress() would cost as much as all the rest
                CURRENT.reset(token)
            except ValueError:  # closed by the garbage collector, in a foreign context
                pass


def _is_cancelled() -> bool:
    """Whether somebody has cancelled this task, rather than the body raising the exception."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
