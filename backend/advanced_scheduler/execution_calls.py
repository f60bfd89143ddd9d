"""The part of the face that is about executions: many at once, to find, to wait for, to end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .engine.callbacks import Callbacks
from .engine.commands import Commands
from .engine.schedules import Schedules
from .engine.views import status_of
from .engine.waiters import Waiters
from .models import Notes, ScheduleOptions, TaskExecution, TaskPriority, TaskStatus


class ExecutionCalls:
    """Calls on executions; thread-safe, and the same on any node of a store."""

    _commands: Commands
    _waiters: Waiters
    _callbacks: Callbacks
    _schedules: Schedules

    def schedule_task_many(
        self,
        task: str | Callable[..., Any],
        calls: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        options: ScheduleOptions | None = None,
    ) -> list[str]:
        """Schedule one execution for each of ``calls``, all or none, in one write.

        A call is a sequence of positional arguments, or a mapping of keyword arguments.
        Answers the execution ids in the order of the calls.
        """
        return self._commands.schedule_many(task, calls, options)

    def schedule_workflow(
        self,
        task_ids: Iterable[str],
        arguments: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        workflow_id: str | None = None,
    ) -> dict[str, str]:
        """Schedule these tasks together, as one workflow run; answers {task id: execution id}.

        Dependencies among them are bound within the run. ``arguments`` are keyword arguments
        by task id. Of a ``workflow_id`` that is there, the executions are answered, and nothing
        is scheduled.
        """
        return self._commands.schedule_workflow(task_ids, arguments or {}, workflow_id)

    def cancel_task(self, execution_id: str) -> bool:
        """Cancel an execution, and skip what depends on it; False if it had ended or is unknown.

        A coroutine is cancelled and a process killed. A thread cannot be stopped: its context
        is told, and whatever it still answers does not count.
        """
        return self._commands.cancel(execution_id)

    def skip_execution(self, execution_id: str) -> bool:
        """Skip an execution that is pending, and what depends on it; False if it is not.

        What has begun, also what waits for a retry, can be cancelled instead.
        """
        return self._commands.skip(execution_id)

    def reorder_execution(
        self,
        execution_id: str,
        *,
        priority: TaskPriority | None = None,
        rank: int | None = None,
    ) -> bool:
        """Give an execution that is pending another priority or rank; False if it is not pending.

        Of equal priority the higher rank (-1000 to 1000) goes first. Raises ``InvalidArguments``.
        """
        return self._commands.reorder(execution_id, priority, rank)

    def retry_execution(self, execution_id: str, *, new_id: str | None = None) -> str:
        """Run an execution that has ended once more, as a new one; answers the new id.

        It has the arguments and options of the old one, which its ``extras["again"]`` names, and
        starts now, without its dependencies. While that one has not ended, asking again answers
        its id; with a ``new_id`` (UUIDv7) for the new one, also later. Raises
        ``ExecutionNotFound``, ``TaskNotRegistered``, and ``InvalidArguments`` if it has not ended.
        """
        return self._commands.retry(execution_id, new_id)

    def backfill_schedule(
        self,
        schedule_id: str,
        instants: Iterable[datetime],
        *,
        force: bool | Mapping[datetime, str | None] = False,
    ) -> list[str]:
        """Run a schedule for instants (aware) of the past; answers the execution ids, by instant.

        Each starts as soon as a slot is free, whatever the overlap policy; its ``scheduled_time``
        is the instant, and its metadata have it under ``backfill``. The ledger stays as it was.
        Asking again answers the id of the execution that is there, as long as the history has
        it; with ``force`` an instant runs again if its execution has ended. A dict instead of
        True says for which instants (in UTC), and which ids (UUIDv7) the new ones have, so that
        this can be said again as well. Raises ``ScheduleNotFound``, ``TaskNotRegistered`` and
        ``InvalidArguments``.
        """
        return self._schedules.backfill(schedule_id, instants, force)

    def backfilled(self, schedule_id: str, instants: Iterable[datetime]) -> dict[datetime, str]:
        """The execution that a backfill made for each of these instants (aware), by instant.

        Of those that nobody made, or that are gone from the history, nothing. Raises
        ``ScheduleNotFound`` and ``InvalidArguments``.
        """
        return self._schedules.backfilled(schedule_id, instants)

    def retry_workflow(self, workflow_id: str, *, seen: str | None = None) -> dict[str, str]:
        """Run again what did not complete in a workflow run; answers {task id: execution id}.

        The new executions wait for each other as the old ones did, and have the results of what
        completed. With ``seen``, the newest execution that the caller has seen of the run, asking
        again answers the same. Raises ``ExecutionNotFound``, ``TaskNotRegistered``, and
        ``InvalidArguments`` while some of the run has not ended, or if all of it has completed.
        """
        return self._commands.retry_workflow(workflow_id, seen)

    def get_task_status(self, execution_id: str) -> dict[str, Any] | None:
        """An execution as a dict, times in ISO 8601; None for an unknown id.

        ``progress`` is what it has told, while it runs.
        """
        row = self._commands.find(execution_id)
        if row is None:
            return None
        runs = row.status is TaskStatus.RUNNING
        return status_of(row, self._commands.notes(execution_id).progress if runs else None)

    def get_notes(self, execution_id: str) -> Notes:
        """What an execution has told with ``TaskContext.progress`` and ``.logger``; empty if none.

        What a running one has told last takes up to a second.
        """
        return self._commands.notes(execution_id)

    def get_execution(self, execution_id: str) -> TaskExecution | None:
        """An execution with all its fields; None for an unknown id."""
        return self._commands.find(execution_id)

    def executions(
        self,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        task_id: str | None = None,
        schedule_id: str | None = None,
        workflow_id: str | None = None,
        queue: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> list[TaskExecution]:
        """The executions that fit, the newest first: at most ``limit``, 1 to 10,000.

        ``cursor`` is the id of the last one of the page before. Raises ``InvalidArguments``.
        """
        return self._commands.list_executions(
            statuses,
            limit,
            task_id=task_id,
            schedule_id=schedule_id,
            workflow_id=workflow_id,
            queue=queue,
            cursor=cursor,
        )

    def clear_history(self, before: datetime | None = None) -> int:
        """Delete the executions that have ended (before an aware datetime); answers how many.

        The ledger of the schedules stays. What still waits for one of them is skipped.
        """
        return self._commands.clear_history(before)

    def delete_executions(self, execution_ids: Collection[str]) -> int:
        """Delete those of these executions that have ended; answers how many.

        What they add to the totals of their schedules stays.
        """
        return self._commands.delete(execution_ids)

    def wait_for_task(self, execution_id: str, timeout: float | None = None) -> Any:
        """The result once the execution has ended.

        None if ``timeout`` seconds pass first, or if it ended without a result; ``result``
        tells these apart. Raises ``ExecutionNotFound``.
        """
        row = self._waiters.wait(execution_id, timeout)
        return None if row is None or row.status is not TaskStatus.COMPLETED else row.result

    def result(self, execution_id: str, timeout: float | None = None) -> Any:
        """The result once the execution has ended.

        Raises ``ResultTimeout`` after ``timeout`` seconds, ``TaskFailed`` if it failed or was
        cancelled or skipped, ``ExecutionNotFound``.
        """
        return self._waiters.result(execution_id, timeout)

    def on_end(self, execution_id: str, callback: Callable[[TaskExecution], object]) -> None:
        """Call ``callback`` once when the execution has ended; at once if it has.

        Whichever node of the store runs it. Callbacks are called on up to eight threads of their
        own, those of one execution in their order; one that raises is logged. Raises
        ``ExecutionNotFound``.
        """
        self._callbacks.add(execution_id, callback)
