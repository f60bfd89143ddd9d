"""Kills what descends from a process, in whatever session it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final

_LOOKS: Final = 500
_PAUSE_SECONDS: Final = 0.0001


def kill_descendants(pid: int) -> None:
    """Stop the process ``pid``, and kill all that descend from it; the caller kills it next.

    ``pid`` must be a child of this process that is not reaped yet. On Linux alone: elsewhere
    nothing happens. A process whose parent has ended (a double fork) descends from init by then,
    and lives on.
    """
    with suppress(OSError):
        if hasattr(os, "pidfd_open") and str(Path("/proc/self").readlink()) == str(os.getpid()):
            os.kill(pid, signal.SIGSTOP)
            _kill_children(pid)


def _kill_children(parent: int) -> None:
    """Of a process that was told to stop: once it has, it starts none, and reaps none."""
    for _ in range(_LOOKS):  # a fork that is under way is completed before
        if all(state in "TtXZ" for state, _ in _threads(parent)):
            break
        Event().wait(_PAUSE_SECONDS)
    seen: set[int] = set()
    while new := _children(parent) - seen:
        seen |= new
        for child in new:
            with suppress(OSError):
                _kill(child, parent)


def _kill(child: int, parent: int) -> None:
    handle = os.pidfd_open(child)
    try:
        if all(above == parent for _, above in _threads(child)):  # else it is another by now
            signal.pidfd_send_signal(handle, signal.SIGSTOP)
            try:
                _kill_children(child)
            finally:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _children(pid: int) -> set[int]:
    return {int(child) for text in _read(pid, "children") for child in text.split()}


def _threads(pid: int) -> Iterator[tuple[str, int]]:
    """The state of each thread of a process, and the id of the process's parent."""
    for text in _read(pid, "stat"):
        state, parent, *_ = text.rpartition(")")[2].split()
        yield state, int(parent)


def _read(pid: int, name: str) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/task").glob(f"*/{name}"):
        with suppress(OSError):  # the thread has ended
            yield file.read_text("utf-8", "replace")
