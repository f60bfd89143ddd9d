"""A probe says whether a server answers, and is itself held up by nothing."""

from __future__ import annotations

import threading

from advanced_scheduler.clock import SystemClock
from advanced_scheduler.engine.probe import Probe
from advanced_scheduler.errors import StoreUnavailable
from tests.support.waiting import eventually


def test_an_answer_is_well_and_an_error_is_told() -> None:
    errors = [StoreUnavailable("it is gone")]

    def ask() -> None:
        if errors:
            raise errors.pop()

    probe = Probe(ask, SystemClock())
    assert probe.error() == "it is gone"
    assert probe.error() is None


def test_a_server_that_hangs_is_asked_once_and_told_of_at_once() -> None:
    asked: list[threading.Thread] = []
    released = threading.Event()

    def hang() -> None:
        asked.append(threading.current_thread())
        released.wait()

    probe = Probe(hang, SystemClock(), patience=0.01)
    try:
        for _ in range(3):
            assert "no answer within" in str(probe.error())
        assert len(asked) == 1
    finally:
        released.set()
    eventually(lambda: probe.error() is None, what="the server to be well again")
    assert probe.error() is None
    assert len(asked) > 1
