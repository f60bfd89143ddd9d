"""Who is called when an execution ends, on what thread, and how often."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.callbacks import MAX_CALLERS, Callbacks
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.errors import ExecutionNotFound, InvalidArguments, StoreUnavailable
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import TaskExecution
from advanced_scheduler.testing import FaultyStore
from tests.support.waiting import eventually
from tests.unit.engine.kit import NOW, by, execution, faulty, parts

LONG = 3600.0
IDS = [*"efghijklmno"]


class Office:
    """A store with running executions, and callbacks on the end of them."""

    def __init__(self, clock: ManualClock, poll: float) -> None:
        self.store: FaultyStore = faulty()
        self.parts = parts(self.store.face, clock)
        self.callbacks = Callbacks(self.store.face, self.parts.events, poll)
        self.store.store.add([execution(one) for one in IDS])
        claimed = self.store.store.claim(by(limit=len(IDS)))
        self.rows = {row.execution_id: row for row in claimed}
        self.heard: list[tuple[str, Any]] = []
        self.threads: set[threading.Thread] = set()

    def note(self, row: TaskExecution) -> None:
        self.threads.add(threading.current_thread())
        self.heard.append((row.execution_id, row.result))

    def end(self, execution_id: str) -> Transition:
        return lifecycle.complete(self.rows[execution_id], result=7, metrics={}, now=NOW)

    def end_here(self, execution_id: str) -> None:
        self.parts.settler.settle([Change(self.rows[execution_id], self.end(execution_id))])

    def end_elsewhere(self, execution_id: str) -> None:
        self.store.store.apply([self.end(execution_id)])  # no event here


async def wait_for(_: TaskExecution) -> None:
    """What nobody would await."""


@pytest.fixture
def office(clock: ManualClock) -> Iterator[Office]:
    """One that hears of this node alone: its poll never comes."""
    office = Office(clock, LONG)
    yield office
    office.callbacks.close()


@pytest.fixture
def polling(clock: ManualClock) -> Iterator[Office]:
    office = Office(clock, 0.01)
    yield office
    office.callbacks.close()


def test_an_end_on_this_node_calls_each_once_on_threads_of_their_own(office: Office) -> None:
    for one in ("e", "e", "f"):
        office.callbacks.add(one, office.note)
    office.end_here("e")
    office.end_here("f")
    eventually(lambda: len(office.heard) == 3)
    assert sorted(office.heard) == [("e", 7), ("e", 7), ("f", 7)]
    assert threading.current_thread() not in office.threads
    assert all(one.daemon for one in office.threads)


def test_an_end_on_another_node_is_seen_after_a_poll_once(polling: Office) -> None:
    polling.callbacks.add("e", polling.note)
    polling.end_elsewhere("e")
    eventually(lambda: polling.heard)
    polling.callbacks.add("f", polling.note)
    polling.end_elsewhere("f")
    eventually(lambda: len(polling.heard) > 1)
    assert polling.heard == [("e", 7), ("f", 7)]


def test_what_has_ended_is_told_at_once(office: Office) -> None:
    office.end_elsewhere("e")
    office.callbacks.add("e", office.note)
    eventually(lambda: office.heard == [("e", 7)])


def test_an_end_between_the_look_and_the_wait_is_not_missed(office: Office) -> None:
    hold = office.store.hold("get", after=True)
    caller = threading.Thread(target=office.callbacks.add, args=("e", office.note))
    caller.start()
    hold.entered.wait()
    office.end_here("e")  # nobody was waiting
    hold.released.set()
    caller.join()
    eventually(lambda: office.heard == [("e", 7)])


def test_the_threads_end_when_nobody_waits_and_start_again(office: Office) -> None:
    for one in "ef":
        office.callbacks.add(one, office.note)
        office.end_here(one)
        eventually(lambda: office.callbacks._thread is None and not office.callbacks._lines)
        eventually(lambda: not office.callbacks._callers)
    assert office.heard == [("e", 7), ("f", 7)]
    assert len(office.threads) == 2


def test_callbacks_that_block_hold_up_no_other_execution(office: Office) -> None:
    gate = threading.Event()
    *blocked, free = IDS[:MAX_CALLERS]
    for one in blocked:
        office.callbacks.add(one, lambda _: gate.wait(10))
        office.end_here(one)
    office.callbacks.add(free, office.note)
    office.end_here(free)
    try:
        eventually(lambda: office.heard == [(free, 7)])
    finally:
        gate.set()


def test_callbacks_have_a_few_threads_at_most(office: Office) -> None:
    gate = threading.Event()

    def block(row: TaskExecution) -> None:
        office.note(row)
        gate.wait(10)

    for one in IDS:
        office.callbacks.add(one, block)
        office.end_here(one)
    eventually(lambda: office.callbacks._thread is None)
    assert len(office.callbacks._callers) == MAX_CALLERS < len(IDS)
    gate.set()
    eventually(lambda: len(office.heard) == len(IDS))
    assert len(office.threads) == MAX_CALLERS


def test_the_callbacks_of_an_execution_are_called_in_their_order(office: Office) -> None:
    gate, begun = threading.Event(), threading.Event()
    order: list[int] = []

    def block(_: TaskExecution) -> None:
        begun.set()
        gate.wait(10)
        order.append(0)

    office.callbacks.add("e", block)
    office.end_here("e")
    begun.wait(10)
    office.callbacks.add("e", lambda _: order.append(1))
    office.callbacks.add("e", lambda _: order.append(2))
    eventually(lambda: office.callbacks._thread is None)  # all are in line
    gate.set()
    eventually(lambda: len(order) == 3)
    assert order == [0, 1, 2]


def test_callbacks_are_called_though_the_system_has_no_more_threads(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.callbacks.add("e", office.note)
    watcher = office.callbacks._thread

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    office.end_here("e")
    eventually(lambda: office.heard == [("e", 7)])
    assert office.threads == {watcher}
    eventually(lambda: not office.callbacks._callers)


def test_a_callback_that_raises_harms_nobody(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(row: TaskExecution) -> None:
        raise SystemExit(row.execution_id)

    office.callbacks.add("e", fail)
    office.callbacks.add("e", office.note)
    office.end_here("e")
    eventually(lambda: office.heard == [("e", 7)])
    assert "a callback failed on the end of execution e" in caplog.text


def test_a_callback_may_wait_for_another_end(office: Office) -> None:
    def follow(_: TaskExecution) -> None:
        office.callbacks.add("f", office.note)

    office.callbacks.add("e", follow)
    office.end_here("e")
    eventually(lambda: "f" in office.callbacks._waiting)
    office.end_here("f")
    eventually(lambda: office.heard == [("f", 7)])


def test_a_store_that_is_away_is_asked_again(
    polling: Office, caplog: pytest.LogCaptureFixture
) -> None:
    polling.callbacks.add("e", polling.note)
    polling.store.fail("get")
    eventually(lambda: "callbacks wait" in caplog.text)
    polling.end_elsewhere("e")
    eventually(lambda: polling.heard == [("e", 7)])


def test_what_is_trimmed_unseen_is_no_longer_waited_for(
    polling: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    polling.callbacks.add("e", polling.note)
    with polling.callbacks._lock:  # no callback while it ends and is trimmed
        polling.end_elsewhere("e")
        later = NOW + timedelta(days=1)
        polling.store.store.prune(keep=0, before=later, older_than=later, limit=9)
    lost = "execution e was trimmed before its end was heard of"
    eventually(lambda: polling.heard or lost in caplog.text)
    assert not polling.callbacks._waiting


def test_nobody_is_called_after_the_close(office: Office) -> None:
    office.callbacks.add("e", office.note)
    office.callbacks.close()
    eventually(lambda: office.callbacks._thread is None)
    office.end_here("e")
    assert office.heard == []


def test_a_close_calls_first_who_waits_for_what_has_ended(office: Office) -> None:
    office.callbacks.add("e", office.note)
    office.callbacks.add("f", office.note)
    office.end_elsewhere("e")
    office.callbacks.close()
    assert office.heard == [("e", 7)]


def test_a_drain_leaves_who_waits_for_what_goes_on(office: Office) -> None:
    office.callbacks.drain()
    office.callbacks.add("e", office.note)
    office.callbacks.drain()
    assert office.heard == []
    office.end_here("e")
    office.callbacks.drain()
    assert office.heard == [("e", 7)]


def test_a_callback_that_goes_on_for_too_long_is_left_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("advanced_scheduler.engine.callbacks.DRAIN_SECONDS", 0.01)
    gate = threading.Event()
    office.callbacks.add("e", lambda _: gate.wait(10))
    office.end_here("e")
    office.callbacks.drain()
    assert "callbacks are not done after" in caplog.text
    gate.set()


def test_a_close_leaves_uncalled_who_is_far_back_in_the_lines(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advanced_scheduler.engine.callbacks.DRAIN_SECONDS", 0.01)
    gate = threading.Event()
    for one in IDS[:MAX_CALLERS]:
        office.callbacks.add(one, lambda _: gate.wait(10))
        office.end_here(one)
    office.callbacks.add(IDS[-1], office.note)
    office.end_here(IDS[-1])
    eventually(lambda: office.callbacks._thread is None)
    office.callbacks.close()
    gate.set()
    eventually(lambda: not office.callbacks._callers)
    assert office.heard == []


def test_a_callback_may_drain_the_others(office: Office) -> None:
    office.callbacks.add("e", lambda _: office.callbacks.close())
    office.callbacks.add("e", office.note)
    office.end_here("e")
    eventually(lambda: office.heard == [("e", 7)])


def test_a_forked_process_leaves_the_callbacks_to_its_parent(office: Office) -> None:
    office.callbacks.add("e", office.note)
    thread, woken = office.callbacks._thread, office.callbacks._woken
    office.callbacks._leave_to_parent()
    office.end_here("e")
    office.callbacks.add("f", office.note)
    office.end_here("f")
    eventually(lambda: office.heard == [("f", 7)])
    woken.set()
    assert thread is not None
    thread.join(10)


def test_a_forked_process_calls_nobody_whose_turn_is_in_its_parent(office: Office) -> None:
    gate, begun = threading.Event(), threading.Event()

    def fork(_: TaskExecution) -> None:
        begun.set()
        gate.wait(10)

    office.callbacks.add("e", fork)
    office.callbacks.add("e", office.note)
    office.end_here("e")
    begun.wait(10)
    (caller,) = office.callbacks._callers
    office.callbacks._leave_to_parent()
    gate.set()
    caller.join(10)
    assert (caller.is_alive(), office.heard) == (False, [])


def test_what_cannot_be_waited_for_is_refused(office: Office) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution 'x'"):
        office.callbacks.add("x", office.note)
    with pytest.raises(ExecutionNotFound):
        office.callbacks.add("\ud800", office.note)
    with pytest.raises(InvalidArguments, match="execution_id=5 must be a text"):
        office.callbacks.add(5, office.note)  # type: ignore[arg-type]
    with pytest.raises(InvalidArguments, match="callback=5 cannot be called"):
        office.callbacks.add("e", 5)  # type: ignore[arg-type]
    for coroutine in (wait_for, partial(wait_for)):
        with pytest.raises(InvalidArguments, match=":wait_for is a coroutine function"):
            office.callbacks.add("e", coroutine)
    office.store.fail("get")
    with pytest.raises(StoreUnavailable):
        office.callbacks.add("e", office.note)
    assert (office.callbacks._waiting, office.callbacks._thread) == ({}, None)
