"""Runs again what has ended: as new executions, each of which names the old one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from ..errors import ExecutionNotFound, InvalidArguments
from ..faults import is_storable
from ..lifecycle import FINAL
from ..models import (
    ATTEMPTS,
    ExecutionFilter,
    Record,
    RecordKind,
    TaskDependency,
    TaskExecution,
    TaskStatus,
)
from .ground import Ground
from .intake import Intake, waiting_for

AGAIN: Final = "again"
"""Where ``extras`` has the id of the execution that is run again."""

_UNDONE: Final = frozenset({TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.SKIPPED})
_MOST: Final = 10_000  # executions of one workflow run


class Again:
    """Makes the new executions from the rows of the old ones, arguments and options included."""

    def __init__(self, ground: Ground, intake: Intake) -> None:
        self._store = ground.store
        self._registry = ground.registry
        self._intake = intake
        self._clock = ground.clock

    def execution(self, row: TaskExecution, new_id: str | None = None) -> str:
        """Run it once more, now, without its dependencies; answers the new id.

        That of the execution that does so already, while there is one that has not ended.
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
        last, planned = self._last(row.execution_id, new_id)
        if last == new_id:  # another try of the same request has made it, and it has ended
            return last
        if planned is None:
            ids = {row.task_id: new_id or self._intake.new_id(now)}
            planned = self._planned(RecordKind.AGAIN, last, ids, now)
        twin = self._twin(row, planned[row.task_id], now)
        return self._intake.accept([twin], now)[0]

    def _last(self, first: str, sought: str | None) -> tuple[str, Mapping[str, str] | None]:
        """The last that has ended of those that ran it again, and the plan for the next if any.

        No further than the one that is sought. Records that lead back, as earlier releases could
        write, end there: the one that does so is dropped.
        """
        last, passed = first, {first}
        while last != sought and (planned := self._known(RecordKind.AGAIN, last)) is not None:
            found = self._store.get(planned.values())
            if not found or found[0].status not in FINAL:
                return last, planned
            if found[0].execution_id in passed:
                self._store.drop_records(RecordKind.AGAIN, [last])
                break
            passed.add(last := found[0].execution_id)
        return last, None

    def workflow(self, workflow_id: str, seen: str | None = None) -> dict[str, str]:
        """Run again what did not complete in a workflow run; answers {task id: execution id}.

        What completed is not run again: the new executions depend on its results. ``seen`` is
        the newest execution that the caller has seen of it: what was made after that already is
        answered, and made whole. Raises ``ExecutionNotFound`` if there is no such run,
        ``InvalidArguments`` while some of it has not ended, and where everything completed.
        """
        if seen is not None and (ids := self._known(RecordKind.RERUN, seen)) is not None:
            before = self.newest(workflow_id, without=frozenset(ids.values()))
            self._accept({one: before[one] for one in ids if one in before}, ids)
            return {**ids}
        newest = self.newest(workflow_id)
        if not newest:
            raise ExecutionNotFound(f"no workflow run {workflow_id!r}: see scheduler.executions()")
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
        seen = seen or max(row.execution_id for row in newest.values())
        wanted = {task: self._intake.new_id(now) for task in undone}
        ids = self._planned(RecordKind.RERUN, seen, wanted, now)
        return self._accept(undone, ids)

    def _accept(
        self, undone: Mapping[str, TaskExecution], ids: Mapping[str, str]
    ) -> dict[str, str]:
        """In the order of the old ids, in which no execution comes before its dependencies."""
        now = self._clock.now()
        made: dict[str, TaskExecution] = {}
        pruned = self._pruned(undone)
        for row in sorted(undone.values(), key=lambda one: one.execution_id):
            bound = tuple(_rebound(one, made) for one in row.dependencies)
            met = frozenset(
                one.key for one in bound if one.execution_id in pruned and not _ended_it(one, row)
            )
            made[row.task_id] = self._twin(row, ids[row.task_id], now, bound, met)
        self._intake.accept(list(made.values()), now)
        return {task: row.execution_id for task, row in made.items()}

    def _pruned(self, undone: Mapping[str, TaskExecution]) -> frozenset[str | None]:
        """The dependencies that are gone from the history."""
        ids = {
            one.execution_id
            for row in undone.values()
            for one in row.dependencies
            if one.execution_id is not None
        }
        return frozenset(ids - {row.execution_id for row in self._store.get(ids)})

    def _known(self, kind: RecordKind, execution_id: str) -> Mapping[str, str] | None:
        """Which ids, by task, the new executions have, or will have; None if nobody made any."""
        found = self._store.records(kind, ids=[execution_id])
        return found[0].data if found else None

    def _planned(
        self, kind: RecordKind, execution_id: str, ids: Mapping[str, str], now: datetime
    ) -> Mapping[str, str]:
        """The same, made now, unless somebody else is faster: then theirs.

        Who adds an execution whose id is there adds nothing: so two who do all of this make one,
        and who goes on after a crash makes what is missing, also when the rest has ended.
        """
        plan = Record(kind=kind, record_id=execution_id, written_time=now, data=ids)
        if self._store.save_record(plan, new=True):
            return ids
        return {**ids, **(self._known(kind, execution_id) or {})}

    def newest(self, workflow_id: str, without: Collection[str] = ()) -> dict[str, TaskExecution]:
        """The executions of a workflow run by task; none if there is no such run."""
        query = ExecutionFilter(workflow_id=workflow_id, limit=_MOST)
        rows = self._store.find(query) if is_storable(workflow_id) else []
        newest: dict[str, TaskExecution] = {}
        for row in rows:  # the newest comes first
            if row.execution_id not in without:
                newest.setdefault(row.task_id, row)
        return newest

    def _twin(
        self,
        row: TaskExecution,
        execution_id: str,
        now: datetime,
        dependencies: tuple[TaskDependency, ...] = (),
        met: frozenset[str] = frozenset(),
    ) -> TaskExecution:
        """It waits for all other dependencies: what has ended is settled once it is stored."""
        extras: dict[str, Any] = {**row.extras, AGAIN: row.execution_id}
        extras.pop(ATTEMPTS, None)
        return TaskExecution.make(
            execution_id=execution_id,
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
            **(waiting_for(dependencies, now, met) if dependencies else {}),
        )


def _rebound(one: TaskDependency, made: Mapping[str, TaskExecution]) -> TaskDependency:
    """To the new execution of the upstream task, if it is run again."""
    if one.task_id not in made:
        return one
    return TaskDependency(
        one.task_id, one.dependency_type, one.timeout, made[one.task_id].execution_id
    )


def _ended_it(one: TaskDependency, row: TaskExecution) -> bool:
    """Whether the old execution was skipped for this very dependency, and not met by it."""
    reason = row.reason or ""
    return row.status is TaskStatus.SKIPPED and reason.startswith(f"dependency {one.task_id!r} ")
