"""What operators ask of executions: to see, to search, to cancel, to run again, to delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ..engine.ids import first_id_at
from ..engine.options import HIGHEST_RANK
from ..errors import SchedulerError, StoreUnavailable
from ..lifecycle import CLAIMABLE, FINAL
from ..models import ExecutionFilter, Outline, TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .log_schemas import LogLineOut, LogPage
from .planning import Plan, unplanned
from .problems import Problem, not_found
from .schedule_schemas import ScheduleOut
from .schemas import (
    Batch,
    BatchOut,
    ExecutionDetail,
    ExecutionOut,
    ExecutionPage,
    ExecutionQuery,
    PriorityAsked,
    TaskHistory,
)
from .views import execution_detail, execution_ended, execution_out, node_of, priority_of

MOST: Final = 1000
"""Executions in a page."""

_STEP: Final = 500  # rows in one question to the store
_LOOKED_AT: Final = 5000  # rows in one search for what no index knows: so it answers soon
_BATCH: Final = 10_000  # executions that one call acts on


_Seen: TypeAlias = TaskExecution | Outline
_Read: TypeAlias = Callable[[ExecutionFilter], Sequence[_Seen]]


class _Found(NamedTuple):
    rows: list[TaskExecution]
    cursor: str | None
    complete: bool


class Executions:
    """Over the executions of a store; the same from any node."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def page(
        self, query: ExecutionQuery, limit: int = 50, cursor: str | None = None
    ) -> ExecutionPage:
        """The executions that fit, the newest first.

        What an index knows (status, task, schedule, workflow, queue, priority, time) costs what
        the page costs; for the rest (node, tag, text) at most 5,000 executions are looked at.
        """
        found = self._search(query, limit, cursor, _LOOKED_AT)
        return ExecutionPage(
            executions=[execution_out(row) for row in found.rows],
            next_cursor=found.cursor,
            complete=found.complete,
        )

    def history(self, task: ExecutionQuery, limit: int, cursor: str | None) -> TaskHistory:
        """The executions of a task with their results, the newest first."""
        found = self._search(task, limit, cursor, _LOOKED_AT)
        runs = [execution_ended(row) for row in found.rows]
        return TaskHistory(executions=runs, next_cursor=found.cursor)

    def all(self, query: ExecutionQuery, limit: int) -> Iterator[ExecutionOut]:
        """The executions that fit, a page after the other."""
        cursor, left = None, limit
        while left:
            found = self._search(query, min(left, _STEP), cursor, _LOOKED_AT)
            yield from map(execution_out, found.rows)
            cursor, left = found.cursor, left - len(found.rows)
            if cursor is None:
                return

    def get(self, execution_id: str) -> ExecutionDetail:
        """One execution with all that is known of it; raises ``Problem``."""
        row = self.row(execution_id)
        return execution_detail(row, self._scheduler.get_notes(row.execution_id).progress)

    def logs(self, execution_id: str, after: int = 0) -> LogPage:
        """The lines that its task has logged after this number; raises ``Problem``."""
        row = self.row(execution_id)
        lines = self._scheduler.get_notes(row.execution_id).lines
        return LogPage(
            lines=[LogLineOut(**line._asdict()) for line in lines if line.number > after],
            next_after=max(lines[-1].number if lines else 0, after),
            ended=row.status in FINAL,
        )

    def downstream(self, execution_id: str) -> list[ExecutionOut]:
        """What waits for it, or has waited for it in its workflow run; raises ``Problem``."""
        row, store = self.row(execution_id), self._scheduler.store
        found = {one.execution_id: one for one in store.dependents([execution_id])}
        if row.workflow_id is not None:
            run = store.find(ExecutionFilter(workflow_id=row.workflow_id, limit=_STEP))
            found |= {
                one.execution_id: one
                for one in run
                if any(need.key == execution_id for need in one.dependencies)
            }
        return [execution_out(found[one]) for one in sorted(found)]

    def latest_of(self, schedules: Iterable[ScheduleOut]) -> dict[str, ExecutionOut]:
        """The newest execution of each schedule that has fired, by schedule id.

        One question for all of them, and one more for each whose task last ran otherwise.
        """
        fired = [one for one in schedules if one.last_run is not None]
        newest = self._scheduler.store.newest({one.task_id for one in fired})
        found: dict[str, ExecutionOut] = {}
        for one in fired:
            row = newest.get(one.task_id)
            if row is None or row.schedule_id != one.id:
                row = next(iter(self._scheduler.executions(schedule_id=one.id, limit=1)), None)
            if row is not None:
                found[one.id] = execution_out(row)
        return found

    def row(self, execution_id: str) -> TaskExecution:
        """The execution itself; raises ``Problem``."""
        row = self._scheduler.get_execution(execution_id)
        if row is None:
            raise not_found("execution", execution_id)
        return row

    def cancel(self, execution_id: str) -> None:
        """Cancel it; raises ``Problem``, also if it has ended."""
        row = self.row(execution_id)
        if not self._scheduler.cancel_task(execution_id):
            status = self.row(execution_id).status if row.status not in FINAL else row.status
            raise Problem(409, "execution-ended", f"execution {execution_id} is {status}")

    def skip(self, execution_id: str) -> None:
        """Leave it out; raises ``Problem``, also if it is not pending."""
        self.row(execution_id)
        if not self._scheduler.skip_execution(execution_id):
            raise self._not_pending(execution_id)

    def reorder(self, execution_id: str, asked: PriorityAsked) -> ExecutionOut:
        """Let it wait elsewhere; raises ``Problem``, also if it is not pending."""
        row = self.row(execution_id)
        priority = row.priority if asked.priority is None else priority_of(asked.priority)
        rank = row.rank if asked.rank is None else asked.rank
        if asked.first:
            rank = self._before_all(row, priority)
        if not self._scheduler.reorder_execution(execution_id, priority=priority, rank=rank):
            raise self._not_pending(execution_id)
        return execution_out(self.row(execution_id))

    def _before_all(self, row: TaskExecution, priority: TaskPriority) -> int:
        """The rank above the highest of the others that wait at this priority."""
        query = ExecutionFilter(statuses=CLAIMABLE, priority=priority, order="claim", limit=2)
        found = self._scheduler.store.find(query)
        others = [one.rank for one in found if one.execution_id != row.execution_id]
        return min(max(others, default=-1) + 1, HIGHEST_RANK)

    def _not_pending(self, execution_id: str) -> Problem:
        status = self.row(execution_id).status
        return Problem(
            409, "execution-not-pending", f"execution {execution_id} is {status}, not pending"
        )

    def retry(self, execution_id: str, new_id: str | None = None) -> str:
        """Run it again; answers the id of the new execution."""
        return self._scheduler.retry_execution(execution_id, new_id=new_id)

    def batch(self, asked: Batch, plan: Plan = unplanned) -> BatchOut:
        """Do the same to many; what cannot be done to one holds up no other."""
        planned = (unplanned if asked.dry_run else plan)(lambda: self._matching(asked))
        created, refused, changed = self._act(asked.action, {} if asked.dry_run else planned)
        return BatchOut(
            action=asked.action,
            dry_run=asked.dry_run,
            matched=len(planned),
            changed=changed,
            created=created,
            refused=refused,
        )

    def _matching(self, asked: Batch) -> list[str]:
        if asked.ids is None:
            found = self._fitting(asked.query)
        else:
            found = self._named([*dict.fromkeys(asked.ids)])
        return [row.execution_id for row in found if _may(asked.action, row)]

    def _act(
        self, action: str, planned: Mapping[str, str | None]
    ) -> tuple[list[str], dict[str, str], int]:
        created: list[str] = []
        refused: dict[str, str] = {}
        if action == "delete":
            return created, refused, self._scheduler.delete_executions([*planned])
        changed = 0
        for one, new_id in planned.items():
            try:
                if action == "retry":
                    created.append(self._scheduler.retry_execution(one, new_id=new_id))
                    changed += 1
                else:
                    changed += self._scheduler.cancel_task(one)
            except StoreUnavailable:
                raise
            except SchedulerError as error:
                refused[one] = str(error)
        return created, refused, changed

    def _named(self, ids: Sequence[str]) -> list[TaskExecution]:
        return self._scheduler.store.get(ids)

    def _fitting(self, query: ExecutionQuery | None) -> list[TaskExecution]:
        return self._search(query or ExecutionQuery(), _BATCH, None, _BATCH).rows

    def _search(
        self, query: ExecutionQuery, limit: int, cursor: str | None, looked_at: int
    ) -> _Found:
        since = "" if query.since is None else first_id_at(query.since)
        store, wanted = self._scheduler.store, _wanted(query)
        read: _Read = store.find if wanted is None else store.outlines
        step = min(limit + 1, _STEP) if wanted is None else _STEP
        fitting: list[_Seen] = []
        for seen, row in enumerate(_candidates(read, query, cursor, step)):
            if row.execution_id < since:
                break
            if len(fitting) == limit:
                return _Found(self._whole(fitting), fitting[-1].execution_id, complete=True)
            if seen == looked_at and wanted is not None:
                return _Found(self._whole(fitting), cursor, complete=False)
            cursor = row.execution_id
            if wanted is None or wanted(row):
                fitting.append(row)
        return _Found(self._whole(fitting), None, complete=True)

    def _whole(self, found: Sequence[_Seen]) -> list[TaskExecution]:
        rows = [one for one in found if isinstance(one, TaskExecution)]
        return rows if len(rows) == len(found) else self._named([one.execution_id for one in found])


def _candidates(
    read: _Read, query: ExecutionQuery, cursor: str | None, step: int
) -> Iterator[_Seen]:
    """By the conditions that the store knows, a page after the other."""
    if query.until is not None:
        last = first_id_at(query.until)
        cursor = last if cursor is None else min(cursor, last)
    while True:
        page = read(_filter(query, cursor, step))
        yield from page
        if len(page) < step:
            return
        cursor = page[-1].execution_id


def _filter(query: ExecutionQuery, cursor: str | None, limit: int) -> ExecutionFilter:
    statuses = query.status
    return ExecutionFilter(
        statuses=None if statuses is None else frozenset(map(TaskStatus, statuses)),
        task_id=query.task_id,
        workflow_id=query.workflow_id,
        schedule_id=query.schedule_id,
        priority=None if query.priority is None else priority_of(query.priority),
        queue=query.queue,
        cursor=cursor,
        limit=limit,
    )


def _wanted(query: ExecutionQuery) -> Callable[[_Seen], bool] | None:
    """The conditions that no index knows; None if there is none."""
    node, tag = query.node, query.tag
    text = None if query.text is None else query.text.casefold()
    if node is None and tag is None and text is None:
        return None

    def fits(row: _Seen) -> bool:
        return (
            (node is None or node_of(row) == node)
            and (tag is None or tag in row.tags)
            and (text is None or text in _words(row))
        )

    return fits


def _words(row: _Seen) -> str:
    told = (row.execution_id, row.task_id, row.task_name, row.error or "", row.reason or "")
    return "\n".join(told).casefold()


def _may(action: Literal["cancel", "retry", "delete"], row: TaskExecution) -> bool:
    return (row.status in FINAL) is (action != "cancel")
