"""What REST answers of the lines that tasks log."""

from __future__ import annotations

from datetime import datetime

from .fields import Answer


class LogLineOut(Answer):
    """A line that a task has logged; the first one of an execution has number 1."""

    number: int
    time: datetime
    level: str
    attempt: int
    text: str


class LogPage(Answer):
    """The latest lines of an execution; ``ended``: there will be no more.

    ``next_after`` asks for the lines that follow.
    """

    lines: list[LogLineOut]
    next_after: int
    ended: bool
