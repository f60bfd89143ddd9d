"""Runs the engine on an event loop in a thread, for programs that have no loop of their own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

logger = logging.getLogger(__name__)

LET_GO_SECONDS: Final = 1.0
"""How long tasks that are left when the engine has stopped may take to end."""

_LOOPS: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()


@contextmanager
def hosted(
    start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> Iterator[None]:
    """``start`` on a new loop in a new thread; ``stop`` there when the block is left.

    What ``start`` raises is raised here.
    """
    started = threading.Event()
    failure: list[BaseException] = []
    leave: list[Callable[[], object]] = []

    async def host() -> None:
        # Not a thread that waits: the interpreter would join it when it exits, and so hang in a
        # program that never leaves the block.
        leaving, home = asyncio.Event(), asyncio.get_running_loop()
        leave.append(lambda: home.call_soon_threadsafe(leaving.set))
        _LOOPS.add(home)
        try:
            await start()
        except BaseException as error:
            failure.append(error)
            return
        finally:
            started.set()
        await leaving.wait()
        await stop()

    thread = threading.Thread(target=_run, args=(host(),), name="advanced-scheduler", daemon=True)
    thread.start()
    started.wait()
    if failure:
        thread.join()
        raise failure[0]
    dropped = False
    try:
        yield
    except GeneratorExit:  # nobody left the block: the interpreter ends, and threads stand still
        dropped = True
        raise
    finally:
        if thread.is_alive():  # in a process that was forked within the block it is not
            leave[0]()
            if not dropped:
                thread.join()


def _run(main: Coroutine[Any, Any, None]) -> None:
    """``asyncio.run``, which would wait for ever for a task that swallows its cancellation."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        try:
            loop.run_until_complete(_let_go())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _let_go() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=LET_GO_SECONDS)
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is told of here
        logger.warning(
            "execution %s swallows its cancellation and is abandoned; its result does not count",
            task.get_name(),
        )


def elsewhere(home: asyncio.AbstractEventLoop | None) -> str:
    """What to tell a caller who is not on the loop that the engine runs on."""
    if home in _LOOPS:
        return (
            "the scheduler runs already, in a thread of its own, since running() was entered; "
            "leave that block to stop it"
        )
    return "the scheduler runs already, on another event loop; stop it there"
