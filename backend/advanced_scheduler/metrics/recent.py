"""Asks what may hang, without hanging with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from ..clock import Clock
from ..forks import free_in_child

T = TypeVar("T")


class Recent(Generic[T]):
    """What ``ask`` answered within the last ``keep`` seconds.

    It is asked on a thread of its own and waited for at most ``wait`` seconds: a store that
    hangs costs one thread, and neither a scrape nor a probe.
    """

    def __init__(self, ask: Callable[[], T], clock: Clock, *, keep: float, wait: float) -> None:
        self._ask = ask
        self._clock = clock
        self._keep = keep
        self._wait = wait
        self._lock = free_in_child(threading.Lock())
        self._asked = 0.0
        self._answer: Future[T] | None = None

    def get(self) -> T:
        """Raises ``TimeoutError`` if there is no answer in time, and whatever ``ask`` raised."""
        with self._lock:
            now, answer = self._clock.monotonic(), self._answer
            if answer is None or (answer.done() and now - self._asked >= self._keep):
                answer, self._asked = Future(), now
                self._answer = answer
                threading.Thread(target=self._run, args=(answer,), daemon=True).start()
        return answer.result(self._wait)

    def _run(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._ask())
        except Exception as error:
            answer.set_exception(error)
