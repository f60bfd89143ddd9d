"""Hears that the process is to end before whoever ends it: a signal, or the end of the program."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  # its own call at the end comes after ours, see below
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_ASKING: Final = (signal.SIGTERM, signal.SIGINT)
_UNCALLED: Final[list[Callable[[], object]]] = []
_ENDED: Final = threading.Event()

# What is registered last is called first: thread pools refuse nothing before it.
getattr(threading, "_register_atexit", atexit.register)(_ENDED.set)


def program_ends() -> bool:
    """Whether the interpreter shuts down: thread pools refuse all work, and nobody can mend it."""
    return _ENDED.is_set()


@contextmanager
def heard_first(call: Callable[[], object]) -> Iterator[None]:
    """Within the block SIGTERM and SIGINT first ``call``, then whom they called before.

    ``call`` must take no lock: it comes between any two steps of the main thread. Does nothing
    on another thread, and where nobody in this program listens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    undo = [_before(number, call) for number in _ASKING]
    try:
        yield
    finally:
        for put_back in undo:
            put_back()


def _before(number: signal.Signals, call: Callable[[], object]) -> Callable[[], object]:
    previous = signal.getsignal(number)
    if not callable(previous):  # nobody, or the system
        return lambda: None

    def hear(signum: int, frame: FrameType | None) -> Any:
        call()
        return previous(signum, frame)

    def put_back() -> None:
        if signal.getsignal(number) is hear:
            signal.signal(number, previous)

    signal.signal(number, hear)
    return put_back


def at_exit(call: Callable[[], object]) -> None:
    """Call it when the program ends, while threads can still be started.

    ``atexit`` comes later: after the thread pools, with which the engine could store nothing.
    From Python 3.12 on no thread can be started at all once the program ends, and the engine cannot
    stop without: there nothing is called.
    """
    if sys.version_info >= (3, 12):
        _UNCALLED.append(call)  # what it belongs to must not be thought to be dropped
        return
    getattr(threading, "_register_atexit", atexit.register)(call)
