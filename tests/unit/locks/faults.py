"""Owns the bad line, a TCP relay to a real server that can lose or stretch what it carries."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

from advanced_scheduler.errors import LockUnavailable
from advanced_scheduler.locks import DistributedTaskLock
from tests.support.waiting import eventually

Line = Literal["good", "loses requests", "loses answers", "drips"]


class Relay:
    """Listens on a port of its own; connections stay open whatever the line does."""

    def __init__(self, port: int) -> None:
        self.line: Line = "good"
        self._target = port
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everything."""
        self._closing.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += client, server
                for carry in (self._requests, self._answers):
                    threading.Thread(target=carry, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.line != "loses requests":
                    server.sendall(data)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.line == "drips":
                    self._drip(client)
                elif self.line != "loses answers":
                    client.sendall(data)

    def _drip(self, client: socket.socket) -> None:
        client.sendall(b"+")
        while not self._closing.wait(0.02):
            client.sendall(b".")


def connected(lock: DistributedTaskLock) -> DistributedTaskLock:
    """The same, once it has had an answer: a busy machine may need longer than a short deadline."""
    eventually(lambda: _answers(lock), what="an answer within the deadline")
    return lock


def _answers(lock: DistributedTaskLock) -> bool:
    with suppress(LockUnavailable):
        lock.ping()
        return True
    return False
