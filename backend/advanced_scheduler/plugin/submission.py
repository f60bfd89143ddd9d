"""One call of ``submit_job``: the run times of a job, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from traceback import format_tb
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
)
from apscheduler.job import Job

from ..errors import TaskFailed
from ..executors import Outcome
from ..models import TaskExecution, TaskStatus


class Submission:
    """What of a job was due at once, as it was when it was submitted.

    ``open`` are its executions that have not ended, by execution id; ``events`` are what the
    listeners are told when none is left, by run time.
    """

    def __init__(self, job: Job, run_times: Sequence[datetime]) -> None:
        self.job_id: str = job.id
        self.jobstore: str = job._jobstore_alias or "default"
        self.name: str = job.name
        self.function: Callable[..., Any] = job.func
        self.args: tuple[Any, ...] = tuple(job.args)
        self.kwargs: Mapping[str, Any] = dict(job.kwargs)
        self.run_times = tuple(run_times)
        self.open: dict[str, datetime] = {}
        self.events: dict[datetime, JobExecutionEvent] = {}
        self.finished = False  # the listeners were told
        self._grace: int | None = job.misfire_grace_time

    def is_late(self, late: timedelta) -> bool:
        """Whether a run that is so late counts as missed."""
        return self._grace is not None and late > timedelta(seconds=self._grace)

    def missed(self, run_time: datetime) -> None:
        """It did not run, and will not."""
        self._tell(EVENT_JOB_MISSED, run_time)

    def failed(self, run_time: datetime, error: BaseException, trace: str | None = None) -> None:
        """It raised, or could not be scheduled."""
        trace = "".join(format_tb(error.__traceback__)) if trace is None else trace
        self._tell(EVENT_JOB_ERROR, run_time, exception=error, traceback=trace)

    def ended(self, run_time: datetime, row: TaskExecution, outcome: Outcome | None) -> None:
        """Its execution ended; ``outcome`` is of its last attempt, if that was in this process."""
        if row.status is TaskStatus.COMPLETED:
            here = outcome is not None and outcome.error is None
            result = outcome.value if outcome is not None and here else row.result
            self._tell(EVENT_JOB_EXECUTED, run_time, retval=result)
        elif row.status is TaskStatus.SKIPPED:
            self.missed(run_time)
        else:
            error = None if outcome is None or row.error is None else outcome.error
            text = f"execution {row.execution_id} {row.status}: {row.error or row.reason}"
            self.failed(run_time, error or TaskFailed(text), row.traceback_str or "")

    def in_order(self) -> list[JobExecutionEvent]:
        """What the listeners are told."""
        return [self.events[one] for one in self.run_times if one in self.events]

    def _tell(self, code: int, run_time: datetime, **what: Any) -> None:
        self.events[run_time] = JobExecutionEvent(
            code, self.job_id, self.jobstore, run_time, **what
        )
