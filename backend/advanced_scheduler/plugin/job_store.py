"""The job store of plain APScheduler jobs that several processes may share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final
from uuid import uuid4

from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
from apscheduler.schedulers.base import BaseScheduler

from ..clock import SystemClock
from ..config import Settings, read_settings
from ..errors import ConfigurationError, StoreError
from ..models import Record, RecordKind
from ..scheduler import AdvancedTaskScheduler
from ..stores import open_store
from ..stores.base import Store
from .executor import AdvancedExecutor
from .job_functions import JobFunctions, UnknownFunction
from .stored_job import DAMAGE, JobCodec, StoredJob, text_of, time_in

_JOB: Final = RecordKind.JOB
_PAGE: Final = 1000
_AT_ONCE: Final = 100
"""So many jobs are claimed in one look: what is due is shared, and submitted within a lease."""

_NAMED: Final = 10
_MINUTE: Final = 60.0
_TICK: Final = timedelta(microseconds=1)
_SOON: Final = timedelta(milliseconds=100)
"""When to look again at a job that is being submitted."""

_Advance = tuple[Mapping[str, Any], str | None]
"""The job that was submitted, and its next run time, as they are stored."""


class AdvancedJobStore(BaseJobStore):  # type: ignore[misc]  # APScheduler has no type hints
    """Keeps jobs as JSON; schedulers of any number of processes may run them.

    ``store`` is a URL or a store; or it is that of ``scheduler``. A due job is claimed for
    ``lease_seconds``, submitted, and only then advanced, by whoever claimed it: each run time is
    submitted by one process, and again only if that one died, or was away for longer, in between.
    Edits of different fields of a job by different processes are all kept.

    A stored job is run if this process has added a job of the same function, or if that is in one
    of ``modules``, or below; nothing else is imported. Others are ``parked``: they stay, are
    shown, and run where, or once, their function is known.

    Every ``poll_seconds`` the scheduler looks for what other processes have added. What cannot be
    stored is refused with a ``ValueError``; calls raise ``StoreUnavailable``.
    """

    def __init__(
        self,
        scheduler: AdvancedTaskScheduler | None = None,
        *,
        store: str | Store | None = None,
        modules: Sequence[str] | str = (),
        lease_seconds: float | str = 15,
        poll_seconds: float | str = 1,
    ) -> None:
        super().__init__()
        given = scheduler.store if scheduler is not None and store is None else store
        if given is None or (scheduler is not None and store is not None):
            raise ConfigurationError("give one of store= (such as sqlite:///jobs.db) and scheduler")
        settings = read_settings(Settings) if scheduler is None else scheduler.settings
        self._own: Final = isinstance(given, str)
        self._store: Final[Store] = (
            open_store(given, auto_migrate=settings.auto_migrate)
            if isinstance(given, str)
            else given
        )
        self._functions: Final = JobFunctions(modules)
        self._codec: Final = JobCodec(self._functions, limit_bytes=settings.arguments_limit_bytes)
        self._lease: Final = timedelta(seconds=_positive("lease_seconds", lease_seconds))
        self._poll: Final = timedelta(seconds=_positive("poll_seconds", poll_seconds))
        self._clock: Final = SystemClock()
        self._me: Final = uuid4().hex
        self._taken: dict[str, StoredJob] = {}  # that APScheduler is submitting right now
        self._owed: dict[str, _Advance] = {}  # by id, what the store has not answered
        self._in_line: set[str] = set()  # ids whose submission is not stored yet, nor the advance
        self._parked: dict[str, str] = {}  # why, by id, of what was due at the last look
        self._told = float("-inf")

    def start(self, scheduler: BaseScheduler, alias: str) -> None:
        """Called by APScheduler."""
        super().start(scheduler, alias)
        self._in_line.clear()
        self._store.open()

    def shutdown(self) -> None:
        """Called by APScheduler; a store that was given stays open."""
        if self._own:
            self._store.close()

    def parked(self) -> dict[str, str]:
        """The jobs that the scheduler, which has started, cannot run: why, by id."""
        loaded = ((record.record_id, self._loaded(record)[1]) for record in self._records())
        return {job_id: reason for job_id, reason in loaded if reason is not None}

    # --- what APScheduler asks, and what its users do --------------------------------------

    def lookup_job(self, job_id: str) -> Job | None:
        """The job, or None; ``func`` is an ``UnknownFunction`` if it is parked for that."""
        record = self._record(job_id)
        return None if record is None else self._loaded(record)[0]

    def get_all_jobs(self) -> list[Job]:
        """All that can be read, the next one first, paused ones last."""
        found = [job for record in self._records() if (job := self._loaded(record)[0]) is not None]
        found.sort(key=lambda job: (job.next_run_time is None, job.next_run_time or 0, job.id))
        return found

    def add_job(self, job: Job) -> None:
        """Store a new job; raises ``ConflictingIdError``, and ``ValueError`` as ``update_job``."""
        record = Record(
            kind=_JOB,
            record_id=job.id,
            written_time=self._clock.now(),
            data=self._codec.dump(job),
        )
        if not self._store.save_record(record, new=True):
            raise ConflictingIdError(job.id)

    def update_job(self, job: Job) -> None:
        """Store what was changed since the job was read; all of one that was not read.

        Raises ``JobLookupError``, and ``ValueError`` for what cannot be stored.
        """
        taken = self._taken.get(job.id)
        if taken is not None and taken is job:
            self._advance(taken, text_of(job.next_run_time))
            return
        changes = self._codec.dump(job)
        if isinstance(job, StoredJob):
            before = job.record.data
            changes = {name: new for name, new in changes.items() if new != before.get(name)}
        if not self._change(job.id, lambda stored: {**stored, **changes}):
            raise JobLookupError(job.id)

    def remove_job(self, job_id: str) -> None:
        """Delete it, parked or not; raises ``JobLookupError``."""
        if (job := self._taken.get(job_id)) is not None:
            self._advance(job, None)
        elif not self._store.drop_records(_JOB, [job_id]):
            raise JobLookupError(job_id)

    def remove_all_jobs(self) -> None:
        """Delete all, parked ones too."""
        self._store.drop_records(_JOB, [record.record_id for record in self._records()])

    # --- what is due -----------------------------------------------------------------------

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Due jobs that are this process's for ``lease_seconds``, the earliest first."""
        self._taken = {}
        for job_id, advance in list(self._owed.items()):
            self._settle(job_id, advance)
            del self._owed[job_id]
        parked: dict[str, str] = {}
        due: list[StoredJob] = []
        for record in self._records():
            if record.record_id in self._in_line or not self._is_due(record, now):
                continue
            job, reason = self._loaded(record)
            if reason is not None:
                parked[record.record_id] = reason
            elif job is not None:
                due.append(job)
        self._park(parked)
        due.sort(key=lambda job: job.next_run_time)
        taken: dict[str, StoredJob] = {}
        for job in due:
            if len(taken) < _AT_ONCE and self._claim(job, now):
                taken[job.id] = job
        self._taken = taken
        return list(taken.values())

    def get_next_run_time(self) -> datetime:
        """When to look again, at the latest in ``poll_seconds``; never raises."""
        self._taken = {}
        now = self._clock.now()
        times = [now + (_SOON if self._in_line else self._poll)]
        try:
            times += [at for record in self._records() if (at := self._time_of(record, now))]
        except StoreError as error:
            self._logger.warning("the job store does not answer: %s", error)
        return min(times)

    def _is_due(self, record: Record, now: datetime) -> bool:
        """Also what cannot be read: that is parked."""
        try:
            at = time_in(record.data, "next_run_time")
            return at is not None and at <= now and self._held_until(record, now) is None
        except DAMAGE:
            return True

    def _time_of(self, record: Record, now: datetime) -> datetime | None:
        """When to look at it; None if it is set aside, and would be due all the time."""
        if record.record_id in self._parked or record.record_id in self._in_line:
            return None
        with suppress(*DAMAGE):
            if (until := self._held_until(record, now)) is not None:
                return min(until, now + _SOON)  # by then it has another run time
            return time_in(record.data, "next_run_time")
        return None

    def _held_until(self, record: Record, now: datetime) -> datetime | None:
        """When the claim of another process ends; None if there is none, of this run time."""
        claim = record.data.get("claim")
        if not claim or claim["by"] == self._me:
            return None
        if claim["run_time"] != record.data["next_run_time"]:
            return None
        until = time_in(claim, "until")
        return None if until is None or until <= now else until

    def _claim(self, job: StoredJob, now: datetime) -> bool:
        stored = job.record.data
        claim = {
            "by": self._me,
            "run_time": stored["next_run_time"],
            "until": text_of(now + self._lease),
        }
        return self._replace(job.record, {**stored, "claim": claim})

    def _advance(self, job: StoredJob, next_run_time: str | None) -> None:
        """After a submission; an exception would end the thread of APScheduler."""
        advance = (job.record.data, next_run_time)
        executor = self._scheduler._executors[job.executor]
        if isinstance(executor, AdvancedExecutor):
            self._in_line.add(job.id)
            executor.once_stored(partial(self._advance_now, job.id, advance))
        else:
            self._advance_now(job.id, advance)

    def _advance_now(self, job_id: str, advance: _Advance) -> None:
        try:
            self._settle(job_id, advance)
        except StoreError as error:
            self._owed[job_id] = advance
            self._logger.warning('Job "%s" is submitted; its store says: %s', job_id, error)
        self._in_line.discard(job_id)

    def _settle(self, job_id: str, advance: _Advance) -> None:
        """From one run time to the next, or the end, unless somebody has set others."""
        seen, following = advance
        while (record := self._record(job_id)) is not None:
            if any(record.data.get(name) != seen[name] for name in ("next_run_time", "trigger")):
                return
            if following is None:
                written = record.written_time
                done = bool(self._store.drop_records(_JOB, [job_id], expected=written))
            else:
                advanced = {**record.data, "next_run_time": following, "claim": None}
                done = self._replace(record, advanced)
            if done:
                return

    # --- what cannot be run here -----------------------------------------------------------

    def _loaded(self, record: Record) -> tuple[StoredJob | None, str | None]:
        """The job if it can be read, and why it is parked if it is."""
        try:
            job = self._codec.load(record, self._scheduler, self._alias)
        except DAMAGE as error:
            return None, f"it cannot be read: {error!r}"
        if isinstance(job.func, UnknownFunction):
            return job, job.func.reason
        if job.executor not in self._scheduler._executors:  # APScheduler would delete the job
            return job, f"this scheduler has no executor {job.executor!r}"
        return job, None

    def _park(self, parked: dict[str, str]) -> None:
        """Say so, and let what failed to be imported be tried again, once a minute."""
        self._parked = parked
        if parked and self._clock.monotonic() - self._told >= _MINUTE:
            self._told = self._clock.monotonic()
            self._functions.try_again()
            named = "; ".join(f"{one!r}: {why}" for one, why in islice(parked.items(), _NAMED))
            self._logger.warning("jobs that are due and parked here (%d): %s", len(parked), named)

    # --- records ---------------------------------------------------------------------------

    def _records(self) -> Iterator[Record]:
        """All jobs, by id downwards."""
        cursor = None
        while page := self._store.records(_JOB, cursor=cursor, limit=_PAGE):
            yield from page
            cursor = page[-1].record_id

    def _record(self, job_id: str) -> Record | None:
        return next(iter(self._store.records(_JOB, ids=[job_id])), None)

    def _replace(self, record: Record, data: Mapping[str, Any]) -> bool:
        """Compare and set: the time of writing grows with every change, as a version does."""
        written = max(self._clock.now(), record.written_time + _TICK)
        changed = replace(record, written_time=written, data=data)
        return self._store.save_record(changed, expected=record.written_time)

    def _change(
        self, job_id: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> bool:
        """Whatever others do meanwhile; False if there is no such job."""
        while (record := self._record(job_id)) is not None:
            if self._replace(record, change(record.data)):
                return True
        return False


def _positive(name: str, seconds: float | str) -> float:
    value = float(seconds)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{name}={seconds!r} must be a number of seconds over 0")
    return value
