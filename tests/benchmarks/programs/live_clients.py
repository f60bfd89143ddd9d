"""Clients of server-sent events in a process of their own: they read, and throw away.

``python live_clients.py PORT N``: says one line when all N are connected, and reads until its
input ends.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import threading

from tests.benchmarks.programs.clockwork import say

PATH = "/api/v1/scheduler/events"
AT_ONCE = 100


class Listener(asyncio.Protocol):
    """One client: asks, and counts what comes."""

    def __init__(self, answered: asyncio.Queue[None]) -> None:
        self._answered = answered
        self._heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for all events."""
        assert isinstance(transport, asyncio.WriteTransport)
        request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
        transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        """The first part of the answer says that it listens."""
        if not self._heard:
            self._heard = True
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self._answered.put_nowait(None)


async def main(port: int, n: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    loop = asyncio.get_running_loop()
    answered: asyncio.Queue[None] = asyncio.Queue()
    for first in range(0, n, AT_ONCE):
        some = min(AT_ONCE, n - first)
        for _ in range(some):
            await loop.create_connection(lambda: Listener(answered), "127.0.0.1", port)
        for _ in range(some):
            await answered.get()
    say(clients=n)
    sys.stdout.flush()
    ended = asyncio.Event()
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True
    ).start()
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
