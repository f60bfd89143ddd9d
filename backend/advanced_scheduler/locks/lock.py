"""The lock that a task holds while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import uuid4

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, LockUnavailable
from ..forks import free_in_child
from ..lock_store import LockStore
from .base import (
    Answers,
    Backend,
    Exchanged,
    Grant,
    Holding,
    Kind,
    RedisClient,
    Wish,
)
from .keeper import Keeper
from .process import ProcessLocks
from .store import StoreLocks
from .unsettled import Unsettled

T = TypeVar("T")

_LONGEST_SECONDS = 10 * 365 * 86400


class DistributedTaskLock:
    """One lock per task id, held by one token at a time, for ``timeout`` seconds unless renewed.

    ``redis_client``: a ``redis.Redis`` or a URL; only its address and credentials are used, on
    connections of our own that give up after ``command_deadline`` seconds. ``store``: the same
    lock in a store. Neither: in this process. Whether a lock held elsewhere has run out is
    decided by Redis's clock, or else by ``clock``.

    Every method raises ``LockUnavailable`` if there was no answer, ``ValueError`` for a task id
    that is not a text, or a duration that is not above 0. All are thread-safe; all durations
    are seconds.
    """

    def __init__(
        self,
        redis_client: RedisClient | str | None = None,
        *,
        store: LockStore | None = None,
        clock: Clock | None = None,
        command_deadline: float = 3.0,
        prefix: str = "advanced_scheduler:",
    ) -> None:
        deadline = _duration("command_deadline", command_deadline)
        self._backend = _backend(redis_client, store, clock or SystemClock(), deadline, prefix)
        self._keeper = Keeper(self._backend)
        self._unsettled = Unsettled(self._backend)
        self._freed = free_in_child(threading.Condition())

    @property
    def kind(self) -> Kind:
        """Where the locks live."""
        return self._backend.kind

    def acquire(
        self,
        task_id: str,
        timeout: float = 300,
        retry_delay: float = 0.5,
        max_wait: float = 30,
    ) -> str | None:
        """The lock id, or None if the lock was busy for ``max_wait`` (0: try once).

        Tries again every ``retry_delay``, and at once when this object releases a lock. While
        there is no answer it waits as well, and raises ``LockUnavailable`` in the end.
        """
        _duration("retry_delay", retry_delay)
        if not max_wait >= 0:
            raise ValueError(f"max_wait={max_wait!r} must be 0 (try once) or more seconds")
        time = SystemClock()  # the caller waits in real time, whatever clock the locks go by
        end = time.monotonic() + max_wait
        while True:
            outage: LockUnavailable | None = None
            try:
                grant = self.try_acquire(task_id, timeout)
            except LockUnavailable as error:
                grant, outage = None, error
            if grant is not None:
                return grant.lock_id
            left = end - time.monotonic()
            if left <= 0:
                if outage is not None:
                    raise outage
                return None
            with self._freed:
                self._freed.wait(min(retry_delay, left))

    def try_acquire(self, task_id: str, timeout: float = 300) -> Grant | None:
        """One attempt; None if another holds the lock.

        An attempt without an answer may have been granted. Its token is remembered: the next
        attempt for the task here uses it again, or it is released when the server answers.
        """
        (grant,) = self.exchange([], [(task_id, timeout)]).grants
        return _answered(grant)

    def exchange(self, given: Sequence[Grant], wanted: Sequence[tuple[str, float]]) -> Exchanged:
        """``let_go`` of the given, ``try_acquire`` of the wanted (task id, timeout), as one step.

        On Redis that is one round trip. A failure is the answer of those that it is about.
        """
        for task_id, timeout in wanted:
            _check(task_id)
            _duration("timeout", timeout)
        kept = [self._keeper.drop(grant) for grant in given]
        adopted = [self._unsettled.adopt(task_id) for task_id, _ in wanted]
        wishes = [
            Wish(task_id, token or uuid4().hex, timeout)
            for token, (task_id, timeout) in zip(adopted, wanted, strict=True)
        ]
        sent = self._backend.clock.monotonic()
        answers, outage = self._ask([Holding(one.task_id, one.lock_id) for one in given], wishes)
        return Exchanged(
            # Without an answer the last renewal decides.
            [ours and freed is not False for ours, freed in zip(kept, answers.freed, strict=True)],
            [
                self._granted(wish, fence, sent, again=token is not None)
                for wish, fence, token in zip(wishes, answers.fences, adopted, strict=True)
            ],
            outage,
        )

    def _granted(
        self, wish: Wish, fence: int | LockUnavailable | None, sent: float, *, again: bool
    ) -> Grant | LockUnavailable | None:
        if fence is None or isinstance(fence, LockUnavailable):
            return fence
        try:
            if again and not self.extend(*wish):
                return None  # the first grant has just run out
        except LockUnavailable as error:
            self._unsettled.remember(wish.task_id, wish.token, adoptable=True)
            return error
        return Grant(wish.task_id, wish.token, fence, wish.timeout, sent)

    def keep(self, grant: Grant, on_lost: Callable[[Grant], None]) -> None:
        """Renew the grant every third of its timeout, until ``let_go``.

        If the lock turns out to be another's, or no renewal was answered before it ran out,
        ``on_lost(grant)`` is called, once, from a thread of ours.
        """
        self._keeper.keep(grant, on_lost)

    def let_go(self, grant: Grant) -> bool:
        """Stop renewing and release; False if the lock was not kept to the end.

        If there is no answer the last renewal decides: until that runs out nobody else gets
        the lock, so the work under it counts.
        """
        return self.exchange([grant], []).kept[0]

    def let_go_later(self, grant: Grant) -> bool:
        """``let_go`` without asking now, while nobody answers: the background releases it."""
        kept = self._keeper.drop(grant)
        self._unsettled.remember(grant.task_id, grant.lock_id, adoptable=False)
        return kept

    def abandon(self, grant: Grant) -> None:
        """Stop renewing without a release: the lock runs out, or ``abandoned_ended`` frees it.

        For work that was given up, goes on, and may never tell that it has ended.
        """
        self._keeper.leave(grant)

    def abandoned_ended(self, grant: Grant) -> None:
        """Work that was given up is over: the background releases the lock, if it is still ours.

        Never waits, from whatever thread; may come before ``abandon``, which then does nothing.
        """
        if self._keeper.drop(grant):
            self._unsettled.remember(grant.task_id, grant.lock_id, adoptable=False)

    def release(self, task_id: str, lock_id: str) -> bool:
        """Free the lock if it is still this acquisition's.

        A release without an answer is repeated in the background.
        """
        _check(task_id, lock_id)
        answers, _ = self._ask([Holding(task_id, lock_id)], [])
        return _answered(answers.freed[0])

    def force_release(self, task_id: str) -> bool:
        """Free the lock whoever holds it; a holder learns it at its next renewal.

        The holder may still be running: its fence is smaller than that of the next grant.
        """
        _check(task_id)
        freed = self._backend.free(task_id)
        self._wake()
        return freed

    def extend(self, task_id: str, lock_id: str, timeout: float = 300) -> bool:
        """Let the lock live ``timeout`` from now (not added to what is left), if it is ours."""
        _check(task_id, lock_id)
        _duration("timeout", timeout)
        (extended,) = self._backend.extend([Wish(task_id, lock_id, timeout)])
        if extended is None:
            raise LockUnavailable(f"the lock server could not extend the lock of {task_id!r}")
        return extended

    def is_locked(self, task_id: str) -> bool:
        """Whether anybody holds the lock."""
        return self.get_lock_ttl(task_id) is not None

    def get_lock_ttl(self, task_id: str) -> float | None:
        """How long the lock will live unless renewed; None if it is free."""
        _check(task_id)
        return self._backend.ttl(task_id)

    def fence(self, task_id: str) -> int:
        """The fence of the last grant, also when it was released since; 0 if there was none."""
        _check(task_id)
        return self._backend.fence(task_id)

    def ping(self) -> None:
        """Raise ``LockUnavailable`` if the place where the locks live does not answer."""
        self._backend.ping()

    def close(self) -> None:
        """Stop renewing, forget what is unsettled, disconnect; held locks run out.

        The object can be used again.
        """
        self._keeper.close()
        self._unsettled.close()
        self._backend.close()

    def _ask(
        self, given: Sequence[Holding], wanted: Sequence[Wish]
    ) -> tuple[Answers, LockUnavailable | None]:
        """Remembers whatever went unanswered; the outage, if that was all."""
        outage: LockUnavailable | None = None
        try:
            answers = self._backend.exchange(given, wanted)
        except LockUnavailable as error:
            outage = error
            answers = Answers([_copy(error) for _ in given], [_copy(error) for _ in wanted])
        for holding, freed in zip(given, answers.freed, strict=True):
            if isinstance(freed, LockUnavailable):
                self._unsettled.remember(*holding, adoptable=False)
        for wish, fence in zip(wanted, answers.fences, strict=True):
            if isinstance(fence, LockUnavailable):
                self._unsettled.remember(wish.task_id, wish.token, adoptable=True)
        if given:
            self._wake()
        return answers, outage

    def _wake(self) -> None:
        with self._freed:
            self._freed.notify_all()


def _backend(
    client: RedisClient | str | None,
    store: LockStore | None,
    clock: Clock,
    deadline: float,
    prefix: str,
) -> Backend:
    if client is not None and store is not None:
        raise ConfigurationError("redis_client and store are both given; locks live in one place")
    if store is not None:
        return StoreLocks(store, clock)
    if client is None:
        return ProcessLocks(clock)
    try:
        from .redis import RedisLocks
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "locks on Redis need its client: pip install 'advanced-scheduler[redis]'"
        ) from error
    return RedisLocks(client, prefix=prefix, deadline=deadline)


def _answered(answer: T | LockUnavailable) -> T:
    if isinstance(answer, LockUnavailable):
        raise answer
    return answer


def _copy(error: LockUnavailable) -> LockUnavailable:
    """For each that waits one of its own to raise, since raising changes it."""
    copy = LockUnavailable(*error.args)
    copy.__cause__ = error
    return copy


def _duration(name: str, seconds: object) -> float:
    number = seconds if isinstance(seconds, int | float) else 0
    if 0 < number <= _LONGEST_SECONDS and not isinstance(seconds, bool):
        return number
    raise ValueError(
        f"{name}={seconds!r} must be a number of seconds above 0 and at most ten years"
    )


def _check(*ids: object) -> None:
    for each in ids:
        if not isinstance(each, str) or not each:
            raise ValueError(f"{each!r} is not a task id or lock id: it must be a non-empty text")
