"""Runs again what has ended: as new executions, each of which names the old one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ..clock import Clock
from ..errors import ExecutionNotFound, InvalidArguments
from ..faults import is_storable
from ..lifecycle import FINAL
from ..models import ATTEMPTS, ExecutionFilter, TaskDependency, TaskExecution, TaskStatus
from ..registry import TaskRegistry
from ..stores.base import Store
from .intake import Intake, waiting_for

AGAIN: Final = "again"
"""Where ``extras`` has the id of the execution that is run again."""

_UNDONE: Final = frozenset({TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.SKIPPED})
_MOST: Final = 10_000  # executions of one workflow run


class Again:
    """Makes the new executions from the rows of the old ones, arguments and options included."""

    def __init__(
        self, *, store: Store, registry: TaskRegistry, intake: Intake, clock: Clock
    ) -> None:
        self._store = store
        self._registry = registry
        self._intake = intake
        self._clock = clock

    def execution(self, row: TaskExecution) -> str:
        """Run it once more, now, without its dependencies; answers the new id.

        Raises ``InvalidArguments`` if it has not ended, ``TaskNotRegistered`` if no task of
        this process has its id.
        """
        if row.status not in FINAL:
            raise InvalidArguments(
                f"execution {row.execution_id} is {row.status}; only one that has ended can be "
                "run again"
            )
        self._registry.get(row.task_id)
        now = self._clock.now()
        return self._intake.accept([self._twin(row, now, ())], now)[0]

    def workflow(self, workflow_id: str) -> dict[str, str]:
        """Run again what did not complete in a workflow run; answers {task id: execution id}.

        What completed is not run again: the new executions depend on its results. Raises
        ``ExecutionNotFound`` if there is no such run, ``InvalidArguments`` while some of it has
        not ended, and where everything completed.
        """
        newest = self._newest(workflow_id)
        waiting = [row for row in newest.values() if row.status not in FINAL]
        if waiting:
            raise InvalidArguments(
                f"workflow run {workflow_id} has not ended: task {waiting[0].task_id!r} is "
                f"{waiting[0].status}; cancel it, or wait"
            )
        undone = {task: row for task, row in newest.items() if row.status in _UNDONE}
        if not undone:
            raise InvalidArguments(f"workflow run {workflow_id}: every task of it has completed")
        for task in undone:
            self._registry.get(task)
        now = self._clock.now()
        return self._accept(undone, now)

    def _accept(self, undone: Mapping[str, TaskExecution], now: datetime) -> dict[str, str]:
        """In the order of the old ids, in which no execution comes before its dependencies."""
        made: dict[str, TaskExecution] = {}
        for row in sorted(undone.values(), key=lambda one: one.execution_id):
            bound = tuple(_rebound(one, made) for one in row.dependencies)
            made[row.task_id] = self._twin(row, now, bound)
        self._intake.accept(list(made.values()), now)
        return {task: row.execution_id for task, row in made.items()}

    def _newest(self, workflow_id: str) -> dict[str, TaskExecution]:
        query = ExecutionFilter(workflow_id=workflow_id, limit=_MOST)
        rows = self._store.find(query) if is_storable(workflow_id) else []
        if not rows:
            raise ExecutionNotFound(f"no workflow run {workflow_id!r}: see scheduler.executions()")
        newest: dict[str, TaskExecution] = {}
        for row in rows:  # the newest comes first
            newest.setdefault(row.task_id, row)
        return newest

    def _twin(
        self,
        row: TaskExecution,
        now: datetime,
        dependencies: tuple[TaskDependency, ...],
    ) -> TaskExecution:
        """It waits for all of its dependencies: what has ended is settled once it is stored."""
        extras: dict[str, Any] = {**row.extras, AGAIN: row.execution_id}
        extras.pop(ATTEMPTS, None)
        return TaskExecution.make(
            execution_id=self._intake.new_id(now),
            task_id=row.task_id,
            task_name=row.task_name,
            priority=row.priority,
            scheduled_time=now,
            created_time=now,
            due_time=now,
            args=row.args,
            kwargs=row.kwargs,
            timeout=row.timeout,
            tags=row.tags,
            workflow_id=row.workflow_id,
            schedule_id=row.schedule_id,
            at_most_once=row.at_most_once,
            queue=row.queue,
            rank=row.rank,
            extras=extras,
            **(waiting_for(dependencies, now) if dependencies else {}),
        )


def _rebound(one: TaskDependency, made: Mapping[str, TaskExecution]) -> TaskDependency:
    """To the new execution of the upstream task, if it is run again."""
    if one.task_id not in made:
        return one
    return TaskDependency(
        one.task_id, one.dependency_type, one.timeout, made[one.task_id].execution_id
    )
