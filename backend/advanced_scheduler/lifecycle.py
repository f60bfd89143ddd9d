"""The state machine of an execution: the one place where a status is chosen.

A store never decides.  It applies a :class:`Transition` if, and only if, the stored row is
still in one of its ``sources`` and holds its ``fence``, the number of claims so far; so a
node that lost its lease can never overwrite the one that took over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from .errors import IllegalTransition
from .models import (
    NOTHING,
    DependencyType,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    with_attempt,
)

_S = TaskStatus

NEXT: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    _S.PENDING: frozenset({_S.PENDING, _S.RUNNING, _S.CANCELLED, _S.SKIPPED}),
    _S.RUNNING: frozenset({_S.COMPLETED, _S.FAILED, _S.RETRYING, _S.CANCELLED, _S.PENDING}),
    _S.RETRYING: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
}
FINAL: Final = frozenset(status for status, after in NEXT.items() if not after)
OPEN: Final = frozenset(NEXT) - FINAL
"""An execution in one of these has not ended."""
CLAIMABLE: Final = frozenset(status for status, after in NEXT.items() if _S.RUNNING in after)
MEETS: Final[Mapping[TaskStatus, frozenset[DependencyType]]] = {
    _S.COMPLETED: frozenset({"completion", "success"}),
    _S.FAILED: frozenset({"completion", "failure"}),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
}
"""Which dependencies an end meets."""

_RUNS, _COMPLETED = _S.RUNNING, _S.COMPLETED  # a look at an enum's class costs 70 ns
_RUNNING: Final = frozenset({_RUNS})
_PENDING: Final = frozenset({_S.PENDING})


def claim_order(row: TaskExecution) -> tuple[TaskPriority, int, datetime, str]:
    """What waiting executions are sorted by: priority, the higher rank, due time, id.

    Every store claims in this order. Ids grow with the time at which they are made, so the last
    one is the order of arrival.
    """
    return row.priority, -row.rank, row.due, row.execution_id


def plain_need(row: TaskExecution) -> DependencyType | None:
    """The type of all dependencies of a blocked row, if there is no more to know of them.

    Then an end that meets it just takes its key off ``blocked_by``, and ``wait_until`` goes with
    the last one; ``dag.resolve`` would say the same. None where only that can tell: the row has
    dependencies of several types or time-outs, or waits for what is none.
    """
    if not row.blocked_by:
        return None
    kinds = {(one.dependency_type, one.timeout) for one in row.dependencies}
    if len(kinds) != 1 or not row.blocked_by.issubset(one.key for one in row.dependencies):
        return None
    ((need, _),) = kinds
    return need


class _Change(NamedTuple):
    execution_id: str
    fence: int | None
    sources: frozenset[TaskStatus]
    target: TaskStatus
    changes: Mapping[str, Any]
    unblocks: frozenset[str]


class Transition(_Change):  # a tuple: made for every end, at half the cost of a frozen dataclass
    """A guarded change of one execution; made by the functions below, one for each arrow.

    ``fence=None`` accepts any holder. ``unblocks`` are keys to take off ``blocked_by``: a
    difference, not a value, so that two nodes that settle two dependencies both count.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        execution_id: str,
        fence: int | None,
        sources: frozenset[TaskStatus],
        target: TaskStatus,
        changes: Mapping[str, Any] = NOTHING,
        unblocks: frozenset[str] = frozenset(),
    ) -> Self:
        """Raises ``IllegalTransition`` for an arrow that is not in the table."""
        for source in sources:
            if target not in NEXT[source]:
                raise IllegalTransition(
                    f"no arrow leads from {source} to {target} (execution {execution_id})"
                )
        return tuple.__new__(cls, (execution_id, fence, sources, target, changes, unblocks))

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]  # knew no Self
        """What ``_replace`` makes is checked as well."""
        return cls(**dict(zip(cls._fields, iterable, strict=True)))

    def fits(self, status: TaskStatus, fence: int) -> bool:
        """Whether a row with this status and fence may take the change."""
        return status in self.sources and (self.fence is None or self.fence == fence)

    def on(self, row: TaskExecution) -> TaskExecution:
        """The row after the change."""
        changes = self.changes
        if self.unblocks:
            changes = {**changes, "blocked_by": row.blocked_by - self.unblocks}
        return row.with_changes(changes, self.target)


def _leave(row: TaskExecution, target: TaskStatus, changes: dict[str, Any]) -> Transition:
    """RUNNING -> target, by the holder of the fence alone, and nobody's from then on.

    What has ended keeps the name of the node that ran it.
    """
    changes["lease_until"] = None
    if target not in FINAL:
        changes["node"] = None
    return Transition(
        execution_id=row.execution_id,
        fence=row.fence,
        sources=_RUNNING,
        target=target,
        changes=changes,
    )


def claim(
    row: TaskExecution, *, node: str, now: datetime, lease_until: datetime
) -> Mapping[str, Any]:
    """PENDING or RETRYING -> RUNNING: the one change that stores make by themselves."""
    return {
        "status": _RUNS,
        "attempt": row.attempt + 1,
        "fence": row.fence + 1,
        "node": node,
        "lease_until": lease_until,
        "started_time": now,
        "reason": None,
    }


def complete(
    row: TaskExecution, *, result: Any, metrics: Mapping[str, Any], now: datetime
) -> Transition:
    """RUNNING -> COMPLETED."""
    return _leave(
        row,
        _COMPLETED,
        {
            "result": result,
            "metrics": {**row.metrics, **metrics} if row.metrics else metrics,
            "completed_time": now,
            "unique_key": None,
            "error": None,
            "traceback_str": None,
        },
    )


def fail(
    row: TaskExecution,
    *,
    error: str,
    traceback_str: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    now: datetime,
) -> Transition:
    """RUNNING -> FAILED."""
    cause = f"task {row.task_id!r} (execution {row.execution_id}) failed: {error}"
    return _leave(
        row,
        _S.FAILED,
        {
            "error": error,
            "traceback_str": traceback_str,
            "metrics": {**row.metrics, **(metrics or {})},
            "completed_time": now,
            "unique_key": None,
            "cause": cause,
        },
    )


def retry(
    row: TaskExecution,
    *,
    error: str,
    traceback_str: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    at: datetime,
    now: datetime | None = None,
    backoff: str | None = None,
) -> Transition:
    """RUNNING -> RETRYING: a new attempt of the same execution, due ``at``.

    ``backoff`` says how the delay from ``now`` on was computed.
    """
    timed_out = metrics is not None and metrics.get("timed_out")
    return _leave(
        row,
        _S.RETRYING,
        {
            "error": error,
            "traceback_str": traceback_str,
            "metrics": {**row.metrics, **(metrics or {})},
            "due_time": at,
            "retry_count": row.attempt,
            "reason": f"retry {row.attempt} after: {error}",
            "extras": with_attempt(
                row,
                outcome="timed_out" if timed_out else "failed",
                ended=now,
                error=error,
                traceback_str=traceback_str,
                due=at,
                backoff=backoff,
            ),
        },
    )


def give_back(row: TaskExecution, *, due: datetime, reason: str) -> Transition:
    """RUNNING -> PENDING with the attempt refunded: shutdown, a busy lock, a limit."""
    return _leave(
        row,
        _S.PENDING,
        {"attempt": row.attempt - 1, "due_time": due, "reason": reason},
    )


def recover(row: TaskExecution, *, now: datetime, max_crashes: int) -> Transition:
    """RUNNING -> PENDING, or FAILED past the cap: the lease ran out under a lost node.

    What runs at most once has FAILED at the first time. The next claim clears ``reason``;
    ``metrics["lost"]`` stays, and says it to the end.
    """
    lost = f"node {row.node} was lost during attempt {row.attempt} (its lease ran out)"
    crashes = row.crashes + 1
    why = None
    if row.at_most_once:
        why = f"{lost}; the task runs at most once"
    elif crashes > max_crashes:
        why = f"{lost}; crash {crashes} exceeds max_crashes={max_crashes}"
    if why is not None:
        end = fail(row, error=why, now=now)
        return _leave(row, _S.FAILED, {**end.changes, "crashes": crashes})
    return _leave(
        row,
        _S.PENDING,
        {
            "crashes": crashes,
            "retry_count": row.attempt,
            "due_time": now,
            "reason": lost,
            "metrics": {**row.metrics, "lost": lost},
            "extras": with_attempt(row, outcome="lost", ended=now, error=lost, due=now),
        },
    )


def cancel(
    row: TaskExecution, *, now: datetime, reason: str = "cancelled by a caller"
) -> Transition:
    """PENDING, RUNNING or RETRYING -> CANCELLED, whoever holds it; says on which node it ran."""
    return Transition(
        execution_id=row.execution_id,
        fence=None,
        sources=OPEN,
        target=_S.CANCELLED,
        changes={
            "lease_until": None,
            "completed_time": now,
            "unique_key": None,
            "reason": reason,
            "cause": f"task {row.task_id!r} (execution {row.execution_id}) was cancelled",
        },
        unblocks=row.blocked_by,
    )


def skip(row: TaskExecution, *, reason: str, cause: str, now: datetime) -> Transition:
    """PENDING -> SKIPPED: a dependency can no longer be met; ``cause`` names the root."""
    return Transition(
        execution_id=row.execution_id,
        fence=None,
        sources=_PENDING,
        target=_S.SKIPPED,
        changes={
            "reason": reason,
            "error": reason,
            "cause": cause,
            "completed_time": now,
            "unique_key": None,
        },
        unblocks=row.blocked_by,
    )


def unblock(row: TaskExecution, *, settled: frozenset[str]) -> Transition:
    """PENDING -> PENDING: some of its dependencies are met; safe to repeat."""
    return Transition(
        execution_id=row.execution_id,
        fence=None,
        sources=_PENDING,
        target=_S.PENDING,
        unblocks=settled,
    )


def expedite(row: TaskExecution, *, due: datetime) -> Transition:
    """PENDING -> PENDING: what it waited for is free now."""
    return Transition(
        execution_id=row.execution_id,
        fence=row.fence,
        sources=_PENDING,
        target=_S.PENDING,
        changes={"due_time": due},
    )


def reorder(row: TaskExecution, *, priority: TaskPriority, rank: int) -> Transition:
    """PENDING -> PENDING: it stands elsewhere among those that wait."""
    return Transition(
        execution_id=row.execution_id,
        fence=None,
        sources=_PENDING,
        target=_S.PENDING,
        changes={"priority": priority, "rank": rank},
    )


def annotate(transition: Transition, **columns: Any) -> Transition:
    """The same arrow, writing some more columns (never the status)."""
    return transition._replace(changes={**transition.changes, **columns})
