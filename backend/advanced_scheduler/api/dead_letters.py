"""What operators ask of executions that failed for good, by task and kind of error."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ..errors import ExecutionNotFound, SchedulerError, StoreUnavailable
from ..models import ExecutionFilter, Outline, RecordKind, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .operation_schemas import DeadLetterGroup, DeadLetterPage
from .planning import Plan, unplanned
from .problems import not_found
from .schemas import BatchOut

_LOOKED_AT: Final = 5000  # the newest failures; older ones are behind them
_STEP: Final = 500


class DeadLetters:
    """Groups of failed executions; one that was run again, or discarded, is no dead letter."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def groups(self) -> DeadLetterPage:
        """The groups, the largest first, of the newest 5,000 failures."""
        rows, complete = self._failed()
        found = [_group(one, members) for one, members in _grouped(rows).items()]
        found.sort(key=lambda one: (-one.count, one.id))
        return DeadLetterPage(items=found, complete=complete)

    def count(self) -> int:
        """How many executions all groups have, however old."""
        return sum(self._scheduler.store.counts([TaskStatus.FAILED]).values())

    def retry(self, group_id: str, plan: Plan = unplanned) -> BatchOut:
        """Run each of a group again, and take it off the list; raises ``Problem``."""
        planned = plan(lambda: self._members(group_id))
        created: list[str] = []
        refused: dict[str, str] = {}
        for first in range(0, len(planned), _STEP):
            ids = [*planned][first : first + _STEP]
            created += self._again({one: planned[one] for one in ids}, refused)
            self._scheduler.delete_executions([one for one in ids if one not in refused])
        return _done("retry", len(planned), len(created), created, refused)

    def _again(self, planned: Mapping[str, str | None], refused: dict[str, str]) -> Iterator[str]:
        """What was run again and not deleted, before a crash, is not run a second time.

        What cannot be run now stays on the list, and in ``refused`` is why.
        """
        found = self._scheduler.store.records(RecordKind.AGAIN, ids=[*planned])
        begun = {one.record_id: next(iter(one.data.values())) for one in found}
        made = {row.execution_id for row in self._scheduler.store.get(begun.values())}
        for one, new_id in planned.items():
            if begun.get(one) in made - {new_id}:
                continue
            try:
                yield self._scheduler.retry_execution(one, new_id=new_id)
            except ExecutionNotFound:
                continue  # somebody else was faster
            except StoreUnavailable:
                raise
            except SchedulerError as error:
                refused[one] = str(error)

    def discard(self, group_id: str, plan: Plan = unplanned) -> BatchOut:
        """Delete each of a group; raises ``Problem``."""
        planned = plan(lambda: self._members(group_id))
        deleted = self._scheduler.delete_executions([*planned])
        return _done("discard", len(planned), deleted, [], {})

    def _members(self, group_id: str) -> list[str]:
        rows, _ = self._failed()
        for one, members in _grouped(rows).items():
            if _id(*one) == group_id:
                return [row.execution_id for row in members]
        raise not_found("dead-letter-group", group_id)

    def _failed(self) -> tuple[list[Outline], bool]:
        query = ExecutionFilter(statuses=frozenset({TaskStatus.FAILED}), limit=_LOOKED_AT)
        rows = self._scheduler.store.outlines(query)
        return rows, len(rows) < _LOOKED_AT


def _grouped(rows: Sequence[Outline]) -> dict[tuple[str, str], list[Outline]]:
    groups: defaultdict[tuple[str, str], list[Outline]] = defaultdict(list)
    for row in rows:
        groups[row.task_id, _kind(row)].append(row)
    return dict(groups)


def _kind(row: Outline) -> str:
    """The type of the error: what stands before the colon, if that is one word."""
    head = (row.error or "").partition(":")[0]
    return head if head.replace(".", "_").isidentifier() else "Error"


def _group(one: tuple[str, str], rows: Sequence[Outline]) -> DeadLetterGroup:
    times = [row.completed_time for row in rows if row.completed_time is not None]
    return DeadLetterGroup(
        id=_id(*one),
        task_id=one[0],
        error_type=one[1],
        count=len(rows),
        first_seen=min(times, default=None),
        last_seen=max(times, default=None),
        sample=rows[0].execution_id,
        sample_error=rows[0].error,
    )


def _id(task_id: str, kind: str) -> str:
    return hashlib.sha256(f"{task_id}\0{kind}".encode()).hexdigest()[:16]


def _done(
    action: str, matched: int, changed: int, created: list[str], refused: dict[str, str]
) -> BatchOut:
    return BatchOut(
        action=action,
        dry_run=False,
        matched=matched,
        changed=changed,
        created=created,
        refused=refused,
    )
