"""What a lock does while its Redis hangs, is cut off, or has died."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock, Grant
from tests.support.servers import RedisServer
from tests.support.waiting import eventually
from tests.unit.locks.faults import Line, Relay, connected

TASK = "report"

COMMANDS: dict[str, Callable[[DistributedTaskLock], object]] = {
    "try_acquire": lambda lock: lock.try_acquire(TASK),
    "acquire": lambda lock: lock.acquire(TASK, max_wait=0),
    "release": lambda lock: lock.release(TASK, "id"),
    "extend": lambda lock: lock.extend(TASK, "id"),
    "is_locked": lambda lock: lock.is_locked(TASK),
    "get_lock_ttl": lambda lock: lock.get_lock_ttl(TASK),
    "fence": lambda lock: lock.fence(TASK),
    "force_release": lambda lock: lock.force_release(TASK),
    "ping": lambda lock: lock.ping(),
}


@pytest.fixture
def lock(relay: Relay) -> Iterator[DistributedTaskLock]:
    """A lock whose line can go bad, connected while it was good."""
    lock = connected(DistributedTaskLock(relay.url, command_deadline=0.2))
    yield lock
    lock.close()


@pytest.fixture
def rival(private_redis: RedisServer) -> DistributedTaskLock:
    """A node whose line stays good."""
    return DistributedTaskLock(private_redis.url)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_outwaits_a_server_that_hangs(name: str, private_redis: RedisServer) -> None:
    lock = connected(DistributedTaskLock(private_redis.url, command_deadline=0.2))
    private_redis.pause()

    with pytest.raises(LockUnavailable):
        COMMANDS[name](lock)


def test_a_hanging_server_does_not_pile_up_threads(private_redis: RedisServer) -> None:
    lock = DistributedTaskLock(private_redis.url, command_deadline=0.2)
    private_redis.pause()
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(LockUnavailable):
            lock.ping()
    started = set(threading.enumerate()) - before

    assert "lock-command" in {thread.name for thread in started}
    eventually(
        lambda: not any(thread.is_alive() for thread in started),
        what="the threads of the commands end",
    )


@pytest.mark.parametrize("line", ["loses requests", "loses answers", "drips"])
def test_no_command_outwaits_a_bad_line(
    line: Line, lock: DistributedTaskLock, relay: Relay
) -> None:
    relay.line = line

    with pytest.raises(LockUnavailable, match=r"0\.2 s|Timeout"):
        lock.ping()


def test_a_server_that_is_down_is_unavailable(private_redis: RedisServer) -> None:
    lock = DistributedTaskLock(private_redis.url)
    private_redis.kill()

    with pytest.raises(LockUnavailable):
        lock.try_acquire(TASK)


def test_acquire_waits_through_an_outage(private_redis: RedisServer) -> None:
    lock = DistributedTaskLock(private_redis.url, command_deadline=0.2)
    private_redis.kill()
    with pytest.raises(LockUnavailable):
        lock.acquire(TASK, retry_delay=0.01, max_wait=0.05)

    private_redis.start()

    assert connected(lock).acquire(TASK)


def test_a_restart_that_forgets_the_scripts_goes_unnoticed(private_redis: RedisServer) -> None:
    lock = DistributedTaskLock(private_redis.url)
    held = lock.acquire(TASK)
    assert held
    private_redis.kill()
    private_redis.start()

    assert lock.extend(TASK, held) is True
    assert lock.release(TASK, held) is True


def test_fences_grow_over_a_restart_that_lost_everything(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    nodes = [DistributedTaskLock(server.url) for _ in range(3)]
    fences: list[int] = []
    try:
        for turn in range(500):
            if turn == 250:
                server.kill()
                server.start()
                assert nodes[0].fence(TASK) == 0, "the server was to forget the counter"
            grant = nodes[turn % 3].try_acquire(TASK)
            assert grant
            fences.append(grant.fence)
            assert nodes[turn % 3].release(TASK, grant.lock_id)
    finally:
        server.kill()

    assert fences == sorted(set(fences))
    assert len(fences) == 500


def answered(lock: DistributedTaskLock) -> Grant | None:
    """The grant, unless the machine is too busy to answer within so short a deadline."""
    with suppress(LockUnavailable):
        return lock.try_acquire(TASK)
    return None


def test_an_unanswered_attempt_that_was_granted_is_ours_at_the_next(
    lock: DistributedTaskLock, rival: DistributedTaskLock, relay: Relay
) -> None:
    relay.line = "loses answers"
    with pytest.raises(LockUnavailable):
        lock.try_acquire(TASK)
    relay.line = "good"
    assert rival.try_acquire(TASK) is None, "the attempt was to be granted"

    grant = eventually(partial(answered, lock), what="an answer within the deadline")

    assert grant
    assert rival.fence(TASK) == grant.fence
    assert lock.release(TASK, grant.lock_id) is True


def test_an_unanswered_attempt_that_nobody_repeats_is_released(
    lock: DistributedTaskLock, rival: DistributedTaskLock, relay: Relay
) -> None:
    relay.line = "loses answers"
    with pytest.raises(LockUnavailable):
        lock.try_acquire(TASK, timeout=300)
    assert rival.is_locked(TASK)

    relay.line = "good"

    eventually(lambda: rival.try_acquire(TASK), what="the lock is free")


def test_an_unanswered_release_is_repeated(
    lock: DistributedTaskLock, rival: DistributedTaskLock, relay: Relay
) -> None:
    held = lock.acquire(TASK)
    assert held
    relay.line = "loses requests"
    with pytest.raises(LockUnavailable):
        lock.release(TASK, held)
    assert rival.is_locked(TASK)

    relay.line = "good"

    eventually(lambda: rival.try_acquire(TASK), what="the lock is free")


def test_the_holder_is_told_while_its_renewal_still_hangs(private_redis: RedisServer) -> None:
    lock = DistributedTaskLock(private_redis.url, command_deadline=60)
    lost: list[Grant] = []
    grants = [lock.try_acquire(f"task {n}", timeout=1) for n in range(3)]
    private_redis.pause()
    for grant in grants:
        assert grant
        lock.keep(grant, lost.append)

    eventually(lambda: len(lost) == 3, what="all holders are told")

    assert sorted(gone.task_id for gone in lost) == ["task 0", "task 1", "task 2"]
    private_redis.resume()
    for grant in grants:
        assert grant
        assert lock.let_go(grant) is False
    assert len(lost) == 3


def test_work_counts_that_ends_in_an_outage_while_its_lock_lives(
    lock: DistributedTaskLock, rival: DistributedTaskLock, relay: Relay
) -> None:
    lost: list[Grant] = []
    grant = lock.try_acquire(TASK, timeout=30)
    assert grant
    lock.keep(grant, lost.append)
    relay.line = "loses requests"

    assert lock.let_go(grant) is True

    assert rival.is_locked(TASK)
    relay.line = "good"
    eventually(lambda: rival.try_acquire(TASK), what="the release is repeated")


def test_work_does_not_count_that_ends_in_an_outage_after_its_lock(
    lock: DistributedTaskLock, relay: Relay
) -> None:
    lost: list[Grant] = []
    grant = lock.try_acquire(TASK, timeout=0.3)
    assert grant
    relay.line = "loses requests"
    lock.keep(grant, lost.append)
    eventually(lambda: lost, what="the lock runs out")

    assert lock.let_go(grant) is False


def test_a_short_outage_costs_no_lock(
    lock: DistributedTaskLock, rival: DistributedTaskLock, relay: Relay
) -> None:
    lost: list[Grant] = []
    grant = lock.try_acquire(TASK, timeout=3)
    assert grant
    relay.line = "loses requests"
    lock.keep(grant, lost.append)
    eventually(lambda: _ttl(rival) < 1.9, what="a renewal is missed")

    relay.line = "good"

    eventually(lambda: _ttl(rival) > 2.5, what="the next one succeeds")
    assert lost == []
    assert lock.let_go(grant) is True


def _ttl(lock: DistributedTaskLock) -> float:
    return lock.get_lock_ttl(TASK) or 0.0
