"""How jobs of APScheduler become JSON, and come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from apscheduler.job import Job
from apscheduler.jobstores.base import TransientJobError
from apscheduler.schedulers.base import BaseScheduler

from ..errors import InvalidArguments
from ..functions import path_of
from ..models import Record, ResultOf
from ..serialization import ArgumentCodec, pack_plain
from ..triggers import as_trigger, trigger_from_json
from .job_functions import JobFunctions, UnknownFunction

DAMAGE: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What ``load`` and ``time_in`` raise for what cannot be read."""

_ID_LENGTH: Final = 200
_VERSION: Final = 1
_POLICIES: Final = ("executor", "name", "misfire_grace_time", "coalesce", "max_instances")


class StoredJob(Job):  # type: ignore[misc]  # APScheduler has no type hints
    """A job that was read, and the record that it was read from."""

    __slots__ = ("record",)
    record: Record


def text_of(instant: datetime | None) -> str | None:
    """A time as it is stored: two are the same instant if the texts are the same."""
    return None if instant is None else instant.astimezone(UTC).isoformat()


def time_in(stored: Mapping[str, Any], name: str) -> datetime | None:
    """The inverse of ``text_of``; raises ``DAMAGE``."""
    text = stored[name]
    instant = None if text is None else datetime.fromisoformat(text)
    if instant is not None and instant.tzinfo is None:
        raise ValueError(f"{name}={text!r} has no offset")
    return instant


class JobCodec:
    """Between jobs and their JSON, through ``functions``."""

    def __init__(self, functions: JobFunctions, *, limit_bytes: int) -> None:
        self._functions: Final = functions
        self._arguments: Final = partial(ArgumentCodec, limit_bytes=limit_bytes)

    def dump(self, job: Job) -> dict[str, Any]:
        """The job as JSON, whose function is known from now on.

        Raises ``ValueError`` for what cannot be stored: APScheduler's ``TransientJobError`` for a
        function that has no name of its own, ``InvalidArguments``, ``InvalidTrigger`` or
        ``NotStorable`` for the rest.
        """
        if not 0 < len(job.id) <= _ID_LENGTH or not job.id.isprintable():
            raise ValueError(
                f"id={job.id!r} must be a printable text of up to {_ID_LENGTH} letters"
            )
        unknown = isinstance(job.func, UnknownFunction)
        path = job.func.path if unknown else path_of(job.func)
        if path is None:
            raise TransientJobError(job.id)
        if any(type(one) is ResultOf for one in (*job.args, *job.kwargs.values())):
            raise InvalidArguments(f"job {job.id!r} has a ResultOf; jobs wait for no executions")
        args, kwargs = self._arguments(job.func).pack(tuple(job.args), job.kwargs)
        stored = {
            "v": _VERSION,
            "function": path,
            "args": list(args),
            "kwargs": kwargs,
            "trigger": pack_plain(as_trigger(job.trigger).to_json())[0],
            "next_run_time": text_of(job.next_run_time),
            **{name: getattr(job, name) for name in _POLICIES},
        }
        if not unknown:
            self._functions.know(path, job.func)
        return stored

    def load(self, record: Record, scheduler: BaseScheduler, alias: str) -> StoredJob:
        """The job that was stored, an ``UnknownFunction`` where it cannot be run here.

        Raises ``DAMAGE`` for what is no job, or one that a newer release has stored.
        """
        stored = record.data
        if stored["v"] != _VERSION:
            raise ValueError(f"version {stored['v']!r}; a newer release may have written it")
        function, args, kwargs = self._call(stored)
        next_run_time = time_in(stored, "next_run_time")
        job = StoredJob(
            scheduler,
            record.record_id,
            func=function,
            args=args,
            kwargs=kwargs,
            trigger=trigger_from_json(stored["trigger"]),
            next_run_time=next_run_time and next_run_time.astimezone(scheduler.timezone),
            **{name: stored[name] for name in _POLICIES},
        )
        job.func_ref = stored["function"]
        job.record = record
        job._jobstore_alias = alias
        return job

    def _call(
        self, stored: Mapping[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]:
        path = stored["function"]
        args, kwargs = deepcopy((tuple(stored["args"]), stored["kwargs"]))  # jobs may change them
        function = self._functions.find(path)
        try:
            return function, *self._arguments(function).unpack(args, kwargs)
        except InvalidArguments as error:
            return UnknownFunction(path, str(error)), args, kwargs
