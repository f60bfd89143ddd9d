"""Nodes hear of news; whatever becomes of a signal, nothing fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.commands import Commands
from advanced_scheduler.engine.signals import Signals
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.stores.abilities import Signal, SignalStore
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.definitions import define, nothing
from tests.unit.engine.kit import by, execution, parts


@dataclass
class Telling(MemoryStore):
    """In memory, with signals as a server has them."""

    told: list[Signal] = field(default_factory=list)
    listeners: list[Callable[[Signal], None]] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def publish(self, signal: Signal) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.told.append(signal)

    def subscribe(self, heard: Callable[[Signal], None]) -> Callable[[], None]:
        self.listeners.append(heard)
        return lambda: self.listeners.remove(heard)


def test_a_signal_goes_to_the_nodes_of_this_process_and_to_the_store() -> None:
    store, heard = Telling(), list[Signal]()
    assert isinstance(store, SignalStore)
    signals = Signals(store)
    end = signals.hear(heard.append)
    signals.tell(Signal.SCHEDULES)
    assert (heard, store.told) == ([Signal.SCHEDULES], [Signal.SCHEDULES])
    store.listeners[0](Signal.WORK)
    assert heard == [Signal.SCHEDULES, Signal.WORK]
    end()
    signals.tell(Signal.WORK)
    assert (len(heard), store.listeners) == (2, [])


def test_a_store_without_signals_leaves_the_nodes_of_this_process() -> None:
    assert not isinstance(MemoryStore(), SignalStore)
    signals, heard = Signals(MemoryStore()), list[Signal]()
    signals.hear(heard.append)()
    signals.tell(Signal.WORK)
    signals.hear(heard.append)
    signals.tell(Signal.WORK)
    assert heard == [Signal.WORK]


def test_a_store_that_is_away_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Telling(away=True)
    Signals(store).tell(Signal.SCHEDULES)
    assert "will find out" in caplog.text


def test_other_nodes_are_told_when_something_that_runs_is_cancelled(clock: ManualClock) -> None:
    store = Telling()
    made = parts(store, clock)
    made.registry.register(define(nothing))
    store.add([execution("runs"), execution("waits")])
    store.claim(by("other", limit=1))

    commands = Commands(made)
    assert commands.cancel("waits")
    assert store.told == []
    assert commands.cancel("runs")
    assert store.told == [Signal.REVOKED]
