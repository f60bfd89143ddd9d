"""Locks on stores that several processes share: one holder, and a fence for every grant."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
import sqlalchemy as sa

from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.sql import SqlStore
from tests.support.stores import BACKENDS, NewUrl, opened

from .rows import DAY, MINUTE, NOW, SECOND

WITH_LOCKS: Final = [name for name in BACKENDS if name not in {"memory", "redis"}]


@pytest.fixture(params=WITH_LOCKS)
def locks(request: pytest.FixtureRequest, new_url: NewUrl) -> Iterator[LockStore]:
    """An open, empty store that serves as lock service."""
    with opened(open_store(new_url(request.param), auto_migrate=True)) as store:
        assert isinstance(store, LockStore)
        yield store


def test_a_lock_has_one_holder_until_it_runs_out(locks: LockStore) -> None:
    assert locks.acquire_lock("k", "a", NOW, NOW + MINUTE) == 1
    assert locks.acquire_lock("k", "b", NOW + 59 * SECOND, NOW + DAY) is None
    assert locks.lock_until("k", NOW) == NOW + MINUTE
    assert locks.lock_until("k", NOW + MINUTE) is None
    assert locks.acquire_lock("k", "b", NOW + MINUTE, NOW + DAY) == 2


def test_keys_do_not_touch_each_other(locks: LockStore) -> None:
    locks.acquire_lock("k", "a", NOW, NOW + MINUTE)
    assert locks.acquire_lock("other", "b", NOW, NOW + MINUTE) == 1
    assert locks.release_lock("other", "b", NOW)
    assert locks.lock_until("k", NOW) == NOW + MINUTE


def test_the_fence_survives_the_release(locks: LockStore) -> None:
    assert locks.lock_fence("k") == 0
    for fence in (1, 2, 3):
        assert locks.acquire_lock("k", "a", NOW, NOW + MINUTE) == fence
        assert locks.release_lock("k", "a", NOW)
        assert locks.lock_fence("k") == fence


def test_asking_again_for_what_one_holds_is_not_a_new_grant(locks: LockStore) -> None:
    locks.acquire_lock("k", "a", NOW, NOW + MINUTE)
    assert locks.acquire_lock("k", "a", NOW, NOW + MINUTE) == 1
    assert locks.lock_until("k", NOW) == NOW + MINUTE


def test_extending_replaces_the_end(locks: LockStore) -> None:
    locks.acquire_lock("k", "a", NOW, NOW + MINUTE)
    assert locks.extend_lock("k", "a", NOW + 50 * SECOND, NOW + 2 * MINUTE)
    assert locks.lock_until("k", NOW) == NOW + 2 * MINUTE
    assert locks.extend_lock("k", "a", NOW, NOW + SECOND)
    assert locks.lock_until("k", NOW) == NOW + SECOND


def test_what_was_lost_is_neither_extended_nor_released(locks: LockStore) -> None:
    locks.acquire_lock("k", "a", NOW, NOW + MINUTE)
    late = NOW + MINUTE
    assert not locks.extend_lock("k", "a", late, late + MINUTE)
    assert not locks.release_lock("k", "a", late)
    locks.acquire_lock("k", "b", late, late + MINUTE)
    assert not locks.extend_lock("k", "a", late, late + DAY)
    assert not locks.release_lock("k", "a", late)
    assert locks.lock_until("k", late) == late + MINUTE


def test_a_lock_that_nobody_holds_is_neither_extended_nor_released(locks: LockStore) -> None:
    assert not locks.extend_lock("k", "a", NOW, NOW + MINUTE)
    assert not locks.release_lock("k", "a", NOW)
    assert not locks.release_lock("k", None, NOW)
    assert locks.lock_until("k", NOW) is None


def test_a_release_without_a_token_frees_whoever_holds_it(locks: LockStore) -> None:
    locks.acquire_lock("k", "a", NOW, NOW + MINUTE)
    assert locks.release_lock("k", None, NOW)
    assert not locks.extend_lock("k", "a", NOW, NOW + MINUTE)
    assert locks.acquire_lock("k", "b", NOW, NOW + MINUTE) == 2


def test_eight_threads_get_different_fences(locks: LockStore) -> None:
    def work(node: int) -> list[int]:
        fences: list[int] = []
        while len(fences) < 5:
            fence = locks.acquire_lock("k", f"{node}", NOW, NOW + MINUTE)
            if fence is not None:
                fences.append(fence)
                assert locks.release_lock("k", f"{node}", NOW)
        return fences

    with ThreadPoolExecutor(8) as pool:
        fences = [fence for part in pool.map(work, range(8)) for fence in part]
    assert sorted(fences) == list(range(1, 41))


def test_an_exchange_answers_to_each_what_its_verb_would(locks: LockStore) -> None:
    until = NOW + MINUTE
    for key in ("held", "lost"):
        assert locks.acquire_lock(key, "a", NOW, until) == 1
    locks.release_lock("lost", "a", NOW)
    given = [("held", "a"), ("lost", "a"), ("never", "a"), ("held", "a")]
    wanted = [("held", "b", until), ("held", "c", until), ("new", "b", until), ("new", "b", until)]
    freed, fences = locks.exchange_locks(given, wanted, NOW)
    assert list(freed) == [True, False, False, False]
    assert list(fences) == [2, None, 1, 1]
    assert not locks.release_lock("held", "c", NOW)
    assert locks.release_lock("held", "b", NOW)
    assert locks.lock_until("new", NOW) == until
    assert locks.lock_fence("never") == 0


def test_an_exchange_of_nothing_is_nothing(locks: LockStore) -> None:
    assert locks.exchange_locks([], [], NOW) == ([], [])


def test_fifty_locks_are_one_transaction(locks: LockStore) -> None:
    assert isinstance(locks, SqlStore)
    begun: list[str] = []

    @sa.event.listens_for(locks._engine, "before_cursor_execute")
    def note(*call: Any) -> None:
        begun.extend([call[2]] if call[2].startswith("BEGIN") else [])

    keys = [f"k{n}" for n in range(50)]
    wanted = [(key, "a", NOW + MINUTE) for key in keys]
    assert list(locks.exchange_locks([], wanted, NOW)[1]) == [1] * 50
    assert list(locks.exchange_locks([(key, "a") for key in keys], wanted, NOW)[1]) == [2] * 50
    assert len(begun) == 2


def test_exchanges_that_meet_in_opposite_order_both_come_through(locks: LockStore) -> None:
    keys = [f"k{n:02}" for n in range(40)]

    def work(node: str, order: list[str]) -> list[str]:
        ours: list[str] = []
        for _ in range(5):
            wanted = [(key, node, NOW + MINUTE) for key in order]
            given = [(key, node) for key in ours]
            _, fences = locks.exchange_locks(given, wanted, NOW)
            ours = [key for key, fence in zip(order, fences, strict=True) if fence is not None]
        return ours

    with ThreadPoolExecutor(2) as pool:
        there, back = pool.submit(work, "a", keys), pool.submit(work, "b", keys[::-1])
        assert sorted(there.result() + back.result()) == keys
