"""Owns waiting in tests: poll until something is true, or say what never was."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.01


def eventually(check: Callable[[], T], timeout: float = 20.0, what: str = "") -> T:
    """Call ``check`` until it answers something true, and return that.

    ``timeout`` is in seconds; after it an AssertionError names ``what`` and the last answer.
    What ``check`` raises is not caught.
    """
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise _never(check, answer, timeout, what)
        time.sleep(_PAUSE)
    return answer


async def eventually_async(check: Callable[[], T], timeout: float = 20.0, what: str = "") -> T:
    """``eventually`` for a test that is on an event loop, which goes on meanwhile."""
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise _never(check, answer, timeout, what)
        await asyncio.sleep(_PAUSE)
    return answer


@contextmanager
def repeating(act: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call ``act`` in a thread all the while, with so long a pause before each call."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _never(check: Callable[[], object], answer: object, timeout: float, what: str) -> Exception:
    name = what or getattr(check, "__name__", repr(check))
    return AssertionError(f"not within {timeout} s: {name}; last answer {answer!r}")
