"""Owns the faults of the lock scenarios: what a lock would be without one of its promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import redis

from advanced_scheduler.engine.guard import Guard
from advanced_scheduler.engine.runner import Runner
from advanced_scheduler.engine.turns import Turns
from advanced_scheduler.locks import DistributedTaskLock, Exchanged, Grant, keeper
from advanced_scheduler.locks import redis as redis_locks
from advanced_scheduler.locks.base import Answers, Holding, Wish
from advanced_scheduler.locks.keeper import Keeper
from advanced_scheduler.locks.redis import RedisLocks
from advanced_scheduler.models import TaskExecution

Patch = Callable[[Any, str, Any], None]

_COUNTED: Final = """
if redis.call('GET', KEYS[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('INCR', KEYS[2])
"""


def no_lock(patch: Patch) -> None:
    """``require_lock`` is not looked at."""
    patch(Runner, "run", lambda self, run: self._attempt(run))


def last_come_first(patch: Patch) -> None:
    """The release of a lock calls whoever began to wait last."""

    def call(self: Turns, task_id: str) -> TaskExecution | None:
        waiting = self._waiting.get(task_id)
        return waiting.pop(max(waiting)) if waiting else None

    patch(Turns, "call", call)


def _nothing_is_lost(patch: Patch) -> None:
    original = DistributedTaskLock.exchange

    def exchange(self: DistributedTaskLock, given: Sequence[Grant], wanted: Any) -> Exchanged:
        return original(self, given, wanted)._replace(kept=[True] * len(given))

    patch(DistributedTaskLock, "exchange", exchange)


def no_renewal(patch: Patch) -> None:
    """A lock lives for its time-out, however long the work takes; nobody notices the end."""
    patch(Keeper, "keep", lambda self, grant, on_lost: None)
    _nothing_is_lost(patch)


def added_renewal(patch: Patch) -> None:
    """A renewal adds to what is left, instead of replacing it."""
    original = RedisLocks.extend

    def extend(self: RedisLocks, wanted: Sequence[Wish]) -> list[bool | None]:
        return original(
            self,
            [one._replace(timeout=one.timeout + (self.ttl(one.task_id) or 0)) for one in wanted],
        )

    patch(RedisLocks, "extend", extend)


def any_token(patch: Patch) -> None:
    """A release deletes the lock, whoever holds it by then."""
    original = RedisLocks.exchange

    def exchange(self: RedisLocks, given: Sequence[Holding], wanted: Sequence[Wish]) -> Answers:
        freed = [self.free(one.task_id) for one in given]
        return Answers(freed, original(self, [], wanted).fences)

    patch(RedisLocks, "exchange", exchange)


def untold(patch: Patch) -> None:
    """A holder is not told that it has lost its lock, and its result counts."""
    patch(keeper, "_tell", lambda kept, why: None)
    _nothing_is_lost(patch)


def counted_fence(patch: Patch) -> None:
    """Fences are what a counter on the server says, which forgets."""
    patch(redis_locks, "_LUA", {**redis_locks._LUA, "acquire": _COUNTED})


def no_deadline(patch: Patch) -> None:
    """A command waits for the server as long as the server likes."""
    patch(redis_locks, "_bounded", lambda client, deadline: redis.Redis.from_url(client))
    patch(RedisLocks, "_within", lambda self, call: call())


def answers_only(patch: Patch) -> None:
    """A release that is not answered counts as a loss."""

    original = DistributedTaskLock.exchange

    def exchange(self: DistributedTaskLock, given: Sequence[Grant], wanted: Any) -> Exchanged:
        answers = original(self, given, wanted)
        return answers if answers.outage is None else answers._replace(kept=[False] * len(given))

    patch(DistributedTaskLock, "exchange", exchange)


def all_ask(patch: Patch) -> None:
    """Every execution asks a lock server that has just not answered."""

    def ask(self: Guard, task_id: str, timeout: float) -> Any:
        return self._calls.take(task_id, timeout)

    patch(Guard, "_ask", ask)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "no-lock": no_lock,
    "last-come-first": last_come_first,
    "no-renewal": no_renewal,
    "added-renewal": added_renewal,
    "any-token": any_token,
    "untold": untold,
    "counted-fence": counted_fence,
    "no-deadline": no_deadline,
    "all-ask": all_ask,
    "answers-only": answers_only,
}
