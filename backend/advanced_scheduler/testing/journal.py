"""Keeps what happened in a simulation: a line for each start and end of a body, and a story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ..clock import Clock
from ..context import TaskContext


class Mark(StrEnum):
    """What a line says of a body."""

    START = "start"
    END = "end"
    RAISED = "raised"
    CUT = "cut"  # it was interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a body wrote: never what the library says of it. ``at`` is the true time."""

    mark: Mark
    at: datetime
    node: str
    execution_id: str
    task_id: str
    attempt: int
    fence: int
    lock_fence: int | None


class Journal:
    """Lines in the order of writing, and one line of prose for everything that was done.

    Execution ids are told as ``e1``, ``e2``.. in the order in which they were first seen: these
    are the same whenever a seed is run, where the ids are not.
    """

    def __init__(self, clock: Clock) -> None:
        self.lines: list[Line] = []
        self.story: list[str] = []
        self._clock = clock
        self._begun = clock.now()
        self._names: dict[str, str] = {}

    def write(self, mark: Mark, node: str, context: TaskContext) -> Line:
        """Note a line."""
        line = Line(
            mark=mark,
            at=self._clock.now(),
            node=node,
            execution_id=context.execution_id,
            task_id=context.task_id,
            attempt=context.attempt,
            fence=context.fence,
            lock_fence=context.lock_fence,
        )
        self.lines.append(line)
        name = self.name(context.execution_id)
        self.tell(f"{name} {mark} on {node}, attempt {context.attempt}, fence {context.fence}")
        return line

    def tell(self, what: str) -> None:
        """Add to the story."""
        seconds = (self._clock.now() - self._begun).total_seconds()
        self.story.append(f"{seconds:7.1f} s  {what}")

    def name(self, execution_id: str) -> str:
        """The short name of an execution."""
        return self._names.setdefault(execution_id, f"e{len(self._names) + 1}")

    def starts(self) -> Mapping[str, list[Line]]:
        """The start lines of each execution."""
        starts: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.mark is Mark.START:
                starts.setdefault(line.execution_id, []).append(line)
        return starts
