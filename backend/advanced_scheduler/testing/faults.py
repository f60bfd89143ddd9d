"""Owns a store that fails, or is slow, at the calls that a test names or by a seeded chance."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from ..errors import StoreUnavailable
from ..lock_store import LockStore
from ..stores.abilities import MigratedStore, SignalStore, TransactionalStore
from ..stores.base import Store

PATIENCE: Final = 20.0
"""Seconds that a held call waits, should a test forget it."""

_PROTOCOLS: Final = (Store, LockStore, SignalStore, TransactionalStore, MigratedStore)


@dataclass(slots=True)
class Hold:
    """A call that is held up: it has ``entered``, and goes on when it is ``released``."""

    after: bool = False
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        """Say that the call is here, and wait; AssertionError after 20 s."""
        self.entered.set()
        assert self.released.wait(PATIENCE), "a held call was never released"


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException
    after: bool

    def pass_through(self) -> None:
        raise self.error


@dataclass(frozen=True, slots=True)
class _Delay:
    seconds: float
    sleep: Callable[[float], object]
    after: bool

    def pass_through(self) -> None:
        self.sleep(self.seconds)


_Fault = Hold | _Delay | _Failure
_KINDS: Final = (Hold, _Delay, _Failure)  # one of each may strike a call, in this order


@dataclass(frozen=True, slots=True)
class _Chances:
    """How often a call is delayed, fails before it is done, and fails after that."""

    rng: random.Random
    before: float
    after: float
    delayed: float
    seconds: float
    verbs: Collection[str] | None

    def draw(self, verb: str, sleep: Callable[[float], object]) -> list[_Fault]:
        if self.verbs is not None and verb not in self.verbs:
            return []
        struck: list[_Fault] = []
        if self.rng.random() < self.delayed:
            struck.append(_Delay(self.seconds, sleep, after=self.rng.random() < 0.5))
        luck = self.rng.random()
        if luck < self.before + self.after:
            after = luck >= self.before
            text = "did not answer, but was done" if after else "was not done"
            struck.append(_Failure(StoreUnavailable(f"by chance: {verb} {text}"), after))
        return struck


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class FaultyStore:
    """Delegates every verb to ``store``, and does to some calls what it was told to.

    Hand ``face`` to whatever wants a store; it can signal, keep locks and share transactions
    if ``store`` can. A fault strikes before the real call, or ``after`` it: then it was done
    and nobody was told, as when a commit goes unanswered. ``calls`` counts every verb.

    ``blocking`` replaces what the store says of itself. ``sleep`` is how delays pass: real
    time unless given, such as ``lambda seconds: clock.advance(seconds=seconds)``. ``done`` is
    called with the verb after each real call, before its answer may get lost. Thread-safe, if
    the store is.
    """

    def __init__(
        self,
        store: Store,
        *,
        blocking: bool | None = None,
        sleep: Callable[[float], object] = _wait,
        done: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.store = store
        self.blocking = store.blocking if blocking is None else blocking
        self.calls: Counter[str] = Counter()
        self._sleep = sleep
        self._done = done
        self._waiting: dict[tuple[str, type], deque[_Fault]] = {}  # by verb and kind
        self._chances: _Chances | None = None
        self._down = False
        self._verbs = _verbs_of(store)
        for verb in self._verbs:  # not by __getattr__: isinstance must see the abilities
            setattr(self, verb, partial(self._call, verb))

    @property
    def face(self) -> Store:
        """This object, as what it stands for."""
        return cast("Store", self)

    def fail(
        self,
        verb: str,
        *,
        times: int = 1,
        after: bool = False,
        error: BaseException | None = None,
    ) -> None:
        """Let the next ``times`` calls of ``verb`` raise ``error`` (StoreUnavailable).

        ``ValueError`` for what is no verb of the store, here and below.
        """
        error = error or StoreUnavailable(f"{verb} was made to fail")
        self._plan(verb, [_Failure(error, after)] * times)

    def delay(self, verb: str, seconds: float, *, times: int = 1, after: bool = False) -> None:
        """Let the next ``times`` calls of ``verb`` take ``seconds`` longer."""
        self._plan(verb, [_Delay(seconds, self._sleep, after)] * times)

    def hold(self, verb: str, *, after: bool = False) -> Hold:
        """Hold up the next call of ``verb``, before or ``after`` it is done."""
        hold = Hold(after)
        self._plan(verb, [hold])
        return hold

    def at_random(
        self,
        rng: random.Random,
        *,
        before: float = 0.0,
        after: float = 0.0,
        delayed: float = 0.0,
        seconds: float = 0.0,
        verbs: Collection[str] | None = None,
    ) -> None:
        """From now on let chance strike the calls of ``verbs`` (None: all).

        ``before`` and ``after`` are the probabilities of a failure, ``delayed`` that of a
        delay of ``seconds``. Replaces what was said before.
        """
        self._check(verbs or ())
        self._chances = _Chances(rng, before, after, delayed, seconds, verbs)

    def calm(self) -> None:
        """Forget every fault that has not struck yet; nothing more is left to chance."""
        self._waiting.clear()
        self._chances = None

    def break_down(self) -> None:
        """From now on every call raises StoreUnavailable."""
        self._down = True

    def come_back(self) -> None:
        """Undo ``break_down``."""
        self._down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def _check(self, verbs: Collection[str]) -> None:
        unknown = sorted(set(verbs) - self._verbs)
        if unknown:
            known = ", ".join(sorted(self._verbs))
            raise ValueError(f"verb={unknown[0]!r} is no call of this store; use one of {known}")

    def _plan(self, verb: str, faults: Sequence[_Fault]) -> None:
        self._check([verb])
        for fault in faults:
            self._waiting.setdefault((verb, type(fault)), deque()).append(fault)

    def _call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        self.calls[verb] += 1
        if self._down:
            raise StoreUnavailable(f"{verb}: the store is down")
        faults = self._next(verb)
        for fault in faults:
            if not fault.after:
                fault.pass_through()
        answer = getattr(self.store, verb)(*args, **kwargs)
        self._done(verb)
        for fault in faults:
            if fault.after:
                fault.pass_through()
        return answer

    def _next(self, verb: str) -> list[_Fault]:
        struck = self._chances.draw(verb, self._sleep) if self._chances is not None else []
        for kind in _KINDS:
            if waiting := self._waiting.get((verb, kind)):
                struck.append(waiting.popleft())
        return struck


def _verbs_of(store: Store) -> set[str]:
    """The names of all calls of the store that a protocol knows."""
    names = {name for protocol in _PROTOCOLS for name in dir(protocol) if name[0] != "_"}
    return {name for name in names if callable(getattr(store, name, None))}
