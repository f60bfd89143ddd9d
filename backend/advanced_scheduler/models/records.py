"""What the operation of a cluster leaves in the store, beside executions and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class RecordKind(StrEnum):
    """What a record is about; the id is unique among those of one kind."""

    NODE = "node"  # a running scheduler process as it last was, by node id
    ORDER = "order"  # what a node is asked to do, by node id
    PAUSE = "pause"  # what nobody may claim from: a queue or a priority
    KEY = "key"  # who may call the service, by the hash of the key
    SESSION = "session"  # a browser that has shown a key, by the hash of its cookie
    TICKET = "ticket"  # what opens one connection, by its hash
    AUDIT = "audit"  # who did what, by UUIDv7
    EVENTS = "events"  # what happened in a process just now, by time; gone in seconds
    SERIES = "series"  # what a node did in a span of time, by length of the span and time
    REPLY = "reply"  # what a request with an idempotency key was answered
    LOG = "log"  # progress and lines that an execution has told, by execution id
    SPAWNED = "spawned"  # the executions that one has scheduled, by its id
    AGAIN = "again"  # the execution that runs an ended one again, by the id of that
    RERUN = "rerun"  # those that run a workflow run again, by the newest execution id in it
    BACKFILL = "backfill"  # the executions for instants of the past, by schedule and month
    JOB = "job"  # a job of APScheduler, by its id


OF_EXECUTION: Final = (RecordKind.LOG, RecordKind.SPAWNED, RecordKind.AGAIN, RecordKind.RERUN)
"""The kinds that go with the execution whose id they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A small JSON object; ``written_time`` (aware) is by the clock of whoever wrote it."""

    kind: RecordKind
    record_id: str
    written_time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
