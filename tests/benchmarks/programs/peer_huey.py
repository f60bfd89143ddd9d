"""Huey in memory or on SQLite: enqueue first, then time its threads until the last call.

``python peer_huey.py URL N CONCURRENCY [unsynced]``. It keeps no state, and a result only if there
is one. On SQLite it runs as SQLite comes (synchronous FULL) unless ``unsynced``.
"""

from __future__ import annotations

import logging
import sys
import threading
import time

from huey import Huey, MemoryHuey, SqliteHuey

from tests.benchmarks.programs.clockwork import order, rates, say


class Calls:
    """Counts calls on any thread."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self._lock = threading.Lock()
        self.done = threading.Event()

    def hit(self, _: int) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.done.set()


def made(url: str) -> Huey:
    if url == "memory://":
        return MemoryHuey()
    options = {"fsync": False} if sys.argv[4:] == ["unsynced"] else {}
    return SqliteHuey(filename=url.removeprefix("sqlite:///"), **options)


def main(url: str, n: int, concurrency: int) -> None:
    logging.disable()
    calls, huey = Calls(n), made(url)
    task = huey.task(name="noop")(calls.hit)
    begun = time.perf_counter()
    for number in range(n):
        task(number)
    full = time.perf_counter()
    consumer = huey.create_consumer(
        workers=concurrency, worker_type="thread", periodic=False, check_worker_health=False
    )
    consumer.start()
    calls.done.wait()
    ended = time.perf_counter()
    consumer.stop(graceful=True)
    say(**rates(n, begun, full, ended))


main(*order())
