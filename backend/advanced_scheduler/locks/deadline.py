"""Calls that wait for an answer no longer than a deadline, whatever they wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias, TypeVar

from ..forks import renew_in_child

T = TypeVar("T")

_Jobs: TypeAlias = "SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]"

_IDLE_SECONDS: Final = 0.5


class Deadline:
    """Socket timeouts alone would not do.

    They bound each read, not name look-up, connecting, authentication and a reply in drops
    together. So a call has a thread for itself, which is left behind at the deadline, ends that
    call at its socket's, and can then be of use again. (A new one for each call takes 180 us.)
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._idle: list[_Jobs] = []  # of each thread that has nothing to do
        renew_in_child(self, Deadline._leave_to_parent)

    def run(self, call: Callable[[], T]) -> T:
        """What the call answers or raises; ``TimeoutError`` at the deadline."""
        answer: Future[T] = Future()
        self._thread().put((call, answer))
        return answer.result(self.seconds)

    def close(self) -> None:
        """End the threads; the next call starts a new one."""
        while self._idle:
            self._thread().put(None)

    def _leave_to_parent(self) -> None:
        self._idle.clear()

    def _thread(self) -> _Jobs:
        try:
            return self._idle.pop()
        except IndexError:
            jobs: _Jobs = SimpleQueue()
            threading.Thread(
                target=self._work, args=(jobs,), name="lock-command", daemon=True
            ).start()
            return jobs

    def _work(self, jobs: _Jobs) -> None:
        while True:
            try:
                job = jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                try:
                    self._idle.remove(jobs)
                except ValueError:
                    continue  # somebody has just chosen this thread
                return
            if job is None:
                return
            self._do(jobs, *job)

    def _do(self, jobs: _Jobs, call: Callable[[], T], answer: Future[T]) -> None:
        try:
            result = call()
        except BaseException as error:
            self._idle.append(jobs)
            answer.set_exception(error)
        else:
            self._idle.append(jobs)  # first, so that whoever gets the answer finds it there
            answer.set_result(result)
