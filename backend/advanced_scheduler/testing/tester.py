"""Owns the tester: a scheduler whose time and whose work a test has in its hands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from ..clock import ManualClock
from ..config import Settings
from ..engine.handle import TaskHandle
from ..errors import ConfigurationError, SchedulerStateError, TaskFailed
from ..events import Event, EventType
from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter, TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler

MOST_ROUNDS: Final = 10_000
"""How often ``drain`` runs what is ready before it gives up."""

_ALL: Final = 1_000_000  # executions that wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """What is to run at ``at``: an execution that waits, or the next run of a schedule.

    ``args`` and ``kwargs`` are those of the call, the definition's own included. Of a run that
    its schedule has not fired yet ``execution_id`` is None.
    """

    task_id: str
    at: datetime
    priority: TaskPriority
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    execution_id: str | None
    schedule_id: str | None

    def __str__(self) -> str:
        said = [*map(repr, self.args), *(f"{name}={one!r}" for name, one in self.kwargs.items())]
        ids = {"execution": self.execution_id, "schedule": self.schedule_id}
        by = ", ".join(f"{kind} {one}" for kind, one in ids.items() if one is not None)
        return f"{self.task_id}({', '.join(said)}) at {self.at}, {self.priority.name}, {by}"


class SchedulerTester:
    """Runs a scheduler when a test says so, on its ``ManualClock``; nothing sleeps.

    ``scheduler`` is one that was not started; the default is a new one, in memory, whatever the
    environment says. A context manager, or ``close``, releases it. Coroutines run on the event
    loop of the test, by ``drain_async`` and ``advance_async``; a test that has none calls ``drain``
    and ``advance``, which have a loop of their own.

    Raises ``ConfigurationError`` for a scheduler on another clock; see ``taken_over``.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler | None = None) -> None:
        self.scheduler: Final = scheduler or AdvancedTaskScheduler(
            settings=Settings.model_construct(), clock=ManualClock(), name="test"
        )
        clock = self.scheduler.clock
        if not isinstance(clock, ManualClock):
            raise ConfigurationError(
                f"a test cannot move {clock!r}: make the scheduler with clock=ManualClock(), or "
                "have an application's own with taken_over()"
            )
        self.clock: Final = clock
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the scheduler and the event loop; safe to repeat."""
        self._runner.close()
        self.scheduler.close()

    def drain(self, *, check: bool = True) -> list[TaskExecution]:
        """Run what is ready, and what that makes ready, until nothing is; the clock stands still.

        Answers the executions that ended, in that order. Once all have run, raises ``TaskFailed``
        for those that failed, from the first one's exception, unless ``check=False``. What waits
        for its retry has not ended. Raises ``SchedulerStateError`` where an event loop runs, and
        for work that never ends.
        """
        __tracebackhide__ = True
        return self.advance(check=check)

    def advance(
        self, delta: timedelta = timedelta(0), *, check: bool = True, **parts: float
    ) -> list[TaskExecution]:
        """Move the clock by ``delta`` and by ``timedelta`` keywords such as ``minutes=5``.

        On the way it stops at each instant at which something is due, and drains there: every run
        has the time it would have had. Answers and raises what ``drain`` does, and ``ValueError``
        for a step backwards.
        """
        __tracebackhide__ = True
        if _on_loop():
            raise SchedulerStateError(
                "an event loop runs here: await advance_async() or drain_async()"
            )
        going = self._advance(delta + timedelta(**parts))
        return self._runner.run(going, context=copy_context()).answer(check=check)

    async def drain_async(self, *, check: bool = True) -> list[TaskExecution]:
        """``drain`` on the event loop of the caller."""
        __tracebackhide__ = True
        return await self.advance_async(check=check)

    async def advance_async(
        self, delta: timedelta = timedelta(0), *, check: bool = True, **parts: float
    ) -> list[TaskExecution]:
        """``advance`` on the event loop of the caller."""
        __tracebackhide__ = True
        return (await self._advance(delta + timedelta(**parts))).answer(check=check)

    def scheduled(self, task: str | TaskHandle[..., Any] | None = None) -> list[Scheduled]:
        """What is to run (of this task), by time: executions that wait, and each schedule's next.

        Schedules that are paused, or whose task is not registered, are left out.
        """
        task_id = task.task_id if isinstance(task, TaskHandle) else task
        found = [*map(_of_execution, self._waiting()), *self._next_runs()]
        fitting = [one for one in found if task_id in (None, one.task_id)]
        return sorted(fitting, key=lambda one: (one.at, one.execution_id or ""))

    def assert_scheduled(
        self,
        task: str | TaskHandle[..., Any],
        *,
        count: int | None = None,
        at: datetime | None = None,
        priority: TaskPriority | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> list[Scheduled]:
        """Fail unless the task is to run like this ``count`` times (None: at all); answers them.

        ``count=0`` says that it is not. ``at`` is an aware datetime; ``args`` and ``kwargs`` are
        all those of the call. What is None is not compared. The error lists what is scheduled.
        """
        __tracebackhide__ = True
        given = {
            "at": at,
            "priority": priority,
            "args": None if args is None else tuple(args),
            "kwargs": None if kwargs is None else dict(kwargs),
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        found = [
            one
            for one in self.scheduled(task)
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]
        if len(found) == count or (count is None and found):
            return found
        name = task.task_id if isinstance(task, TaskHandle) else task
        asked = ", ".join([repr(name), *(f"{key}={value!r}" for key, value in wanted.items())])
        often = "not scheduled" if count is None else f"scheduled {len(found)} times, not {count}"
        there = "".join(f"\n  {one}" for one in self.scheduled()) or " nothing"
        raise AssertionError(f"{often}: {asked}; what is scheduled:{there}")

    async def _advance(self, step: timedelta) -> _Heard:
        if step < timedelta(0):
            raise ValueError(f"advance({step}) would go back; set the clock for that")
        end = self.clock.now() + step
        with self._listening() as heard:
            await self._run_ready()
            while self.clock.now() < end:
                self.clock.set(self._next_stop(end))
                await self._run_ready()
        return heard

    async def _run_ready(self) -> None:
        for _ in range(MOST_ROUNDS):
            ran = await self.scheduler.run_due()
            await self.scheduler.stop()  # it was not started, but callbacks of on_end return
            if not ran:
                return
        raise SchedulerStateError(
            f"there is still something ready at {self.clock.now()} after {MOST_ROUNDS:,} rounds: "
            "does a task schedule itself, or retry without a delay, for ever?"
        )

    def _next_stop(self, end: datetime) -> datetime:
        """The earliest instant after now at which anything may happen, or ``end``."""
        now = self.clock.now()
        instants = [one.at for one in self.scheduled()]
        instants += [row.wait_until for row in self._waiting() if row.wait_until is not None]
        return min((one for one in instants if now < one < end), default=end)

    def _waiting(self) -> list[TaskExecution]:
        return self.scheduler.store.find(ExecutionFilter(statuses=CLAIMABLE, limit=_ALL))

    def _next_runs(self) -> Iterator[Scheduled]:
        for schedule in self.scheduler.get_schedules():
            task = self.scheduler.task_definitions.get(schedule.task_id)
            at = schedule.next_fire_time
            if task is None or at is None or schedule.state != "active":
                continue
            yield Scheduled(
                task_id=schedule.task_id,
                at=at,
                priority=task.priority if schedule.priority is None else schedule.priority,
                args=schedule.args or tuple(task.args),
                kwargs={**task.kwargs, **schedule.kwargs},
                execution_id=None,
                schedule_id=schedule.schedule_id,
            )

    @contextmanager
    def _listening(self) -> Iterator[_Heard]:
        heard = _Heard()
        types = [EventType.ATTEMPT_ENDED, EventType.FINISHED]
        hear_no_more = self.scheduler.events.subscribe(heard.hear, types)
        try:
            yield heard
        finally:
            hear_no_more()


class _Heard:
    """What ended, and the exceptions of what failed."""

    def __init__(self) -> None:
        self.ended: list[TaskExecution] = []
        self._errors: dict[str, BaseException | None] = {}

    def hear(self, event: Event) -> None:
        row = event.execution
        if row is None:
            return
        if event.type is EventType.FINISHED:
            self.ended.append(row)
        else:
            self._errors[row.execution_id] = event.data["outcome"].error

    def answer(self, *, check: bool) -> list[TaskExecution]:
        """What ended; raises ``TaskFailed`` if some of it failed, and that is to be checked."""
        __tracebackhide__ = True
        failed = [row for row in self.ended if check and row.status is TaskStatus.FAILED]
        if failed:
            raise TaskFailed(
                "\n".join(
                    f"task {row.task_id!r} (execution {row.execution_id}) failed: {row.error}"
                    for row in failed
                )
            ) from self._errors.get(failed[0].execution_id)
        return self.ended


def _of_execution(row: TaskExecution) -> Scheduled:
    return Scheduled(
        task_id=row.task_id,
        at=row.due,
        priority=row.priority,
        args=row.args,
        kwargs=row.kwargs,
        execution_id=row.execution_id,
        schedule_id=row.schedule_id,
    )


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
