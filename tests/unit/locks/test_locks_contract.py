"""What a lock does, wherever it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import LockUnavailable, StoreUnavailable
from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.locks import DistributedTaskLock
from advanced_scheduler.stores.sql import SqlStore
from tests.support.stores import opened
from tests.support.waiting import eventually

TASK = "report"
SHORT = 0.05
"""Seconds that Redis, whose clock is not ours, can be waited for."""


@dataclass
class Place:
    """Somewhere that locks live, and ways in for several nodes."""

    open_node: Callable[[], DistributedTaskLock]
    clock: ManualClock
    nodes: list[DistributedTaskLock] = field(default_factory=list)

    def node(self) -> DistributedTaskLock:
        self.nodes.append(self.open_node())
        return self.nodes[-1]

    def let_run_out(self, task_id: str) -> None:
        self.clock.advance(seconds=SHORT)
        eventually(lambda: not self.nodes[0].is_locked(task_id), what="the lock runs out")


class Stammering(SqlStore):
    """A store that does what it is told and then, once, fails to say so."""

    mute = True

    def exchange_locks(
        self,
        given: Sequence[tuple[str, str]],
        wanted: Sequence[tuple[str, str, datetime]],
        now: datetime,
    ) -> tuple[list[bool], list[int | None]]:
        answers = super().exchange_locks(given, wanted, now)
        if self.mute:
            self.mute = False
            raise StoreUnavailable("the commit went unanswered")
        return answers


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LockStore]:
    with opened(SqlStore(f"sqlite:///{tmp_path}/locks.db")) as store:
        yield store


@pytest.fixture(params=["process", "redis", "store"])
def place(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Place]:
    if request.param == "process":
        only = DistributedTaskLock(clock=clock)
        place = Place(lambda: only, clock)
    elif request.param == "redis":
        client = request.getfixturevalue("redis_client")
        place = Place(lambda: DistributedTaskLock(client), clock)
    else:
        store = request.getfixturevalue("store")
        place = Place(lambda: DistributedTaskLock(store=store, clock=clock), clock)
    yield place
    for node in place.nodes:
        node.close()


@pytest.fixture
def lock(place: Place) -> DistributedTaskLock:
    return place.node()


def test_one_holder_at_a_time(place: Place, lock: DistributedTaskLock) -> None:
    rival = place.node()

    held = lock.acquire(TASK)

    assert held
    assert rival.acquire(TASK, max_wait=0) is None
    assert lock.release(TASK, held) is True
    assert rival.acquire(TASK, max_wait=0) is not None


def test_a_lock_is_not_reentrant(lock: DistributedTaskLock) -> None:
    assert lock.try_acquire(TASK)
    assert lock.try_acquire(TASK) is None


def test_different_tasks_do_not_share_a_lock(lock: DistributedTaskLock) -> None:
    assert lock.try_acquire("a")
    assert lock.try_acquire("b")
    assert lock.try_acquire("a}b")


def test_every_acquisition_has_a_lock_id_of_its_own(lock: DistributedTaskLock) -> None:
    first = lock.acquire(TASK)
    assert first
    lock.release(TASK, first)

    assert lock.acquire(TASK) != first


def test_a_lock_runs_out_when_nobody_renews_it(place: Place, lock: DistributedTaskLock) -> None:
    lock.acquire(TASK, timeout=SHORT)

    place.let_run_out(TASK)

    assert place.node().acquire(TASK, max_wait=0)


def test_a_late_release_leaves_the_lock_of_the_successor(
    place: Place, lock: DistributedTaskLock
) -> None:
    late = lock.acquire(TASK, timeout=SHORT)
    assert late
    place.let_run_out(TASK)
    successor = place.node().acquire(TASK)
    assert successor

    assert lock.release(TASK, late) is False
    assert lock.extend(TASK, late) is False
    assert lock.is_locked(TASK)
    assert lock.release(TASK, successor) is True


def test_a_second_release_changes_nothing(lock: DistributedTaskLock) -> None:
    held = lock.acquire(TASK)
    assert held

    assert lock.release(TASK, held) is True
    assert lock.release(TASK, held) is False


def test_the_time_to_live_is_that_of_the_timeout(lock: DistributedTaskLock) -> None:
    assert lock.get_lock_ttl(TASK) is None
    assert not lock.is_locked(TASK)

    held = lock.acquire(TASK, timeout=20)
    ttl = lock.get_lock_ttl(TASK)

    assert held
    assert lock.is_locked(TASK)
    assert ttl is not None
    assert 10 < ttl <= 20
    lock.release(TASK, held)
    assert lock.get_lock_ttl(TASK) is None


def test_a_hundred_extensions_never_add_up(lock: DistributedTaskLock) -> None:
    held = lock.acquire(TASK, timeout=20)
    assert held

    for _ in range(100):
        assert lock.extend(TASK, held, timeout=20) is True
        ttl = lock.get_lock_ttl(TASK)
        assert ttl is not None
        assert 0 < ttl <= 20


def test_an_extension_may_shorten_the_time_to_live(lock: DistributedTaskLock) -> None:
    held = lock.acquire(TASK, timeout=300)
    assert held

    lock.extend(TASK, held, timeout=5)

    ttl = lock.get_lock_ttl(TASK)
    assert ttl is not None
    assert ttl <= 5


def test_a_lock_that_ran_out_cannot_be_extended(place: Place, lock: DistributedTaskLock) -> None:
    held = lock.acquire(TASK, timeout=SHORT)
    assert held
    place.let_run_out(TASK)

    assert lock.extend(TASK, held) is False
    assert not lock.is_locked(TASK)


def test_the_fence_grows_with_every_grant_and_survives_release(
    place: Place, lock: DistributedTaskLock
) -> None:
    assert lock.fence(TASK) == 0
    nodes = [lock, place.node(), place.node()]
    fences = []
    for turn in range(9):
        grant = nodes[turn % 3].try_acquire(TASK)
        assert grant
        assert lock.fence(TASK) == grant.fence
        fences.append(grant.fence)
        nodes[turn % 3].release(TASK, grant.lock_id)

    assert fences == sorted(set(fences))
    assert lock.fence(TASK) == fences[-1]


def test_a_refused_attempt_leaves_the_fence(lock: DistributedTaskLock) -> None:
    grant = lock.try_acquire(TASK)
    assert grant

    assert lock.try_acquire(TASK) is None

    assert lock.fence(TASK) == grant.fence


def test_force_release_frees_the_lock_of_anybody(place: Place, lock: DistributedTaskLock) -> None:
    held = lock.try_acquire(TASK)
    assert held

    assert place.node().force_release(TASK) is True
    assert place.node().force_release(TASK) is False

    assert lock.release(TASK, held.lock_id) is False
    successor = lock.try_acquire(TASK)
    assert successor
    assert successor.fence > held.fence


def test_a_kept_lock_is_told_of_its_loss_once(place: Place, lock: DistributedTaskLock) -> None:
    lost: list[str] = []
    grant = lock.try_acquire(TASK, timeout=0.3)
    assert grant

    def told() -> bool:
        place.clock.advance(seconds=0.01)
        return bool(lost)

    lock.keep(grant, lambda gone: lost.append(gone.lock_id))
    place.node().force_release(TASK)
    rival = place.node().try_acquire(TASK)

    assert rival
    eventually(told, what="the holder is told")
    assert lock.let_go(grant) is False
    assert lost == [grant.lock_id]
    assert lock.release(TASK, rival.lock_id) is True


def test_letting_go_frees_a_lock_that_was_kept(lock: DistributedTaskLock) -> None:
    grant = lock.try_acquire(TASK)
    assert grant
    lock.keep(grant, lambda _: None)

    assert lock.let_go(grant) is True
    assert not lock.is_locked(TASK)
    assert lock.let_go(grant) is False


def test_threads_that_contend_are_never_inside_together(place: Place) -> None:
    nodes = [place.node() for _ in range(8)]
    inside: list[int] = []
    overlaps: list[list[int]] = []
    done: list[int] = []

    def work(number: int, node: DistributedTaskLock) -> None:
        for _ in range(5):
            held = node.acquire(TASK, retry_delay=0.01, max_wait=60)
            assert held
            inside.append(number)
            if len(inside) > 1:
                overlaps.append(inside[:])
            inside.remove(number)
            assert node.release(TASK, held)
        done.append(number)

    threads = [
        threading.Thread(target=work, args=(number, node)) for number, node in enumerate(nodes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert overlaps == []
    assert sorted(done) == list(range(8))


def test_acquire_waits_for_the_holder(place: Place, lock: DistributedTaskLock) -> None:
    held = lock.acquire(TASK)
    assert held
    got: list[str | None] = []
    waiter = place.node()
    thread = threading.Thread(target=lambda: got.append(waiter.acquire(TASK, retry_delay=0.01)))
    thread.start()

    lock.release(TASK, held)
    thread.join()

    assert got[0] not in (None, held)


def test_acquire_gives_up_after_max_wait(lock: DistributedTaskLock) -> None:
    lock.acquire(TASK)

    assert lock.acquire(TASK, retry_delay=0.01, max_wait=0.03) is None


def test_a_grant_that_a_store_did_not_confirm_lives_from_the_second_attempt_on(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = Stammering(f"sqlite:///{tmp_path}/locks.db")
    store.open()
    lock = DistributedTaskLock(store=store, clock=clock)
    with pytest.raises(LockUnavailable, match="unanswered"):
        lock.try_acquire(TASK, timeout=100)
    clock.advance(seconds=90)

    grant = lock.try_acquire(TASK, timeout=100)

    assert grant
    assert lock.get_lock_ttl(TASK) == 100
    lock.close()
    store.close()


def test_it_answers_a_ping_and_works_after_close(lock: DistributedTaskLock) -> None:
    lock.ping()
    lock.close()

    assert lock.acquire(TASK)


def test_it_says_where_it_lives(lock: DistributedTaskLock, request: pytest.FixtureRequest) -> None:
    assert lock.kind in request.node.name
