"""Owns a TCP proxy between a client and its server, which a test can cut or make mute."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65_536


class Proxy:
    """Listens on loopback and passes everything on to the server of ``url``, from the start.

    ``close`` ends all connections and all threads.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._passing = threading.Event()
        self._passing.set()
        self._refusing = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the server, as it is reached through this proxy."""
        credentials, at, _ = self._parts.netloc.rpartition("@")
        netloc = f"{credentials}{at}127.0.0.1:{self._listener.getsockname()[1]}"
        return urlunsplit(self._parts._replace(netloc=netloc))

    def cut(self) -> None:
        """Break all connections, and every new one at once: the network says no."""
        self._refusing = True
        self._break_all()

    def mute(self) -> None:
        """Keep connections open, take new ones, and pass nothing on: the network says nothing."""
        self._passing.clear()

    def mend(self) -> None:
        """Undo ``cut`` and ``mute``; what was sent to a mute network arrives now."""
        self._refusing = False
        self._passing.set()

    def close(self) -> None:
        """End it."""
        self._listener.close()
        self.cut()
        self._passing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection((self._parts.hostname, self._parts.port))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._passing.wait()
                sink.sendall(data)
        self._break(source, sink)

    def _break_all(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        self._break(*sockets)

    def _break(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets -= {*sockets}
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
            one.close()
