"""Waiting for the end of an execution, in threads that must never hang or spin."""

from __future__ import annotations

import math
import threading
from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.engine.waiters import Waiters
from advanced_scheduler.errors import (
    ExecutionNotFound,
    InvalidArguments,
    ResultTimeout,
    SchedulerStateError,
    StoreUnavailable,
    TaskFailed,
)
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import TaskExecution, TaskStatus
from advanced_scheduler.testing import FaultyStore
from tests.support.waiting import eventually
from tests.unit.engine.kit import NOW, by, execution, faulty, parts

LONG = 3600.0


class Place:
    """A store with one running execution, and whoever waits for it."""

    def __init__(self, clock: ManualClock, poll: float = LONG) -> None:
        self.store: FaultyStore = faulty()
        self.parts = parts(self.store.face, clock)
        self.on_loop = False
        self.waiters = Waiters(
            self.store.face, self.parts.events, poll, on_loop=lambda: self.on_loop
        )
        self.store.store.add([execution("e")])
        (self.row,) = self.store.store.claim(by())
        self.answers: list[TaskExecution | None] = []

    def wait(self) -> threading.Thread:
        """Wait in a thread, which is there when this returns."""
        before = self.store.calls["get"]
        thread = threading.Thread(target=lambda: self.answers.append(self.waiters.wait("e", None)))
        thread.start()
        eventually(lambda: self.store.calls["get"] > before)
        return thread

    def end(self) -> Transition:
        return lifecycle.complete(self.row, result=7, metrics={}, now=NOW)


@pytest.fixture
def place(clock: ManualClock) -> Place:
    return Place(clock)


def test_an_end_on_this_node_wakes_every_waiter_at_once(place: Place) -> None:
    threads = [place.wait() for _ in range(3)]
    place.parts.settler.settle([Change(place.row, place.end())])
    for one in threads:
        one.join(10)
    assert [one and one.result for one in place.answers] == [7, 7, 7]


def test_an_end_on_another_node_is_seen_after_a_poll(clock: ManualClock) -> None:
    place = Place(clock, poll=0.01)
    thread = place.wait()
    place.store.store.apply([place.end()])  # no event here
    thread.join(10)
    assert [one and one.result for one in place.answers] == [7]


def test_what_has_ended_needs_no_waiting_but_nobody_waits_on_the_event_loop(place: Place) -> None:
    place.store.store.apply([place.end()])
    assert place.waiters.result("e", None) == 7
    place.on_loop = True
    with pytest.raises(SchedulerStateError, match=r"asyncio\.to_thread"):
        place.waiters.wait("e", None)


def test_time_runs_out(place: Place) -> None:
    assert place.waiters.wait("e", 0) is None
    assert place.waiters.wait("e", -1) is None
    assert place.waiters.wait("e", 0.01) is None
    with pytest.raises(ResultTimeout, match=r"execution e did not end within 0\.01 s"):
        place.waiters.result("e", 0.01)


def test_what_is_unknown_is_told_from_what_is_slow(place: Place) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution 'x'"):
        place.waiters.wait("x", None)


@pytest.mark.parametrize("timeout", [math.nan, "5", True, [1]])
def test_a_time_out_that_is_no_number_is_refused(place: Place, timeout: Any) -> None:
    with pytest.raises(InvalidArguments, match=r"timeout=.* must be a number of seconds"):
        place.waiters.wait("e", timeout)


@pytest.mark.parametrize("execution_id", [None, 5, ["e"]])
def test_an_id_that_is_no_text_is_refused(place: Place, execution_id: Any) -> None:
    with pytest.raises(InvalidArguments, match=r"execution_id=.* must be a text"):
        place.waiters.wait(execution_id, None)


def test_an_end_without_a_result_is_an_error_with_its_reason(place: Place) -> None:
    place.parts.settler.settle(
        [Change(place.row, lifecycle.fail(place.row, error="ValueError: no", now=NOW))]
    )
    with pytest.raises(TaskFailed, match=r"'job' \(execution e\) failed: ValueError: no"):
        place.waiters.result("e", None)


def test_an_execution_that_is_trimmed_while_one_waits_is_still_answered(place: Place) -> None:
    thread = place.wait()
    place.parts.settler.settle([Change(place.row, place.end())])
    place.store.store.prune(
        keep=0, before=NOW + timedelta(days=1), older_than=NOW + timedelta(days=1), limit=9
    )
    thread.join(10)
    assert [one and one.status for one in place.answers] == [TaskStatus.COMPLETED]


def test_nothing_is_kept_of_those_that_left(place: Place) -> None:
    place.wait()
    place.waiters.wait("e", 0)
    place.store.fail("get")
    with pytest.raises(StoreUnavailable):
        place.waiters.wait("e", None)
    with pytest.raises(ExecutionNotFound):
        place.waiters.wait("x", None)
    place.parts.settler.settle([Change(place.row, place.end())])
    eventually(lambda: len(place.answers) == 1)
    assert (place.waiters._waiting, place.waiters._ended) == ({}, {})
