"""Owns what document 004 reports of a job, and makes it of what the engine knows of a schedule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TypedDict

from ..models import Schedule, TaskExecution, TaskStatus
from .job_triggers import type_of


class JobStatus(StrEnum):
    """The ``status`` of a job. REMOVED is never reported: what was removed has no report."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    REMOVED = "removed"


class JobReport(TypedDict):
    """What ``get_job_status`` answers.

    ``execution_count`` is how many runs have begun. ``elapsed_time_ms`` is from when the job was
    added until now, or its last instant, without its pauses (as far as its latest 100 changes
    tell). ``next_run_time`` is in Unix seconds; None if there is none, or while it is paused.
    """

    job_id: str
    status: str
    trigger_type: str
    execution_count: int
    elapsed_time_ms: int
    next_run_time: float | None
    is_finished: bool


def status_of(job: Schedule, unfinished: Collection[TaskExecution]) -> JobStatus:
    """The status of a job of which these executions have not ended."""
    if job.ended and not unfinished:
        return JobStatus.COMPLETED
    return JobStatus.PAUSED if job.paused else JobStatus.RUNNING


def report_of(
    job: Schedule,
    versions: Sequence[Schedule],
    unfinished: Collection[TaskExecution],
    now: datetime,
) -> JobReport:
    """The report of a job with these versions, of which these executions have not ended."""
    status = status_of(job, unfinished)
    waiting = sum(row.status is TaskStatus.PENDING for row in unfinished)
    following = job.next_fire_time if status is JobStatus.RUNNING else None
    return JobReport(
        job_id=job.schedule_id,
        status=status.value,
        trigger_type=type_of(job.trigger["type"]).value,
        execution_count=max(job.run_count - waiting, 0),
        elapsed_time_ms=_elapsed(job, versions, now) // timedelta(milliseconds=1),
        next_run_time=None if following is None else following.timestamp(),
        is_finished=status is JobStatus.COMPLETED,
    )


def _elapsed(job: Schedule, versions: Sequence[Schedule], now: datetime) -> timedelta:
    """Each version lasted until the next one, and counts unless it was a pause."""
    began = job.created_time or now
    end = max((job.last_fire_time or now) if job.ended else now, began)
    changes = [(one.changed_time or began, one.paused) for one in versions]
    stretches = pairwise([(began, False), *changes, (end, False)])
    return sum(
        (
            max(min(until, end) - since, timedelta(0))
            for (since, paused), (until, _) in stretches
            if not paused
        ),
        timedelta(0),
    )
