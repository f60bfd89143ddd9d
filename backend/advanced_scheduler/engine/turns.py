"""Remembers who found a lock taken, so that its release on this node calls the oldest of them."""

from __future__ import annotations

from typing import Final

from ..models import TaskExecution

REMEMBERED: Final = 1000


class Turns:
    """A short cut: whoever is not called, or was forgotten, asks again after a while by itself."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, TaskExecution]] = {}  # by task id, then execution id

    def wait(self, row: TaskExecution) -> None:
        """Remember the execution as it was given back; at most 1,000 of one task.

        Some are settled on other nodes, and are never heard of again.
        """
        waiting = self._waiting.setdefault(row.task_id, {})
        if len(waiting) >= REMEMBERED:
            waiting.clear()
        waiting[row.execution_id] = row

    def leave(self, row: TaskExecution) -> None:
        """Forget the execution: it was claimed again."""
        if waiting := self._waiting.get(row.task_id):
            waiting.pop(row.execution_id, None)

    def call(self, task_id: str) -> TaskExecution | None:
        """The one that was scheduled first, which is then forgotten; None if nobody waits."""
        if waiting := self._waiting.get(task_id):
            return waiting.pop(min(waiting))
        return None
