"""What the facade does to tasks, executions and schedules; checks first, stores then."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, Final
from uuid import uuid4

from .. import lifecycle
from ..definitions import definition_for
from ..errors import (
    ConfigurationError,
    ExecutionNotFound,
    InvalidArguments,
    TaskAlreadyRegistered,
    TaskInUse,
)
from ..events import Event, EventType
from ..faults import is_storable
from ..lifecycle import OPEN
from ..models import (
    ExecutionFilter,
    Notes,
    ScheduleOptions,
    TaskDefinition,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    task_key,
)
from ..registry import RegisteredTask
from .again import Again
from .ids import ids_under, is_id
from .intake import DEFAULTS, Intake, Request, same_work
from .options import (
    check_execution_id,
    checked,
    checked_list,
    cleared_until,
    execution_filter,
)
from .parts import Parts
from .pools import Pools
from .settler import Change
from .views import notes_of

_BATCH: Final = 500
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)  # the age from which the ledger goes as well
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


class Commands:
    """The verbs behind ``AdvancedTaskScheduler``, with no idea of a running engine."""

    def __init__(self, parts: Parts, pools: Pools | None = None) -> None:
        self._parts = parts
        self._pools = pools or Pools()
        self._again = Again(parts, parts.intake)

    def register(self, definition: TaskDefinition) -> RegisteredTask:
        """Into the registry and the graph, or into neither."""
        task = self._parts.registry.register(definition)
        try:
            self._check_locks(task.definition)
            self._parts.graph.add_task(task.definition.task_id, task.definition.dependencies)
        except ValueError:
            self._parts.registry.unregister(task.definition.task_id)
            raise
        return task

    def _check_locks(self, definition: TaskDefinition) -> None:
        locks, store = self._parts.locks, self._parts.store
        if definition.require_lock and locks.kind == "process" and store.durable:
            raise ConfigurationError(
                f"task {definition.task_id!r} requires a lock, and this store keeps none that "
                "other nodes see; give redis_client=, or set REDIS_URL"
            )

    def unregister(self, task_id: str) -> None:
        """Out of both, unless executions wait for one of its executions."""
        self._parts.registry.get(task_id)
        store = self._parts.store
        open_ones = store.find(ExecutionFilter(task_id=task_id, statuses=OPEN, limit=10_000))
        waiting = store.dependents({task_key(task_id), *(row.execution_id for row in open_ones)})
        if waiting:
            raise TaskInUse(
                f"task {task_id!r} cannot be unregistered: {len(waiting)} executions wait for it, "
                f"such as {waiting[0].execution_id} of task {waiting[0].task_id!r}; cancel them, "
                "or let them end"
            )
        self._parts.registry.unregister(task_id)
        self._parts.graph.remove_task(task_id)
        self._parts.arguments.forget(task_id)

    def schedule(
        self,
        task: object,
        calls: Sequence[Arguments],
        options: ScheduleOptions | None,
        scheduled_time: datetime | None,
    ) -> list[str]:
        """One execution for each call; answers the ids."""
        if options is None and scheduled_time is None:
            options = DEFAULTS
        else:
            options = checked(
                _with_time(DEFAULTS if options is None else options, scheduled_time),
                metadata_bytes=self._parts.settings.arguments_limit_bytes,
            )
        if options.execution_id is not None and len(calls) != 1:
            raise InvalidArguments("an execution_id is of one call; schedule the others one by one")
        known = self._able(task, options)
        return self._parts.intake.submit(
            [Request(known, args, kwargs, options) for args, kwargs in calls]
        )

    def request(self, task: object, call: Arguments, options: object) -> Request:
        """A checked wish, for the intake."""
        wanted = checked(options, metadata_bytes=self._parts.settings.arguments_limit_bytes)
        return Request(self._able(task, wanted), *call, wanted)

    @property
    def intake(self) -> Intake:
        """Where requests go."""
        return self._parts.intake

    def _able(self, task: object, options: ScheduleOptions) -> RegisteredTask:
        """The task, if it can run where the options say."""
        known = self.task_of(task)
        if options.executor is not None:
            self._pools.check(options.executor, known)
        return known

    def schedule_many(
        self,
        task: str | Callable[..., Any],
        calls: Iterable[Sequence[Any] | Mapping[str, Any]],
        options: ScheduleOptions | None,
    ) -> list[str]:
        """One execution for each call, which is positional or keyword arguments."""
        every = checked_list("calls", calls, "calls")
        return self.schedule(task, [_split(one) for one in every], options, None)

    def schedule_workflow(
        self,
        task_ids: Iterable[str],
        arguments: Mapping[str, Mapping[str, Any]],
        workflow_id: str | None = None,
    ) -> dict[str, str]:
        """One execution for each task, upstream ones first, bound to each other."""
        task_ids = checked_list("task_ids", task_ids, "task ids", str)
        if not isinstance(arguments, Mapping):
            raise InvalidArguments(f"arguments={reprlib.repr(arguments)} must be a dict by task id")
        strangers = sorted(set(arguments) - set(task_ids))
        if strangers:
            raise InvalidArguments(f"arguments for {strangers[0]!r}, which is not in the workflow")
        tasks = {task_id: self._parts.registry.get(task_id) for task_id in task_ids}
        options = checked(
            ScheduleOptions(workflow_id=workflow_id or uuid4().hex),
            metadata_bytes=self._parts.settings.arguments_limit_bytes,
        )
        if workflow_id is not None and (there := self._again.newest(workflow_id)):
            return {one: row.execution_id for one, row in there.items()}
        ordered = [one for one in self._parts.graph.topological_sort() if one in tasks]
        ids: Iterable[str | None] = repeat(None)
        if is_id(workflow_id):  # who is as fast as another makes the same executions
            ids = ids_under(str(workflow_id), "workflow")
        requests = [
            Request(tasks[one], *_split(arguments.get(one, {})), options, execution_id=execution_id)
            for one, execution_id in zip(ordered, ids, strict=False)
        ]
        return dict(zip(ordered, self._parts.intake.submit(requests), strict=True))

    def find(self, execution_id: object) -> TaskExecution | None:
        """The execution; None for what is no id of one."""
        if not isinstance(execution_id, str) or not is_storable(execution_id):
            return None
        return next(iter(self._parts.store.get([execution_id])), None)

    def notes(self, execution_id: object) -> Notes:
        """What the execution has told; nothing for what is no id of one."""
        if not isinstance(execution_id, str) or not is_storable(execution_id):
            return Notes()
        return notes_of(self._parts.store, execution_id)

    def list_executions(
        self, statuses: Collection[TaskStatus | str] | None, limit: int, **fields: str | None
    ) -> list[TaskExecution]:
        """A page of executions, the newest first."""
        return self._parts.store.find(execution_filter(statuses, limit, **fields))

    def clear_history(self, before: datetime | None) -> int:
        """Delete what has ended, in batches; answers how many executions went."""
        end = cleared_until(before, self._parts.clock.now())
        deleted = 0
        while pruned := self._parts.store.prune(
            keep=0, before=end, older_than=_LONG_AGO, limit=_BATCH
        ):
            deleted += pruned
        return deleted

    def delete(self, execution_ids: Collection[str]) -> int:
        """Delete those that have ended, in batches; answers how many."""
        given = checked_list("execution_ids", execution_ids, "execution ids")
        ids = [one for one in given if is_storable(one)]
        parts = (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))
        return sum(self._parts.store.delete(part) for part in parts)

    def cancel(self, execution_id: str) -> bool:
        """Cancel it and skip what depends on it; False if it had ended or is unknown."""
        now = self._parts.clock.now()
        row = self.find(execution_id)
        if row is None:
            return False
        return any(self._parts.settler.settle([Change(row, lifecycle.cancel(row, now=now))]))

    def skip(self, execution_id: str) -> bool:
        """Skip what waits, and what depends on it; False if it does not wait, or is unknown."""
        row = self.find(execution_id)
        if row is None:
            return False
        move = lifecycle.skip(
            row,
            reason="skipped by a caller",
            cause=f"task {row.task_id!r} (execution {row.execution_id}) was skipped",
            now=self._parts.clock.now(),
        )
        return any(self._parts.settler.settle([Change(row, move)]))

    def reorder(self, execution_id: str, priority: TaskPriority | None, rank: int | None) -> bool:
        """Let it wait elsewhere; False if it does not wait, or is unknown."""
        wanted = checked(ScheduleOptions(priority=priority, rank=0 if rank is None else rank))
        row = self.find(execution_id)
        if row is None:
            return False
        move = lifecycle.reorder(
            row,
            priority=row.priority if wanted.priority is None else wanted.priority,
            rank=row.rank if rank is None else wanted.rank,
        )
        (done,) = self._parts.store.apply([move])
        if done:
            now = self._parts.clock.now()
            self._parts.events.publish(Event(EventType.REORDERED, now, move.on(row)))
        return done

    def retry(self, execution_id: str, new_id: str | None = None) -> str:
        """A new execution in the place of one that has ended; answers its id."""
        check_execution_id(new_id)
        made = self.find(new_id)
        row = self.find(execution_id)
        if made is not None:  # also where the old one is gone by now
            return made.execution_id if row is None else same_work(made, row)
        if row is None:
            raise ExecutionNotFound(
                f"no execution {execution_id!r}; it never existed, or it was trimmed from the "
                "history"
            )
        return self._again.execution(row, new_id)

    def retry_workflow(self, workflow_id: str, seen: str | None = None) -> dict[str, str]:
        """New executions in the place of those of a run that did not complete."""
        check_execution_id(seen)
        return self._again.workflow(workflow_id, seen)

    def task_of(self, task: object) -> RegisteredTask:
        """What a caller means: an id, a handle, or a callable, which is registered if need be."""
        named = task if isinstance(task, str) else getattr(task, "task_id", None)
        if isinstance(named, str):  # an id, or what the decorator made of a function
            return self._parts.registry.get(named)
        if not callable(task):
            raise InvalidArguments(f"{task!r} is neither the id of a task nor a callable")
        definition = definition_for(task)
        if definition.task_id not in self._parts.registry:
            with suppress(TaskAlreadyRegistered):  # another thread was faster
                return self.register(definition)
        known = self._parts.registry.get(definition.task_id)
        if known.function != task:
            raise InvalidArguments(
                f"another function is registered as {definition.task_id!r}; register this one "
                "under an id of its own and schedule that"
            )
        return known


def _with_time(options: ScheduleOptions, scheduled_time: datetime | None) -> ScheduleOptions:
    if scheduled_time is None or not isinstance(options, ScheduleOptions):
        return options
    if options.at is not None:
        raise InvalidArguments(
            f"scheduled_time={scheduled_time} and options.at={options.at} say the same thing; "
            "give one of them"
        )
    return replace(options, at=scheduled_time)


def _split(call: object) -> Arguments:
    if isinstance(call, Mapping):
        return (), call
    if isinstance(call, Sequence) and not isinstance(call, str | bytes):
        return tuple(call), {}
    raise InvalidArguments(
        f"a call must be a list of positional arguments or a dict of keyword arguments, "
        f"not {reprlib.repr(call)}"
    )
