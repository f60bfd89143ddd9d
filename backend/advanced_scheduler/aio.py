"""Awaitable twins of the facade's calls, in threads: they block no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from .engine.waiters import checked_seconds
from .errors import ResultTimeout
from .models import TaskExecution
from .scheduler import AdvancedTaskScheduler

P = ParamSpec("P")
R = TypeVar("R")


def _twin(
    call: Callable[Concatenate[AdvancedTaskScheduler, P], R],
) -> Callable[Concatenate[AsyncCalls, P], Coroutine[Any, Any, R]]:
    """The method that awaits ``call`` in a thread, of the same signature."""

    @wraps(call)
    async def awaited(self: AsyncCalls, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(call, self.scheduler, *args, **kwargs)

    return awaited


class AsyncCalls:
    """``await AsyncCalls(scheduler).x(...)`` is ``scheduler.x(...)``, on any event loop.

    There is one for every plain call that may ask the store. A call that was cancelled may have
    been carried out all the same; whoever waits for an execution holds no thread meanwhile.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self.scheduler: Final = scheduler

    register_task = _twin(AdvancedTaskScheduler.register_task)
    unregister_task = _twin(AdvancedTaskScheduler.unregister_task)
    schedule_task = _twin(AdvancedTaskScheduler.schedule_task)
    schedule_task_many = _twin(AdvancedTaskScheduler.schedule_task_many)
    schedule_workflow = _twin(AdvancedTaskScheduler.schedule_workflow)
    get_health_status = _twin(AdvancedTaskScheduler.get_health_status)
    health_facts = _twin(AdvancedTaskScheduler.health_facts)
    close = _twin(AdvancedTaskScheduler.close)

    retry_execution = _twin(AdvancedTaskScheduler.retry_execution)
    retry_workflow = _twin(AdvancedTaskScheduler.retry_workflow)
    cancel_task = _twin(AdvancedTaskScheduler.cancel_task)
    skip_execution = _twin(AdvancedTaskScheduler.skip_execution)
    reorder_execution = _twin(AdvancedTaskScheduler.reorder_execution)
    get_task_status = _twin(AdvancedTaskScheduler.get_task_status)
    get_notes = _twin(AdvancedTaskScheduler.get_notes)
    get_execution = _twin(AdvancedTaskScheduler.get_execution)
    executions = _twin(AdvancedTaskScheduler.executions)
    clear_history = _twin(AdvancedTaskScheduler.clear_history)
    delete_executions = _twin(AdvancedTaskScheduler.delete_executions)
    on_end = _twin(AdvancedTaskScheduler.on_end)

    schedule_cron_task = _twin(AdvancedTaskScheduler.schedule_cron_task)
    create_schedule = _twin(AdvancedTaskScheduler.create_schedule)
    create_schedules = _twin(AdvancedTaskScheduler.create_schedules)
    update_schedule = _twin(AdvancedTaskScheduler.update_schedule)
    schedule_versions = _twin(AdvancedTaskScheduler.schedule_versions)
    rollback_schedule = _twin(AdvancedTaskScheduler.rollback_schedule)
    pause_schedule = _twin(AdvancedTaskScheduler.pause_schedule)
    resume_schedule = _twin(AdvancedTaskScheduler.resume_schedule)
    run_schedule_now = _twin(AdvancedTaskScheduler.run_schedule_now)
    backfill_schedule = _twin(AdvancedTaskScheduler.backfill_schedule)
    backfilled = _twin(AdvancedTaskScheduler.backfilled)
    trigger_event = _twin(AdvancedTaskScheduler.trigger_event)
    get_schedules = _twin(AdvancedTaskScheduler.get_schedules)
    get_schedule = _twin(AdvancedTaskScheduler.get_schedule)
    find_schedules = _twin(AdvancedTaskScheduler.find_schedules)
    remove_schedule = _twin(AdvancedTaskScheduler.remove_schedule)
    next_runs = _twin(AdvancedTaskScheduler.next_runs)
    lint_schedule = _twin(AdvancedTaskScheduler.lint_schedule)
    schedule_status = _twin(AdvancedTaskScheduler.schedule_status)
    schedule_statistics = _twin(AdvancedTaskScheduler.schedule_statistics)
    explain = _twin(AdvancedTaskScheduler.explain)
    audit = _twin(AdvancedTaskScheduler.audit)
    parked = _twin(AdvancedTaskScheduler.parked)
    parked_counts = _twin(AdvancedTaskScheduler.parked_counts)

    nodes = _twin(AdvancedTaskScheduler.nodes)
    drain_node = _twin(AdvancedTaskScheduler.drain_node)
    resume_node = _twin(AdvancedTaskScheduler.resume_node)
    forget_node = _twin(AdvancedTaskScheduler.forget_node)
    pauses = _twin(AdvancedTaskScheduler.pauses)
    pause_dispatch = _twin(AdvancedTaskScheduler.pause_dispatch)
    resume_dispatch = _twin(AdvancedTaskScheduler.resume_dispatch)

    async def wait_for_task(self, execution_id: str, timeout: float | None = None) -> Any:
        """The result once the execution has ended; see ``AdvancedTaskScheduler``."""
        await self._end_of(execution_id, timeout)
        return await asyncio.to_thread(self.scheduler.wait_for_task, execution_id, 0)

    async def result(self, execution_id: str, timeout: float | None = None) -> Any:
        """The result once the execution has ended; see ``AdvancedTaskScheduler``."""
        await self._end_of(execution_id, timeout)
        try:
            return await asyncio.to_thread(self.scheduler.result, execution_id, 0)
        except ResultTimeout as error:
            raise ResultTimeout(f"execution {execution_id} took over {timeout} s") from error

    async def _end_of(self, execution_id: str, timeout: float | None) -> None:
        """Wait for it, so many seconds at most.

        A thread for each that waits would soon be one of the last that the loop has: the next
        call, which may be what the execution waits for, would have none.
        """
        limit = None if timeout is None else checked_seconds(timeout)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: TaskExecution) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        await self.on_end(execution_id, tell)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), limit)
