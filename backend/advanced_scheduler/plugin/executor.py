"""The executor that runs plain APScheduler jobs as executions of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from apscheduler.events import (
    EVENT_JOB_ADDED,
    EVENT_JOB_MODIFIED,
    EVENT_JOB_REMOVED,
    EVENT_SCHEDULER_STARTED,
    SchedulerEvent,
)
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler
from apscheduler.util import asbool

from ..context import CURRENT
from ..engine.hosting import hosted
from ..engine.ids import id_for
from ..engine.options import checked
from ..errors import ConfigurationError, SchedulerStateError, StoreUnavailable
from ..events import Event, EventType
from ..executors import Outcome
from ..models import RetryConfig, ScheduleOptions, TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from ..stores.base import Store
from .job_functions import UnknownFunction
from .line import Line
from .submission import Submission
from .tasks import JobTasks

_HEARD: Final = EVENT_SCHEDULER_STARTED | EVENT_JOB_ADDED | EVENT_JOB_MODIFIED | EVENT_JOB_REMOVED


class AdvancedExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler has no type hints
    """Gives jobs of APScheduler priority, retries, a lock, a time-out, history and the dashboard.

    ``scheduler`` is the ``AdvancedTaskScheduler`` to run them; without one the executor has one
    of its own with this ``store`` (a URL), ``redis_client`` and ``max_workers``; ``advanced`` is
    that one. It starts with the scheduler of APScheduler and stops with it, unless the application
    has started it.

    ``priority``, ``retry`` (a ``RetryConfig``, or its fields), ``timeout`` (seconds), ``queue``
    and ``runs_in`` (``thread``, ``process`` or a pool) hold for all jobs of this executor; what
    is None is as the task says, if the application has registered the function as one. ``lock``
    is for functions that it has not registered. From a configuration texts will do.

    Each run time of a job is one execution, whose id follows from the function, job store, job
    and run time: whoever submits it, in however many processes, on one store it runs once. All
    of them hear of its end. Raises ``ValueError`` for what cannot work.
    """

    def __init__(
        self,
        scheduler: AdvancedTaskScheduler | None = None,
        *,
        store: str | Store | None = None,
        redis_client: Any = None,
        max_workers: int | str = 10,
        priority: TaskPriority | str | None = None,
        retry: RetryConfig | Mapping[str, Any] | None = None,
        timeout: float | str | None = None,
        queue: str | None = None,
        runs_in: str | None = None,
        lock: bool | str = False,
        lock_timeout: float | str = 300,
    ) -> None:
        super().__init__()
        if scheduler is not None and not (store is redis_client is None):
            raise ConfigurationError("store= and redis_client= are those of scheduler=; leave out")
        self._options: Final = checked(
            ScheduleOptions(
                priority=priority,  # type: ignore[arg-type]  # its name will do
                retry=RetryConfig(**retry) if isinstance(retry, Mapping) else retry,
                timeout=None if timeout is None else float(timeout),
                queue=queue,
                executor=runs_in,
            )
        )
        self.advanced: Final = scheduler or AdvancedTaskScheduler(
            redis_client, int(max_workers), store=store
        )
        self._own: Final = scheduler is None
        self._tasks: Final = JobTasks(
            self.advanced, lock=asbool(lock), lock_timeout=float(lock_timeout)
        )
        self._gone: set[str] = set()  # jobs that were removed while they ran
        self._outcomes: dict[str, Outcome | None] = {}  # of what is open, by execution id
        self._alias = ""
        self._line: Line
        self._deliver: Callable[[Callable[[], None]], object]
        self._hosting = ExitStack()  # what ends with a shutdown, the engine first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._in_line = False  # what was submitted last

    def start(self, scheduler: BaseScheduler, alias: str) -> None:
        """Called by APScheduler: the engine runs on its event loop, or in a thread of its own.

        Raises what the engine raises that cannot start.
        """
        if scheduler is self.advanced.apscheduler and not self.advanced.started:
            raise SchedulerStateError(
                "this APScheduler is the timer of the AdvancedTaskScheduler; start that one, "
                "which starts this one as well"
            )
        super().start(scheduler, alias)
        self._alias = alias
        self._loop = scheduler._eventloop if isinstance(scheduler, AsyncIOScheduler) else None
        with ExitStack() as hosting:
            self._line = Line(self.advanced.settings.poll_seconds)
            hosting.callback(self._line.close)
            self._deliver = self._line.put if self._loop is None else self._on_loop
            events = self.advanced.events
            hosting.callback(events.subscribe(self._keep, [EventType.ATTEMPT_ENDED]))
            scheduler.add_listener(self._meet, _HEARD)
            hosting.callback(scheduler.remove_listener, self._meet)
            if not self.advanced.started:
                self._start_engine(hosting)
            self._hosting = hosting.pop_all()
        if scheduler.state != STATE_STOPPED:
            self._meet_all()

    def shutdown(self, wait: bool = True) -> None:
        """Called by APScheduler: let what runs come to its end within ``drain_seconds``.

        What has not ended by then is given back, to be run after the next start. Without ``wait``,
        and out of a job, it ends in the background while the program goes on; on an event loop,
        too, where ``await executor.advanced.stop()`` waits for it.
        """
        end = self._hosting.pop_all().close
        if self._loop is not None:
            ending = self._loop.create_task(self._stop_on_loop(end))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
        elif wait and CURRENT.get() is None:
            end()
        else:
            name = "advanced-scheduler-shutdown"
            threading.Thread(target=partial(_unless_exiting, end), name=name, daemon=True).start()

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        """Stored when this returns, unless the caller is an event loop, or the store is away."""
        submission = Submission(job, run_times)
        self._in_line = True
        try:
            if self._loop is None:
                self._accept(submission)
                self._in_line = False
                return
        except StoreUnavailable as error:
            self._logger.warning('Job "%s" waits for the store: %s', job, error)
        self._line.put(partial(self._accept, submission))

    def once_stored(self, call: Callable[[], object]) -> None:
        """Call it after what was submitted last is stored: at once, or on a thread of ours."""
        if self._in_line:
            self._line.put(call)
        else:
            call()

    def _accept(self, submission: Submission) -> None:
        """Make its executions, each after the one before; safe to repeat."""
        before: tuple[str, ...] = ()
        for run_time in submission.run_times:
            if run_time in submission.events:
                continue
            late = self.advanced.clock.now() - run_time
            if submission.is_late(late):
                self._logger.warning('Run time of job "%s" was missed by %s', submission.name, late)
                submission.missed(run_time)
                continue
            try:
                before = (self._schedule(submission, run_time, before),)
            except StoreUnavailable:
                raise
            except Exception as error:  # of the arguments, or of a function that can be no task
                self._logger.exception('Job "%s" cannot be run', submission.name)
                submission.failed(run_time, error)
        opened = tuple(submission.open)
        for execution_id in opened:
            self.advanced.on_end(execution_id, partial(self._ended, submission))
        if not opened:
            self._deliver(partial(self._finish, submission))

    def _schedule(self, submission: Submission, run_time: datetime, before: tuple[str, ...]) -> str:
        task_id = self._tasks.task_of(submission.job_id, submission.function)
        execution_id = id_for(run_time, task_id, submission.jobstore, submission.job_id)
        options = replace(
            self._options,
            at=run_time,
            execution_id=execution_id,
            after=before,
            metadata={"job_id": submission.job_id, "job_name": submission.name},
        )
        self._outcomes.setdefault(execution_id, None)  # first: it may end before we are answered
        try:
            self.advanced.schedule_task(
                task_id, *submission.args, options=options, **submission.kwargs
            )
        except BaseException:
            self._outcomes.pop(execution_id, None)
            raise
        submission.open[execution_id] = run_time
        return execution_id

    def _keep(self, event: Event) -> None:
        """What the function really answered or raised, of which a store keeps JSON and text."""
        if event.execution is not None and event.execution.execution_id in self._outcomes:
            self._outcomes[event.execution.execution_id] = event.data["outcome"]

    def _ended(self, submission: Submission, row: TaskExecution) -> None:
        run_time = submission.open.pop(row.execution_id, None)
        if run_time is None:  # heard twice
            return
        submission.ended(run_time, row, self._outcomes.pop(row.execution_id, None))
        if row.status is TaskStatus.COMPLETED:
            self._logger.info('Job "%s" executed successfully', submission.name)
        else:
            why = row.traceback_str or row.error or row.reason
            self._logger.error('Job "%s" %s: %s', submission.name, row.status, why)
        if not submission.open:
            self._deliver(partial(self._finish, submission))

    def _finish(self, submission: Submission) -> None:
        """Tell the listeners; always called on the same thread."""
        if submission.finished:
            return
        submission.finished = True
        self._run_job_success(submission.job_id, submission.in_order())
        if submission.job_id in self._gone:
            self._forget(submission.job_id)

    def _meet(self, event: SchedulerEvent) -> None:
        """Know the tasks of all jobs: what an earlier process left may wait for one of them."""
        if event.code == EVENT_SCHEDULER_STARTED:
            self._meet_all()
        elif event.code == EVENT_JOB_REMOVED:
            self._forget(event.job_id)
        elif (job := self._scheduler.get_job(event.job_id, event.jobstore)) is not None:
            self._meet_job(job)

    def _meet_all(self) -> None:
        for job in self._scheduler.get_jobs():
            self._meet_job(job)

    def _meet_job(self, job: Job) -> None:
        if job.executor != self._alias or isinstance(job.func, UnknownFunction):
            return
        self._gone.discard(job.id)
        try:
            self._tasks.task_of(job.id, job.func)
        except ValueError as error:
            self._logger.warning('Job "%s" cannot be run: %s', job, error)

    def _forget(self, job_id: str) -> None:
        if job_id in self._instances:
            self._gone.add(job_id)
        else:
            self._gone.discard(job_id)
            self._tasks.forget(job_id)

    def _start_engine(self, hosting: ExitStack) -> None:
        if self._own:
            hosting.callback(self.advanced.close)
        if self._loop is None:
            hosting.enter_context(hosted(self.advanced.start, self._stop_in_thread))
        else:
            self._starting = self._loop.create_task(self._start_on_loop())

    async def _stop_in_thread(self) -> None:
        try:
            await self.advanced.stop()
        except RuntimeError:
            if threading.main_thread().is_alive():
                raise

    async def _start_on_loop(self) -> None:
        try:
            await self.advanced.start()
        except Exception:
            self._logger.exception("the engine did not start; jobs wait in the store")

    async def _stop_on_loop(self, end: Callable[[], None]) -> None:
        if self._starting is not None:
            await self._starting
            self._starting = None
            await self.advanced.stop()
        await asyncio.to_thread(end)

    def _on_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody listens any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)


def _unless_exiting(end: Callable[[], None]) -> None:
    """Where the interpreter ends meanwhile, no thread can be started, and leases just run out."""
    try:
        end()
    except RuntimeError:
        if threading.main_thread().is_alive():
            raise
