"""Which tokens of unanswered commands may be used again, and when they are released."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advanced_scheduler.clock import SystemClock
from advanced_scheduler.locks.process import ProcessLocks
from advanced_scheduler.locks.unsettled import Unsettled
from tests.support.waiting import eventually


@pytest.fixture
def locks() -> ProcessLocks:
    return ProcessLocks(SystemClock())


@pytest.fixture
def unsettled(locks: ProcessLocks) -> Iterator[Unsettled]:
    unsettled = Unsettled(locks)
    yield unsettled
    unsettled.close()


def test_a_token_is_adopted_once_and_for_its_own_task(unsettled: Unsettled) -> None:
    unsettled.remember("report", "token", adoptable=True)

    assert unsettled.adopt("another") is None
    assert unsettled.adopt("report") == "token"
    assert unsettled.adopt("report") is None


def test_a_token_that_was_to_be_released_is_never_adopted(unsettled: Unsettled) -> None:
    unsettled.remember("report", "token", adoptable=False)

    assert unsettled.adopt("report") is None


def test_tokens_are_released_once_the_locks_answer(
    unsettled: Unsettled, locks: ProcessLocks
) -> None:
    for task_id in ("a", "b"):
        locks.acquire(task_id, f"token of {task_id}", 300)
        unsettled.remember(task_id, f"token of {task_id}", adoptable=True)

    eventually(lambda: locks.ttl("a") is None and locks.ttl("b") is None, what="both are free")


def test_an_adopted_token_is_left_alone(unsettled: Unsettled, locks: ProcessLocks) -> None:
    for task_id in ("ours", "nobody's"):
        locks.acquire(task_id, f"token of {task_id}", 300)
        unsettled.remember(task_id, f"token of {task_id}", adoptable=True)

    assert unsettled.adopt("ours")

    eventually(lambda: locks.ttl("nobody's") is None, what="the other is free")
    assert locks.ttl("ours") is not None
