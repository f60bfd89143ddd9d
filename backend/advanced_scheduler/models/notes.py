"""What an execution tells while it runs: how far it is, and lines of its log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class LogLine(NamedTuple):
    """A line that a task has logged; the first one of an execution has number 1."""

    number: int
    time: datetime
    level: str
    attempt: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How much is ``done``, of ``total`` if that is known."""

    done: float
    total: float | None = None
    message: str | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """All that is known of what an execution has told; of many lines the latest."""

    progress: Progress | None = None
    lines: tuple[LogLine, ...] = ()
