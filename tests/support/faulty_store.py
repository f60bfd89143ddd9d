"""Owns a store that fails, or waits, at the calls a test names; else it is the real one."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.stores.base import Store

PATIENCE = 20.0  # seconds that a held call waits, should a test forget it


@dataclass(slots=True)
class Hold:
    """A call that is held up: it has ``entered``, and goes on when it is ``released``."""

    after: bool
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        """Say that the call is here, and wait."""
        self.entered.set()
        assert self.released.wait(PATIENCE), "a held call was never released"


@dataclass(slots=True)
class _Fault:
    after: bool
    error: BaseException


class FaultyStore:
    """Delegates to ``store``; pass ``face`` to whatever wants a store.

    ``calls`` counts every verb. A fault strikes before the real call, or ``after`` it: then it
    was done and nobody was told, as when a commit goes unanswered.
    """

    def __init__(self, store: Store, *, blocking: bool | None = None) -> None:
        self.store = store
        self.blocking = store.blocking if blocking is None else blocking
        self.calls: Counter[str] = Counter()
        self._faults: dict[str, deque[_Fault]] = {}
        self._holds: dict[str, deque[Hold]] = {}
        self._down = False

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
        """Let the next ``times`` calls of ``verb`` raise ``error`` (StoreUnavailable)."""
        fault = _Fault(after, error or StoreUnavailable(f"{verb} was made to fail"))
        self._faults.setdefault(verb, deque()).extend([fault] * times)

    def hold(self, verb: str, *, after: bool = False) -> Hold:
        """Hold up the next call of ``verb``, before or ``after`` it is done."""
        hold = Hold(after)
        self._holds.setdefault(verb, deque()).append(hold)
        return hold

    def break_down(self) -> None:
        """From now on every call raises StoreUnavailable."""
        self._down = True

    def come_back(self) -> None:
        """As if nothing had been."""
        self._down = False

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self.store, verb)
        return partial(self._call, verb, real) if callable(real) else real

    def _call(self, verb: str, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls[verb] += 1
        if self._down:
            raise StoreUnavailable(f"{verb}: the store is down")
        hold, fault = _next(self._holds, verb), _next(self._faults, verb)
        if fault is not None and not fault.after:
            raise fault.error
        if hold is not None and not hold.after:
            hold.pass_through()
        answer = real(*args, **kwargs)
        if hold is not None and hold.after:
            hold.pass_through()
        if fault is not None:
            raise fault.error
        return answer


def _next(waiting: dict[str, deque[Any]], verb: str) -> Any:
    try:
        return waiting[verb].popleft()
    except (KeyError, IndexError):
        return None
