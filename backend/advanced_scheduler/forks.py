"""What becomes of our objects in a process that is forked from this one.

A fork copies the memory, and one thread: a lock that another thread held stays locked for ever,
and whatever a thread was to do is not done. So locks are freed in the child, and what belongs to
the parent is made anew there, before any other code of ours runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet

T = TypeVar("T")

_locks: Final[WeakSet[Any]] = WeakSet()
_renewals: Final[WeakKeyDictionary[Any, Callable[[Any], object]]] = WeakKeyDictionary()


def free_in_child(lock: T) -> T:
    """Let a lock or condition of ``threading`` be free in a forked process; answers it.

    For locks that are held while memory is changed, and never while anything is waited for.
    """
    _locks.add(lock)
    return lock


def renew_in_child(thing: T, renew: Callable[[T], object]) -> T:
    """Call ``renew(thing)`` in a forked process, if ``thing`` lives by then; answers ``thing``.

    All locks are free by then. ``renew`` must be quick, and touch nothing that the parent still
    uses: a socket may be closed, but not shut down. It must not keep ``thing`` alive.
    """
    _renewals[thing] = renew
    return thing


def _in_child() -> None:
    for lock in list(_locks):
        lock._at_fork_reinit()  # as concurrent.futures and logging do with theirs
    for thing, renew in list(_renewals.items()):
        renew(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
