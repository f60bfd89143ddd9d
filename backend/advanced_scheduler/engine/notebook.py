"""Owns what one attempt has told and is not stored yet, and how that becomes a record."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..faults import cleaned, describe_traceback
from ..models import LogLine, Notes, Progress

LOG_LIMIT: Final = 64 * 1024
"""Characters of all lines that are kept."""

LINE_LIMIT: Final = 4 * 1024
MESSAGE_LIMIT: Final = 200

_Line = Sequence[Any]  # [time in ISO 8601, level, attempt, text]


class Notebook:
    """Lines and progress of an execution, bounded; thread-safe."""

    def __init__(self, lines: int) -> None:
        self._most = lines
        self.dirty = False  # there is something that was not stored
        self.announced = False  # it will be stored in a while
        self.stored: float | None = None  # when it last was, by the monotonic clock
        self._lock = threading.Lock()
        self._lines: deque[_Line] = deque()
        self._first = 1  # the number of the first line
        self._size = 0
        self._progress: dict[str, Any] | None = None

    def add(
        self, time: datetime, level: int, attempt: int, text: str, error: BaseException | None
    ) -> None:
        """Add a line, and the traceback of the error."""
        if error is not None:
            text = f"{text}\n{describe_traceback(error, LINE_LIMIT // 2).rstrip()}"
        text = cleaned(text)
        if len(text) > LINE_LIMIT:
            text = f"{text[: LINE_LIMIT - 3]}..."
        with self._lock:
            self._append([time.isoformat(), logging.getLevelName(level), attempt, text])
            self.dirty = True

    def show(self, progress: Progress, time: datetime) -> None:
        """Replace the progress."""
        message = progress.message
        told = {
            "done": progress.done,
            "total": progress.total,
            "message": None if message is None else cleaned(message)[:MESSAGE_LIMIT],
            "time": time.isoformat(),
        }
        with self._lock:
            self._progress = told
            self.dirty = True

    def follow(self, earlier: Mapping[str, Any]) -> None:
        """Go on with the lines of earlier attempts."""
        with self._lock:
            mine = list(self._lines)
            self._lines.clear()
            self._size, self._first = 0, earlier.get("first", 1)
            for line in (*earlier.get("lines", ()), *mine):
                self._append(line)

    def take(self) -> dict[str, Any]:
        """All of it, to be stored."""
        with self._lock:
            self.dirty = False
            return {
                "first": self._first,
                "lines": list(self._lines),
                "progress": self._progress,
            }

    def _append(self, line: _Line) -> None:
        self._lines.append(line)
        self._size += len(line[3])
        while len(self._lines) > self._most or self._size > LOG_LIMIT:
            self._size -= len(self._lines.popleft()[3])
            self._first += 1


def notes_in(data: Mapping[str, Any]) -> Notes:
    """What a record says."""
    first = data.get("first", 1)
    lines = tuple(
        LogLine(number, datetime.fromisoformat(time), level, attempt, text)
        for number, (time, level, attempt, text) in enumerate(data.get("lines", ()), first)
    )
    told = data.get("progress")
    if told is None:
        return Notes(lines=lines)
    time = datetime.fromisoformat(told["time"])
    return Notes(progress=Progress(**{**told, "time": time}), lines=lines)
