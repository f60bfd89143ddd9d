"""Dramatiq on Redis: enqueue first, then time one worker until the last message is acknowledged.

It keeps neither state nor result unless asked, so it writes less than the others.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from dramatiq import Middleware, Worker, actor
from dramatiq.brokers.redis import RedisBroker

from tests.benchmarks.programs.clockwork import order, rates, say


def noop(value: int) -> None:
    pass


class Acknowledged(Middleware):  # type: ignore[misc]
    """Set once so many messages have been acknowledged, on any thread."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self._lock = threading.Lock()
        self.done = threading.Event()

    def after_ack(self, _broker: Any, _message: Any) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.done.set()


def main(url: str, n: int, concurrency: int) -> None:
    broker = RedisBroker(url=url)
    acknowledged = Acknowledged(n)
    broker.add_middleware(acknowledged)
    task = actor(noop, broker=broker)
    begun = time.perf_counter()
    for number in range(n):
        task.send(number)
    full = time.perf_counter()
    worker = Worker(broker, worker_threads=concurrency)
    worker.start()
    acknowledged.done.wait()
    ended = time.perf_counter()
    worker.stop()
    broker.close()
    say(**rates(n, begun, full, ended))


main(*order())
