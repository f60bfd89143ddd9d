"""Tells a test whether any process, near or far, still holds the other end of a pipe."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Fifo:
    """Tells whether any process still holds its other end."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._text = b""

    def begun(self) -> bool:
        """Whether the body has said so."""
        with suppress(BlockingIOError):  # nothing new
            self._text += os.read(self._reader, 100)
        return self._text == b"begun"

    def is_free(self) -> bool:
        """Whether nobody can write to it any more."""
        try:
            return os.read(self._reader, 100) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._reader)
