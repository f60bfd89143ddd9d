"""Turns a wish to run a task into stored executions, with their dependencies bound."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ..dag import resolve
from ..errors import (
    ExecutionNotFound,
    InvalidArguments,
    StoreUnavailable,
    UnknownDependency,
)
from ..events import Event, EventType
from ..lifecycle import FINAL
from ..models import (
    DEFAULT_QUEUE,
    NOTHING,
    ExecutionFilter,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskExecution,
    task_key,
)
from ..registry import RegisteredTask
from ..stores.abilities import TransactionalStore
from ..stores.base import ONE_STEP
from .arguments import Arguments
from .ground import Ground
from .ids import ExecutionIds
from .inputs import inputs_of
from .options import retry_fields
from .settler import Change, Settler

logger = logging.getLogger(__name__)

_SCHEDULED: Final = EventType.SCHEDULED
DEFAULTS: Final = ScheduleOptions()
PARENT: Final = "parent"
"""Where ``extras`` has the id of the execution that asked for this one."""


class Request(NamedTuple):
    """One wish: this task, with these arguments, under these options (checked)."""

    task: RegisteredTask
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    options: ScheduleOptions = DEFAULTS
    schedule_id: str | None = None
    execution_id: str | None = None  # that it is to have
    parent: str | None = None  # the execution that asks for it


class Intake:
    """Checks everything first; only then is anything stored."""

    def __init__(self, ground: Ground, *, arguments: Arguments, settler: Settler) -> None:
        self._store = ground.store
        self._registry = ground.registry
        self._arguments = arguments
        self._settler = settler
        self._events = ground.events
        self._clock = ground.clock
        self._times = ground.times
        self._ids = ExecutionIds()

    def submit(self, requests: Sequence[Request]) -> list[str]:
        """Store one execution for each request, all or none; answers their ids in order.

        Raises ``InvalidArguments``, ``UnknownDependency`` and ``ExecutionNotFound`` before
        anything is stored. A request whose ``unique`` key is taken answers the holder's id; one
        whose execution id another task or workflow run has raises ``InvalidArguments``.
        """
        now = self._clock.now()
        rows = self.prepare(requests, now)
        connection = requests[0].options.connection if requests else None
        if connection is not None:
            return self._within(connection, rows)
        return self.accept(rows, now)

    def accept(self, rows: Sequence[TaskExecution], now: datetime) -> list[str]:
        """Store rows that are ready to be; answers the id of each, or of its key's holder."""
        added = self._times.call("add", self._store.add, rows)
        all_new = all(added)
        stored = rows if all_new else [row for row, new in zip(rows, added, strict=True) if new]
        for row in stored:
            self._events.publish(Event(_SCHEDULED, now, row))
        if blocked := [row for row in stored if row.blocked_by]:
            at_once = {row.execution_id for row in stored} if len(rows) <= ONE_STEP else set()
            self.recheck([row for row in blocked if not row.blocked_by <= at_once])
        if all_new:
            return [row.execution_id for row in rows]
        return [
            row.execution_id if new else self._holder(row)
            for row, new in zip(rows, added, strict=True)
        ]

    def _within(self, connection: object, rows: Sequence[TaskExecution]) -> list[str]:
        """Stored in the caller's transaction: what is not committed is no news to anybody.

        So nobody is told of it; the nodes find it by the signal of the commit, or by polling.
        """
        return self._transactional(connection).add_within(connection, rows)

    def _transactional(self, connection: object) -> TransactionalStore:
        if isinstance(self._store, TransactionalStore):
            return self._store
        raise InvalidArguments(
            f"connection={connection!r} needs a store in an SQL database, not "
            f"{type(self._store).__name__}"
        )

    def prepare(self, requests: Sequence[Request], now: datetime) -> list[TaskExecution]:
        """The rows that ``submit`` would store; nothing is stored."""
        rows: list[TaskExecution] = []
        siblings: dict[tuple[str | None, str], TaskExecution] = {}
        for request in requests:
            row = self._row(request, now, siblings)
            siblings[row.workflow_id, row.task_id] = row
            rows.append(row)
        return rows

    def recheck(self, rows: Sequence[TaskExecution]) -> None:
        """Settle rows whose dependencies had ended before, or while, the rows were stored.

        Whoever ends an execution looks for the rows that wait for it; a row that is stored
        a moment later would be missed, so each side looks after it has written. What is stored
        in one step with all that it waits for cannot be missed.
        """
        if not rows:
            return
        try:
            self._settler.settle(self.due_changes(rows))
        except StoreUnavailable as error:  # they are accepted: whoever failed would do it twice
            logger.warning("left to the housekeeper: %s", error)

    def due_changes(self, rows: Sequence[TaskExecution]) -> list[Change]:
        """What the present state of the upstreams makes of these blocked rows."""
        keys = {key for row in rows for key in row.blocked_by}
        tasks = {task_key(one.task_id): one.task_id for row in rows for one in row.dependencies}
        known = {row.execution_id: row for row in self._store.get(keys - tasks.keys())}
        latest = {key: self._latest_end(task) for key, task in tasks.items() if key in keys}
        now = self._clock.now()
        changes: list[Change] = []
        for row in rows:
            ended: dict[str, TaskExecution | None] = {}
            for key in row.blocked_by:
                upstream = latest.get(key) or known.get(key)
                if upstream is None:
                    over = key not in latest  # trimmed from the history before it was seen
                else:
                    later = key in known or upstream.execution_id > row.execution_id
                    over = later and upstream.status in FINAL
                if over:
                    ended[key] = upstream
            if (transition := resolve(row, ended, now)) is not None:
                changes.append(Change(row, transition))
        return changes

    def _latest_end(self, task_id: str) -> TaskExecution | None:
        ended = ExecutionFilter(task_id=task_id, statuses=FINAL, limit=1)
        return next(iter(self._store.find(ended)), None)

    def new_id(self, now: datetime) -> str:
        """An id for an execution that is made elsewhere."""
        return self._ids.make(now)

    def _row(
        self,
        request: Request,
        now: datetime,
        siblings: Mapping[tuple[str | None, str], TaskExecution],
    ) -> TaskExecution:
        task, options = request.task, request.options
        definition = task.definition
        inputs = inputs_of(request.args, request.kwargs)
        args, kwargs = self._arguments.store(
            task, request.args, request.kwargs, inputs, options.executor
        )
        due = _due(options, now)
        made: dict[str, Any] = {
            "execution_id": (request.execution_id or options.execution_id or self._ids.make(now)),
            "scheduled_time": due,
            "created_time": now,
            "due_time": due,
            "args": args,
        }
        if kwargs:
            made["kwargs"] = kwargs
        if request.schedule_id is not None:
            made["schedule_id"] = request.schedule_id
        dependencies = self._bind(definition.dependencies, options, siblings)
        if inputs:
            dependencies += self._upstreams(inputs, options)
        if dependencies:
            made |= waiting_for(dependencies, now)
        if inputs or options is not DEFAULTS:
            made |= _asked_for(definition, options, inputs)
        if request.parent is not None:
            made["extras"] = {**made.get("extras", NOTHING), PARENT: request.parent}
        return task.blank.with_changes(made)

    def _bind(
        self,
        dependencies: Sequence[TaskDependency],
        options: ScheduleOptions,
        siblings: Mapping[tuple[str | None, str], TaskExecution],
    ) -> tuple[TaskDependency, ...]:
        if not dependencies and not options.after:
            return ()
        unknown = [d.task_id for d in dependencies if d.task_id not in self._registry]
        if unknown:
            raise UnknownDependency(
                f"the dependency {unknown[0]!r} is not registered; register that task first, "
                "or take the dependency out of the definition"
            )
        return (
            *(self._bound(one, options.workflow_id, siblings) for one in dependencies),
            *self._after(options),
        )

    def _bound(
        self,
        dependency: TaskDependency,
        workflow_id: str | None,
        siblings: Mapping[tuple[str | None, str], TaskExecution],
    ) -> TaskDependency:
        """The run of the same workflow counts; else the newest one of that task; else the next."""
        upstream = siblings.get((workflow_id, dependency.task_id))
        if upstream is None:
            upstream = self._newest(dependency.task_id, workflow_id)
        return TaskDependency(
            dependency.task_id,
            dependency.dependency_type,
            dependency.timeout,
            upstream.execution_id if upstream else None,
        )

    def _newest(self, task_id: str, workflow_id: str | None) -> TaskExecution | None:
        if workflow_id is not None:
            same_run = ExecutionFilter(workflow_id=workflow_id, task_id=task_id, limit=1)
            for row in self._store.find(same_run):
                return row
        return self._store.newest([task_id]).get(task_id)

    def _after(self, options: ScheduleOptions) -> list[TaskDependency]:
        if not options.after:
            return []
        found = self._tasks_of({one: f"after={one!r}" for one in options.after}, options)
        return [TaskDependency(found[one], execution_id=one) for one in options.after]

    def _upstreams(
        self, inputs: Mapping[str, str], options: ScheduleOptions
    ) -> tuple[TaskDependency, ...]:
        """Those whose results the arguments are: they must succeed."""
        found = self._tasks_of({one: f"result_of({one!r})" for one in inputs.values()}, options)
        return tuple(
            TaskDependency(task_id, "success", execution_id=one) for one, task_id in found.items()
        )

    def _tasks_of(self, wanted: Mapping[str, str], options: ScheduleOptions) -> dict[str, str]:
        """The task of each execution; ``wanted`` says how the caller named it."""
        connection = options.connection
        if connection is None:
            rows = self._store.get(list(wanted))
        else:  # they may be of the same transaction, where nobody else sees them
            rows = self._transactional(connection).get_within(connection, list(wanted))
        found = {row.execution_id: row.task_id for row in rows}
        for execution_id, named in wanted.items():
            if execution_id not in found:
                raise ExecutionNotFound(
                    f"{named}: no such execution; it never existed, or it was trimmed from the "
                    "history"
                )
        return found

    def _holder(self, row: TaskExecution) -> str:
        for there in self._store.get([row.execution_id]):
            return same_work(there, row)  # to add a row is safe to repeat
        if row.unique_key is None:
            return row.execution_id  # it was there, and is gone by now
        holder = self._store.by_unique_key(row.unique_key)
        if holder is not None:
            return holder.execution_id
        if self._store.add([row]) == [True]:  # the holder ended in between
            self._events.publish(Event(EventType.SCHEDULED, self._clock.now(), row))
            self.recheck([row] if row.blocked_by else [])
            return row.execution_id
        return self._holder(row)


def same_work(there: TaskExecution, wanted: TaskExecution) -> str:
    """The id of what is there; raises ``InvalidArguments`` if that is not what is wanted."""
    if (there.task_id, there.workflow_id) == (wanted.task_id, wanted.workflow_id):
        return there.execution_id
    raise InvalidArguments(
        f"execution_id={there.execution_id!r} is taken by an execution of task {there.task_id!r} "
        f"(workflow run: {there.workflow_id or 'none'}); give each an id of its own"
    )


def _asked_for(
    definition: TaskDefinition, options: ScheduleOptions, inputs: Mapping[str, str]
) -> Mapping[str, Any]:
    """What one call wants otherwise than the definition."""
    return {
        "priority": definition.priority if options.priority is None else options.priority,
        "timeout": definition.timeout if options.timeout is None else options.timeout,
        "tags": (*definition.tags, *options.tags),
        "unique_key": options.unique,
        "workflow_id": options.workflow_id,
        "queue": options.queue or DEFAULT_QUEUE,
        "rank": options.rank,
        "extras": _extras(options, inputs),
    }


def _extras(options: ScheduleOptions, inputs: Mapping[str, str]) -> Mapping[str, Any]:
    """What few executions have; see ``TaskExecution``."""
    extras: dict[str, Any] = {}
    if options.retry is not None:
        extras["retry"] = retry_fields(options.retry)
    if options.executor is not None:
        extras["executor"] = options.executor
    if inputs:
        extras["inputs"] = inputs
    if options.metadata:
        extras["metadata"] = options.metadata
    return extras or NOTHING


def _due(options: ScheduleOptions, now: datetime) -> datetime:
    if options.delay is not None:
        return now + timedelta(seconds=options.delay)
    return options.at or now


def waiting_for(
    dependencies: Sequence[TaskDependency], now: datetime, met: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    """The fields of a row that waits for all of these, but for those whose keys are met."""
    awaited = [one for one in dependencies if one.key not in met]
    if not awaited:
        return {"dependencies": dependencies}
    limits = [one.timeout for one in awaited if one.timeout is not None]
    names = ", ".join(repr(one.task_id) for one in awaited[:5])
    more = f" and {len(awaited) - 5} more" if len(awaited) > 5 else ""
    return {
        "dependencies": dependencies,
        "blocked_by": frozenset(one.key for one in awaited),
        "wait_until": now + timedelta(seconds=min(limits)) if limits else None,
        "reason": f"waits for {names}{more}",
    }
