"""By which clock leases run."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.lease_clock import LeaseClock
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.stores.memory import MemoryStore
from tests.unit.engine.kit import NOW

SERVER = NOW + timedelta(seconds=4)


class ServerStore(MemoryStore):
    """In memory, with the clock of a server."""

    def __init__(self) -> None:
        super().__init__()
        self.told: datetime | None = SERVER

    def time(self) -> datetime:
        if self.told is None:
            raise StoreUnavailable("away")
        return self.told


def test_without_a_server_it_is_the_clock_of_the_node(clock: ManualClock) -> None:
    leases = LeaseClock(MemoryStore(), clock)
    assert leases.now() == NOW
    clock.advance(seconds=9)
    assert leases.now() == NOW + timedelta(seconds=9)


def test_the_time_of_the_server_is_carried_on_whatever_the_wall_clock_does(
    clock: ManualClock,
) -> None:
    store = ServerStore()
    leases = LeaseClock(store, clock)
    assert leases.now() == SERVER
    clock.advance(seconds=9)
    assert leases.now() == SERVER + timedelta(seconds=9)
    store.told = SERVER + timedelta(seconds=99)
    assert leases.now() == SERVER + timedelta(seconds=9)
    leases.ask()
    assert leases.now() == SERVER + timedelta(seconds=99)


def test_before_the_first_answer_there_is_no_time(clock: ManualClock) -> None:
    store = ServerStore()
    store.told = None
    leases = LeaseClock(store, clock)
    with pytest.raises(StoreUnavailable):
        leases.now()
    store.told = SERVER
    assert leases.now() == SERVER


def test_a_server_that_is_away_leaves_what_it_told_last(clock: ManualClock) -> None:
    store = ServerStore()
    leases = LeaseClock(store, clock)
    leases.ask()
    store.told = None
    clock.advance(seconds=1)
    with pytest.raises(StoreUnavailable):
        leases.ask()
    assert leases.now() == SERVER + timedelta(seconds=1)
