"""What operators ask of the line: who is next, and what each one waits for."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ..engine.lanes import WaitState, state_of
from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter, Pauses, TaskExecution, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .fields import Answer, Page, PriorityName
from .schemas import ExecutionOut
from .views import execution_out, priority_of

MOST: Final = 200
"""How much of a lane is answered."""


class WaitingOut(Answer):
    """One in line: ``position`` counts from 1 in its lane, ``why`` says what it waits for."""

    position: int
    state: WaitState
    why: str
    execution: ExecutionOut


class WaitingPage(Page):
    """The beginning of a lane."""

    items: list[WaitingOut]


class Waiting:
    """Over what waits in a store, in the order in which nodes take it."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def lane(self, priority: PriorityName, limit: int = 50) -> list[WaitingOut]:
        """The first ``limit`` of a lane, at most 200, those that are ready first."""
        now, pauses = self._scheduler.clock.now(), self._scheduler.pauses()
        rows = self._scheduler.store.find(
            ExecutionFilter(
                statuses=CLAIMABLE,
                priority=priority_of(priority),
                order="claim",
                limit=min(limit, MOST),
            )
        )
        rows.sort(key=lambda row: state_of(row, now) != "ready")  # stable: the order of claims
        return [
            WaitingOut(
                position=place,
                state=state_of(row, now),
                why=self._why(row, now, pauses),
                execution=execution_out(row),
            )
            for place, row in enumerate(rows, 1)
        ]

    def _why(self, row: TaskExecution, now: datetime, pauses: Pauses) -> str:
        if row.blocked_by:
            return f"for {_upstream(row)}"
        if row.due > now:
            return "for its next attempt" if row.status is TaskStatus.RETRYING else "for its time"
        if row.task_id not in self._scheduler.task_definitions:
            return "for a node that knows the task"
        if pauses.everything or row.priority in pauses.priorities or row.queue in pauses.queues:
            return "for the pause to end"
        return row.reason or "for a free slot"


def _upstream(row: TaskExecution) -> str:
    named = [
        f"{one.task_id} ({one.dependency_type})"
        for one in row.dependencies
        if one.key in row.blocked_by
    ]
    more = len(row.blocked_by) - len(named)
    return ", ".join([*named, *([f"{more} executions"] if more > 0 else [])])
