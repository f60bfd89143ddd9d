"""Runs one claimed execution, and says in exactly one transition what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

from .. import lifecycle
from ..clock import Clock
from ..context import TaskContext
from ..errors import InvalidArguments, LockLost, LockUnavailable, StoreUnavailable
from ..events import Event, EventBus, EventType
from ..executors import Call, Executor, Outcome, ProcessExecutor
from ..faults import describe_error, describe_traceback
from ..lifecycle import Transition
from ..locks import Grant
from ..models import RetryConfig, TaskExecution
from ..registry import RegisteredTask
from ..retry import TaskRetryManager
from .arguments import Arguments
from .guard import Guard
from .inputs import filled, results_for, taken_by

logger = logging.getLogger(__name__)

WAITS_FOR_SERVER: Final = "waits for the lock server"
_STARTED: Final = EventType.STARTED
_ATTEMPT_ENDED: Final = EventType.ATTEMPT_ENDED


class Stop(StrEnum):
    """Why the engine interrupts a run."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease lost"
    LOCK_LOST = "lock lost"
    SHUTDOWN = "shutdown"


@dataclass(slots=True, eq=False)
class Run:
    """An execution while this node runs it."""

    row: TaskExecution
    task: RegisteredTask
    context: TaskContext
    starter: asyncio.Task[Any] | None = field(repr=False)
    """Waits for the end of the run, unless the event loop is torn down, which cancels all."""
    stop: Stop | None = None
    job: asyncio.Task[None] | None = field(default=None, repr=False)
    grant: Grant | None = None
    begun: bool = False  # the function may have been called
    in_thread: bool = False
    timed_out: bool = False
    timer: asyncio.Timeout | None = field(default=None, repr=False)
    extended: float = 0.0  # seconds that the task has asked for beyond its time-out
    left_behind: bool = False
    """A body that was interrupted is still at work: it cannot be stopped from outside."""
    over: Callable[[], object] = lambda: None
    """Frees the lock of a body that was left behind and has ended."""

    @property
    def cut_off(self) -> bool:
        """Whether the event loop ends, and so nobody is left to store what became of it."""
        starter = self.starter
        return starter is not None and (starter.done() or starter.cancelling() > 0)

    def extend(self, seconds: float) -> None:
        """Let the time-out strike so much later, if it has not struck yet."""
        if self.timer is not None and (when := self.timer.when()) is not None:
            with suppress(RuntimeError):  # it has struck, or the body has ended
                self.timer.reschedule(when + seconds)
                self.extended += seconds

    def interrupt(self, why: Stop) -> bool:
        """Tell the body, and cancel its coroutine, abandon its thread or kill its process.

        False if it has ended, or was interrupted before.
        """
        if self.stop is not None or self.job is None or self.job.done():
            return False
        self.stop = why
        self.context.cancelled.set()
        return self.job.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Everything that a run needs; holds no state of its own."""

    clock: Clock
    events: EventBus
    arguments: Arguments
    retries: TaskRetryManager
    executors: Mapping[str, Executor]
    guard: Guard
    look_up: Callable[[Collection[str]], Awaitable[Iterable[TaskExecution]]]
    """Reads executions from the store."""
    busy_seconds: float = 0.5
    """How long an execution that found its lock taken waits before it asks again."""
    lapsed: Callable[[TaskExecution], bool] = lambda _: False
    """Whether its lease is over, for all that this node knows."""

    def run(self, run: Run) -> Coroutine[Any, Any, Transition | None]:
        """Call the function; raises nothing but ``CancelledError``, after an interrupt.

        Answers None if the execution is no longer this node's.
        """
        # Answered and not awaited, here and in _call: a coroutine around another costs 0.2 us.
        return self._in_turn(run) if run.task.definition.require_lock else self._attempt(run)

    async def _in_turn(self, run: Run) -> Transition | None:
        """Try to take the lock, and come back later if it is taken."""
        try:
            grant = await self.guard.take(run.row.task_id, run.task.definition.lock_timeout)
        except LockUnavailable as error:
            return self._without_server(run, error)
        if grant is None:
            reason = f"waits for the lock of task {run.row.task_id!r}, which somebody holds"
            return self._later(run.row, self.busy_seconds, reason)
        return await self._locked(run, grant)

    async def _locked(self, run: Run, grant: Grant) -> Transition | None:
        """Hold the lock from before the body's first step until after its last."""
        home = asyncio.get_running_loop()
        since = self.clock.monotonic()

        def lost(_: Grant) -> None:
            run.context.lock_lost.set()  # here: a thread that was left behind is told as well
            if not home.is_closed():
                home.call_soon_threadsafe(run.interrupt, Stop.LOCK_LOST)

        run.grant, run.over = grant, self.guard.at_end(grant)
        run.row = run.row.with_changes({"lock_id": grant.lock_id})
        run.context = replace(run.context, lock_fence=grant.fence)
        self.guard.keep(grant, lost)
        transition: Transition | None = None
        try:
            transition = await self._attempt(run)
        finally:
            ours = True
            if not run.left_behind:
                ours = await self.guard.give_back(grant, since)
            elif not run.in_thread:  # a thread frees it when it ends, and keeps it until then
                run.over()
        return transition if ours else self._lock_lost(run)

    def _without_server(self, run: Run, error: LockUnavailable) -> Transition:
        if self.guard.outage == "fail":
            return self.after_failure(run, error)
        reason = f"{WAITS_FOR_SERVER}: {error}"
        return self._later(run.row, self.busy_seconds * 2, reason)

    async def _attempt(self, run: Run) -> Transition:
        row, begun = run.row, self.clock.monotonic()
        try:
            args, kwargs = row.args, row.kwargs
            if row.extras:
                args, kwargs = await self._with_inputs(row)
            if "unchecked" in row.extras:
                payload = row.extras["metadata"].get("payload", {})
                kwargs = {**kwargs, **taken_by(run.task, payload)}
            args, kwargs = self.arguments.load(run.task, args, kwargs)
            if "unchecked" in row.extras:
                args, kwargs = run.task.bind(args, kwargs)
        except InvalidArguments as error:
            return self.after_failure(run, error)
        except StoreUnavailable as error:
            return self._later(row, self.busy_seconds * 2, f"waits for its arguments: {error}")
        if self.lapsed(row):  # suspended since the claim: it may even have ended elsewhere
            run.stop = Stop.LEASE_LOST
            raise asyncio.CancelledError
        started = run.context.started
        queue_wait = max((started - row.due).total_seconds(), 0.0)
        if self.events.hears(_STARTED):
            self.events.publish(Event(_STARTED, started, row, {"queue_wait": queue_wait}))
        args, kwargs = run.task.with_context(args, kwargs, run.context)
        try:
            outcome = await self._call(run, Call(run.task.function, args, kwargs, run.context))
        except asyncio.CancelledError:
            run.left_behind = run.in_thread
            raise
        if self.events.hears(_ATTEMPT_ENDED):
            ended = {"outcome": outcome}
            self.events.publish(Event(_ATTEMPT_ENDED, self.clock.now(), row, ended))
            del ended
        metrics: dict[str, Any] = {
            "execution_time": self.clock.monotonic() - begun,
            "queue_wait": queue_wait,
        }
        return self._ended(run, outcome, metrics)

    def _ended(self, run: Run, outcome: Outcome, metrics: dict[str, Any]) -> Transition:
        """What the answer of a function, or its exception, comes to."""
        if outcome.error is not None:
            metrics["timed_out"] = run.timed_out
            return self.after_failure(run, outcome.error, metrics)
        result = self.arguments.result(outcome.value)
        return _with_lock(
            lifecycle.complete(run.row, result=result, metrics=metrics, now=self.clock.now()), run
        )

    async def _with_inputs(self, row: TaskExecution) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The arguments, those that are results of other executions in their places."""
        inputs: Mapping[str, str] | None = row.extras.get("inputs")
        if not inputs:
            return row.args, row.kwargs
        rows = await self.look_up(set(inputs.values()))
        return filled(row.args, row.kwargs, results_for(inputs, rows))

    def _call(self, run: Run, call: Call) -> Coroutine[Any, Any, Outcome]:
        kind: str = run.task.place
        if run.row.extras:
            kind = run.row.extras.get("executor") or kind
        executor = self.executors[kind]
        in_line = isinstance(executor, ProcessExecutor)
        run.begun, run.in_thread = not in_line, kind == "thread"
        if run.grant is not None:
            call = call._replace(over=run.over)
        if run.row.timeout is None and not in_line:
            return executor.run(call)
        return self._call_in_time(run, call, executor, in_line)

    async def _call_in_time(
        self, run: Run, call: Call, executor: Executor, in_line: bool
    ) -> Outcome:
        limit = run.row.timeout
        try:
            async with asyncio.timeout(None if in_line else limit) as timer:
                run.timer = timer
                if in_line:  # it has not begun, and its time does not run
                    call = call._replace(begun=partial(_begin, run, timer))
                outcome = await executor.run(call)
            if not timer.expired():
                return outcome
        except TimeoutError:
            pass
        run.context.cancelled.set()
        run.timed_out = True
        run.left_behind = run.in_thread
        told = f"did not end within its timeout of {limit:g} s"
        more = f" and {run.extended:g} s more" if run.extended else ""
        return Outcome(error=TimeoutError(f"{told}{more}"))

    def after_failure(
        self, run: Run, error: BaseException, metrics: Mapping[str, Any] | None = None
    ) -> Transition:
        """Retry while the configuration allows it, else fail for good."""
        row, config = run.row, run.task.definition.retry_config
        if "retry" in row.extras:
            config = replace(config or RetryConfig(), **row.extras["retry"])
        text, trace = describe_error(error), describe_traceback(error)
        now = self.clock.now()
        if config is not None and self.retries.should_retry(row, config, error):
            delay = self.retries.delay(row, config, error)
            self.retries.record_retry(row.task_id)
            transition = lifecycle.retry(
                row,
                error=text,
                traceback_str=trace,
                metrics=metrics,
                at=now + timedelta(seconds=delay.seconds),
                now=now,
                backoff=delay.how,
            )
        else:
            logger.warning(
                "execution %s of task %s failed: %s", row.execution_id, row.task_id, text
            )
            transition = lifecycle.fail(
                row, error=text, traceback_str=trace, metrics=metrics, now=now
            )
        return _with_lock(transition, run)

    def interrupted(self, run: Run) -> Transition | None:
        """What a cancelled run comes to; None if the execution is no longer this node's."""
        if run.stop is None and run.cut_off:
            then = "fails, as it runs at most once," if run.row.at_most_once else "is run again"
            logger.warning(
                "execution %s of task %s was interrupted: the event loop ended, and the scheduler "
                "was not stopped before; it %s when its lease has run out",
                run.row.execution_id,
                run.row.task_id,
                then,
            )
            return None
        if run.stop is None:
            return self.after_failure(run, asyncio.CancelledError("the task cancelled itself"))
        if run.stop in (Stop.CANCELLED, Stop.LEASE_LOST):
            return None
        if run.stop is Stop.LOCK_LOST:
            return self._lock_lost(run)
        if run.row.at_most_once and run.begun:
            text = f"node {run.context.node} stopped during it, and the task runs at most once"
            return lifecycle.fail(run.row, error=text, now=self.clock.now())
        reason = f"given back by node {run.context.node}, which is stopping"
        return lifecycle.give_back(run.row, due=run.row.due, reason=reason)

    def leave_behind(self, run: Run) -> None:
        """Give up a body that goes on: nobody may wait for its lock longer than that lasts."""
        run.left_behind = True
        if run.grant is not None:
            self.guard.leave(run.grant)

    def _lock_lost(self, run: Run) -> Transition | None:
        """A failure, unless the node was suspended: then it has lost its lease as well."""
        run.context.lock_lost.set()
        if self.lapsed(run.row):
            return None
        text = f"the lock of task {run.row.task_id!r} was lost during attempt {run.row.attempt}"
        return self.after_failure(run, LockLost(text))

    def _later(self, row: TaskExecution, seconds: float, reason: str) -> Transition:
        due = self.clock.now() + timedelta(seconds=seconds)
        return lifecycle.give_back(row, due=due, reason=reason)


def _begin(run: Run, timer: asyncio.Timeout) -> None:
    """It has a process now."""
    run.begun = True
    if run.row.timeout is not None:
        timer.reschedule(asyncio.get_running_loop().time() + run.row.timeout)


def _with_lock(transition: Transition, run: Run) -> Transition:
    """Record which lock the attempt ran under."""
    if run.grant is None:
        return transition
    return lifecycle.annotate(transition, lock_id=run.grant.lock_id)
