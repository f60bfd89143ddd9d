"""A store that fails, waits or is slow at the calls that it is told of."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.models import TaskExecution
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.abilities import (
    MigratedStore,
    SignalStore,
    TransactionalStore,
)
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from tests.unit.engine.kit import NOW, execution


@pytest.fixture
def store() -> FaultyStore:
    """In memory, with nothing wrong so far."""
    return FaultyStore(MemoryStore())


def stored(store: FaultyStore) -> list[TaskExecution]:
    """What the real store has of the execution ``e``."""
    return store.store.get(["e"])


def add(store: FaultyStore) -> list[bool]:
    """Store the execution ``e``."""
    return store.face.add([execution()])


def test_without_a_fault_it_is_the_store_behind_it(store: FaultyStore) -> None:
    assert add(store) == [True]
    assert stored(store)
    assert store.calls == {"add": 1}
    assert not store.face.durable


def test_a_call_that_fails_before_is_not_done(store: FaultyStore) -> None:
    store.fail("add")
    with pytest.raises(StoreUnavailable, match="add was made to fail"):
        add(store)
    assert stored(store) == []


def test_a_call_that_fails_after_is_done_and_nobody_is_told(store: FaultyStore) -> None:
    store.fail("add", after=True)
    with pytest.raises(StoreUnavailable):
        add(store)
    assert stored(store)


def test_as_many_calls_fail_as_were_said_with_the_error_that_was_given(store: FaultyStore) -> None:
    store.fail("ping", times=2, error=OSError("the cable"))
    for _ in range(2):
        with pytest.raises(OSError, match="the cable"):
            store.face.ping()
    store.face.ping()
    assert store.calls["ping"] == 3


@pytest.mark.parametrize("after", [False, True])
def test_a_delay_passes_as_the_test_wants_it(after: bool, clock: ManualClock) -> None:
    done: list[timedelta] = []
    store = FaultyStore(
        MemoryStore(),
        sleep=lambda seconds: clock.advance(seconds=seconds),
        done=lambda verb: done.append(clock.now() - NOW),
    )
    store.delay("add", 5, after=after)
    assert add(store) == [True]
    assert clock.now() - NOW == timedelta(seconds=5)
    assert done == [timedelta(0) if after else timedelta(seconds=5)]


@pytest.mark.parametrize("after", [False, True])
def test_a_held_call_waits_until_it_is_released(after: bool, store: FaultyStore) -> None:
    hold = store.hold("add", after=after)
    caller = threading.Thread(target=add, args=[store])
    caller.start()
    assert hold.entered.wait(10)
    assert bool(stored(store)) is after
    hold.released.set()
    caller.join(10)
    assert stored(store)


def test_a_call_can_be_held_and_then_fail(store: FaultyStore) -> None:
    hold = store.hold("add", after=True)
    hold.released.set()
    store.fail("add", after=True)
    with pytest.raises(StoreUnavailable):
        add(store)
    assert hold.entered.is_set()


def test_a_store_that_is_down_refuses_everything_until_it_is_back(store: FaultyStore) -> None:
    store.break_down()
    with pytest.raises(StoreUnavailable, match="add: the store is down"):
        add(store)
    store.come_back()
    assert add(store) == [True]


def failures(store: FaultyStore, call: Callable[[], object], number: int = 1000) -> int:
    """How many of so many calls fail."""
    failed = 0
    for _ in range(number):
        try:
            call()
        except StoreUnavailable:
            failed += 1
    return failed


def test_chance_strikes_as_often_as_was_said_and_the_same_calls_for_the_same_seed() -> None:
    def run(seed: int) -> tuple[int, int]:
        made = MemoryStore()
        store = FaultyStore(made)
        store.at_random(random.Random(seed), before=0.1, after=0.2)
        failed = failures(store, lambda: store.face.add([execution(str(store.calls["add"]))]))
        return failed, len(made.get([str(number) for number in range(1001)]))

    failed, done = run(1)
    assert 240 < failed < 360
    assert 860 < done < 940  # all but those that failed before
    assert run(1) == (failed, done) != run(2)


def test_chance_spares_other_verbs_and_ends_with_a_calm(store: FaultyStore) -> None:
    store.at_random(random.Random(1), before=1.0, verbs={"add"})
    store.fail("ping", times=2000)
    assert failures(store, lambda: store.face.get([]), 10) == 0
    assert failures(store, lambda: add(store), 10) == 10
    store.calm()
    assert failures(store, lambda: add(store), 10) == 0
    assert failures(store, store.face.ping, 10) == 0


def test_chance_makes_calls_slow(clock: ManualClock) -> None:
    store = FaultyStore(MemoryStore(), sleep=lambda seconds: clock.advance(seconds=seconds))
    store.at_random(random.Random(1), delayed=1.0, seconds=2)
    assert add(store) == [True]
    assert clock.now() - NOW == timedelta(seconds=2)


@pytest.mark.parametrize(
    "ability", [Store, LockStore, SignalStore, TransactionalStore, MigratedStore]
)
@pytest.mark.parametrize("url", ["memory://", "sqlite:///{folder}/jobs.db"])
def test_it_can_do_what_the_store_behind_it_can(
    ability: type, url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = open_store(url.format(folder=tmp_path_factory.mktemp("store")))
    store = FaultyStore(real)
    if ability is Store:
        assert all(hasattr(store, name) for name in dir(Store) if name[0] != "_")
    else:
        assert isinstance(store, ability) is isinstance(real, ability)
    real.close()


def test_it_may_say_that_it_blocks() -> None:
    assert not FaultyStore(MemoryStore()).blocking
    assert FaultyStore(MemoryStore(), blocking=True).blocking


def test_a_verb_that_the_store_does_not_have_is_refused() -> None:
    store = FaultyStore(MemoryStore())
    for plan in (store.fail, store.hold, lambda verb: store.delay(verb, 1)):
        with pytest.raises(ValueError, match=r"verb='exchnge' is no call of this store; use .*add"):
            plan("exchnge")
    with pytest.raises(ValueError, match="verb='publish'"):
        store.at_random(random.Random(1), before=1, verbs=["add", "publish"])
