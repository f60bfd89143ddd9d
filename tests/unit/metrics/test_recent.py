"""That nobody hangs with a store that hangs, and nobody asks it too often."""

from __future__ import annotations

import threading

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.metrics.recent import Recent
from tests.support.waiting import eventually


def test_an_answer_is_kept_for_as_long_as_it_was_said(clock: ManualClock) -> None:
    answers = iter(range(9))
    recent = Recent(lambda: next(answers), clock, keep=2, wait=10)
    assert (recent.get(), recent.get()) == (0, 0)
    clock.advance(seconds=2)
    assert recent.get() == 1


def test_an_error_is_an_answer_too(clock: ManualClock) -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise StoreUnavailable("gone")

    recent = Recent(ask, clock, keep=2, wait=10)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="gone"):
            recent.get()
    assert len(asked) == 1


def test_who_does_not_answer_is_not_waited_for_nor_asked_again_meanwhile(
    clock: ManualClock,
) -> None:
    asked: list[int] = []
    release = threading.Event()

    def ask() -> str:
        asked.append(1)
        release.wait()
        return "at last"

    recent = Recent(ask, clock, keep=2, wait=0.01)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            recent.get()
        clock.advance(seconds=2)
    assert len(asked) == 1
    release.set()


def test_an_old_answer_that_came_late_is_asked_for_again(clock: ManualClock) -> None:
    release = threading.Event()
    answers = iter(["old", "new"])

    def ask() -> str:
        release.wait()
        return next(answers)

    recent = Recent(ask, clock, keep=2, wait=0.01)
    with pytest.raises(TimeoutError):
        recent.get()
    release.set()
    clock.advance(seconds=2)
    assert eventually(lambda: _patiently(recent) == "new")


def _patiently(recent: Recent[str]) -> str | None:
    try:
        return recent.get()
    except TimeoutError:
        return None
