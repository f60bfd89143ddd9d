"""Locks are free, and things renewed, in a process that was really forked."""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
from collections.abc import Callable

import pytest

from advanced_scheduler.forks import free_in_child, renew_in_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    # Since Python 3.12, where a thread runs, such as that of pytest-timeout.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


class Thing:
    """Something that knows whether it was renewed."""

    new = False

    def renew(self) -> None:
        self.new = True


def in_child(check: Callable[[], bool]) -> bool:
    """Whether ``check`` holds in a child; False as well if it hangs there."""
    if (child := os.fork()) == 0:
        signal.alarm(10)
        os._exit(0 if check() else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, threading.Condition])
def test_a_lock_that_is_held_is_free_in_the_child_alone(make: Callable[[], threading.Lock]) -> None:
    lock = free_in_child(make())
    with lock:
        assert in_child(lambda: lock.acquire(blocking=False))
        free = []
        other = threading.Thread(target=lambda: free.append(lock.acquire(blocking=False)))
        other.start()
        other.join()
        assert free == [False]


def test_a_thing_is_renewed_in_the_child_alone() -> None:
    thing = renew_in_child(Thing(), Thing.renew)
    assert in_child(lambda: thing.new)
    assert not thing.new


def test_a_thing_that_is_gone_is_forgotten() -> None:
    renewed: list[object] = []
    renew_in_child(Thing(), renewed.append)
    gc.collect()
    assert in_child(lambda: not renewed)


def test_noise_differs_between_parent_and_child() -> None:
    noise = renew_in_child(random.Random(7), random.Random.seed)
    ours = random.Random(7).random()
    assert in_child(lambda: noise.random() != ours)
    assert noise.random() == ours
