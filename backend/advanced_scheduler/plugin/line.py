"""A thread that does one thing after another, for callers that must not wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from ..errors import StoreUnavailable

logger = logging.getLogger(__name__)


class Line:
    """Runs calls in order; one that the store did not answer is tried again, until ``close``."""

    def __init__(self, retry_seconds: float) -> None:
        self._retry_seconds: Final = retry_seconds
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(  # a daemon: a program that just ends does not wait
            target=self._run, name="advanced-scheduler-executor", daemon=True
        )
        self._thread.start()

    def put(self, call: Callable[[], object]) -> None:
        """Call it soon."""
        self._calls.put(call)

    def close(self) -> None:
        """Do what is in line, once; answers when that is done."""
        self._closing.set()
        self._calls.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._until_answered(call)
            except Exception:
                logger.exception("a job of APScheduler was not taken over")

    def _until_answered(self, call: Callable[[], object]) -> None:
        while True:
            try:
                call()
                return
            except StoreUnavailable as error:
                logger.warning("jobs of APScheduler wait for the store: %s", error)
                if self._closing.wait(self._retry_seconds):
                    raise
