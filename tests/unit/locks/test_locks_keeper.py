"""How the keeper renews, and when it gives a lock up."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import redis

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.locks import DistributedTaskLock, Grant
from advanced_scheduler.locks.keeper import Keeper
from advanced_scheduler.locks.process import ProcessLocks
from tests.support.waiting import eventually

TASK = "report"
HOUR = 3600.0


def granted(locks: ProcessLocks, task_id: str = TASK, timeout: float = HOUR) -> Grant:
    fence = locks.acquire(task_id, f"token of {task_id}", timeout)
    assert fence
    return Grant(task_id, f"token of {task_id}", fence, timeout, locks.clock.monotonic())


class Counted(Keeper):
    """Counts how often it looks at all that it keeps."""

    rounds = 0

    def tend(self) -> float:
        pause = super().tend()
        self.rounds += 1
        return pause


@pytest.fixture
def locks(clock: ManualClock) -> ProcessLocks:
    return ProcessLocks(clock)


class Tended(Keeper):
    """Its own thread, which may come late on a busy machine, does nothing: the tests tend it."""

    def _run(self) -> None:
        pass


@pytest.fixture
def keeper(locks: ProcessLocks) -> Keeper:
    """Looks after its locks when it is told to."""
    return Tended(locks)


def test_a_hundred_renewals_never_add_up(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    lost: list[Grant] = []
    keeper.keep(granted(locks), lost.append)

    for _ in range(100):
        clock.advance(seconds=HOUR / 3)
        keeper.tend()
        eventually(lambda: locks.ttl(TASK) == HOUR, what="renewed to the timeout, no more")

    assert lost == []
    keeper.close()


def test_nothing_is_renewed_before_a_third_of_the_time_to_live(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    keeper.keep(granted(locks), lambda _: None)

    assert keeper.tend() == pytest.approx(HOUR / 3)
    clock.advance(seconds=600)
    assert keeper.tend() == pytest.approx(HOUR / 3 - 600)
    keeper.close()


def test_grants_of_one_length_come_to_share_a_round(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    keeper.keep(granted(locks, "first"), lambda _: None)
    clock.advance(seconds=60)
    keeper.keep(granted(locks, "second"), lambda _: None)

    clock.advance(seconds=HOUR / 3 - 60)
    keeper.tend()

    eventually(lambda: locks.ttl("first") == locks.ttl("second") == HOUR, what="both are renewed")
    keeper.close()


def test_a_shorter_lock_that_comes_later_is_renewed_in_its_own_time(
    locks: ProcessLocks, clock: ManualClock
) -> None:
    keeper = Keeper(locks)
    keeper.keep(granted(locks, "long"), lambda _: None)
    assert keeper.tend() == pytest.approx(HOUR / 3)

    keeper.keep(granted(locks, "short", timeout=0.3), lambda _: None)
    clock.advance(seconds=0.2)

    eventually(lambda: locks.ttl("short") == pytest.approx(0.3), what="its thread wakes up")
    keeper.close()


def test_its_thread_sleeps_on_however_many_locks_come_and_go(
    locks: ProcessLocks, clock: ManualClock
) -> None:
    keeper = Counted(locks)
    keeper.keep(granted(locks), lambda _: None)
    eventually(lambda: keeper.rounds == 1, what="it knows until when to sleep")

    for number in range(100):
        grant = granted(locks, f"task {number}")
        keeper.keep(grant, lambda _: None)
        assert keeper.drop(grant)
    keeper.keep(granted(locks, "short", timeout=0.3), lambda _: None)

    clock.advance(seconds=0.2)
    eventually(lambda: locks.ttl("short") == pytest.approx(0.3), what="its thread wakes up")
    assert keeper.rounds <= 3
    keeper.close()


def test_the_owner_is_told_once_when_the_time_has_run_out(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    lost: list[Grant] = []
    grant = granted(locks)
    keeper.keep(grant, lost.append)

    clock.advance(seconds=HOUR)
    keeper.tend()
    keeper.tend()

    assert lost == [grant]
    assert keeper.drop(grant) is False


def test_the_owner_is_told_at_the_next_renewal_when_the_lock_is_not_ours(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    lost: list[Grant] = []
    grant = granted(locks)
    keeper.keep(grant, lost.append)
    locks.release(TASK, None)

    clock.advance(seconds=HOUR / 3)
    keeper.tend()

    eventually(lambda: lost == [grant], what="told long before the hour is over")


def test_a_dropped_grant_is_neither_renewed_nor_told(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock
) -> None:
    lost: list[Grant] = []
    grant = granted(locks)
    keeper.keep(grant, lost.append)

    assert keeper.drop(grant) is True
    clock.advance(seconds=HOUR)
    keeper.tend()

    assert lost == []
    assert locks.ttl(TASK) is None


def test_an_owner_that_fails_does_not_keep_the_news_from_others(
    locks: ProcessLocks, keeper: Keeper, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[Grant] = []

    def fail(grant: Grant) -> None:
        raise RuntimeError(f"not now, {grant.task_id}")

    keeper.keep(granted(locks, "first"), fail)
    keeper.keep(granted(locks, "second"), lost.append)
    clock.advance(seconds=HOUR)

    with caplog.at_level(logging.ERROR):
        keeper.tend()

    assert [grant.task_id for grant in lost] == ["second"]
    assert "not now, first" in caplog.text


def test_a_kept_lock_outlives_its_time_to_live(redis_client: redis.Redis) -> None:
    lock = DistributedTaskLock(redis_client)
    lost: list[Grant] = []
    grant = lock.try_acquire(TASK, timeout=2)
    assert grant
    ttls = [2.0]

    def renewed_four_times() -> bool:
        ttls.append(lock.get_lock_ttl(TASK) or 0.0)
        return sum(later > earlier for earlier, later in pairwise(ttls)) >= 4

    lock.keep(grant, lost.append)
    eventually(renewed_four_times, what="four renewals")

    assert min(ttls) > 0
    assert max(ttls) <= 2
    assert lost == []
    assert lock.let_go(grant) is True
