"""A probe says whether a server answers, and is itself held up by nothing."""

from __future__ import annotations

import threading
from contextlib import suppress

from advanced_scheduler.clock import ManualClock, SystemClock
from advanced_scheduler.engine.probe import Probe
from advanced_scheduler.errors import StoreUnavailable
from tests.support.waiting import eventually


class Hanging:
    """Is called, and does not answer until it is released."""

    def __init__(self) -> None:
        self.asked: list[threading.Thread] = []
        self.released = threading.Event()

    def __call__(self) -> None:
        self.asked.append(threading.current_thread())
        self.released.wait()


def test_an_answer_is_well_and_an_error_is_told() -> None:
    errors: list[StoreUnavailable] = []

    def ask() -> int:
        if errors:
            raise errors.pop()
        return 7

    for patience in (None, 2.0):
        errors.append(StoreUnavailable("it is gone"))
        probe = Probe(ask, SystemClock(), patience=patience)
        assert probe.answer() == (None, "it is gone")
        assert probe.answer() == (7, None)


def test_a_server_that_hangs_is_asked_once_and_told_of_at_once() -> None:
    hang = Hanging()
    probe = Probe(hang, SystemClock(), patience=0.01)
    try:
        for _ in range(3):
            assert "no answer within" in str(probe.answer()[1])
        assert len(hang.asked) == 1
    finally:
        hang.released.set()
    eventually(lambda: probe.answer()[1] is None, what="the server to be well again")
    assert probe.answer()[1] is None
    assert len(hang.asked) > 1


def test_callers_that_come_together_have_it_asked_once() -> None:
    hang = Hanging()

    class Slow(SystemClock):
        """Lets the others catch up between the look and the start."""

        def monotonic(self) -> float:
            if threading.current_thread() in callers:
                with suppress(threading.BrokenBarrierError):
                    together.wait(0.2)
            return super().monotonic()

    together = threading.Barrier(2)
    callers: list[threading.Thread] = []
    probe = Probe(hang, Slow(), patience=0.01)
    callers += [threading.Thread(target=probe.answer) for _ in range(2)]
    try:
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len(hang.asked) == 1
    finally:
        hang.released.set()


def test_what_costs_much_is_not_asked_for_again_at_once(clock: ManualClock) -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(len(asked))
        clock.advance(seconds=0.1)
        return asked[-1]

    probe = Probe(ask, clock, patience=None, rest=20)
    assert [probe.answer() for _ in range(3)] == [(0, None)] * 3
    clock.advance(seconds=2)
    assert probe.answer() == (1, None)


def test_in_a_hurry_the_last_answer_stands_until_there_is_a_newer_one() -> None:
    answers = iter(range(9))
    held, released = threading.Event(), threading.Event()

    def ask() -> int:
        answer = next(answers)
        if answer > 0:
            held.set()
            released.wait()
        return answer

    probe = Probe(ask, SystemClock(), hurry=0.0)
    assert probe.answer() == (0, None)
    try:
        assert probe.answer() == (0, None)
        assert held.wait(10)
        assert probe.answer() == (0, None)
    finally:
        released.set()
    eventually(lambda: probe.answer() != (0, None), what="the newer answer")


def test_what_was_begun_is_asked_once_whenever_its_answer_is_wanted() -> None:
    asked: list[int] = []
    ended = threading.Event()

    def ask() -> int:
        asked.append(1)
        ended.set()
        return 7

    for patience in (None, 2.0):
        asked.clear()
        ended.clear()
        answer = Probe(ask, SystemClock(), patience=patience).begin()
        assert ended.wait(10)
        assert (answer(), len(asked)) == ((7, None), 1)
