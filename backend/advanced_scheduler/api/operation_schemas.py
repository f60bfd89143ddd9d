"""How pauses, keys, health, settings and dead letters look from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..events import EventType
from .fields import Answer, Asked, Id, Instant, Page, PriorityName, Text

ScopeName = Literal["read", "run", "write", "admin"]


class EventSearch(Asked):
    """Events of these types only, and only those whose data have these values."""

    type: list[EventType] | None = Field(default=None, max_length=50)
    task_id: Text | None = None
    execution_id: Id | None = None
    workflow_id: Text | None = None
    schedule_id: Text | None = None
    queue: Text | None = None


class PauseAsked(Asked):
    """What to pause or resume, which must be said: one queue, one priority, or everything."""

    queue: Id | None = None
    priority: PriorityName | None = None
    everything: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = (self.queue, self.priority, self.everything)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of queue, priority, and everything (true)")
        return self


class KeyOut(Answer):
    """An API key as it is listed."""

    id: str
    name: str
    scopes: list[ScopeName]
    created_time: datetime
    expires_time: datetime | None


class KeyRevoked(Answer):
    """What became of it; the warning says what it means that no key is left."""

    status: str
    warning: str | None


class KeyMade(KeyOut):
    """A new one: the only answer that has the key itself."""

    key: str


class KeyPage(Page):
    """Keys by name."""

    items: list[KeyOut]


class KeyAsked(Asked):
    """A new key; without ``expires_time`` it holds until it is revoked."""

    name: Text
    scopes: list[ScopeName] = Field(min_length=1)
    expires_time: Instant | None = None


class LoginAsked(Asked):
    """Opens a session of a browser, whose cookie stands for the key."""

    key: Id


class LoginOut(Answer):
    """Who it is; ``csrf`` goes into the header of every call that changes something."""

    name: str
    scopes: list[ScopeName]
    csrf: str


class SessionOut(Answer):
    """Who calls; ``csrf`` goes into the header of its calls, if it came with a cookie."""

    name: str
    scopes: list[ScopeName]
    csrf: str | None


class TicketOut(Answer):
    """What opens one WebSocket, within 30 seconds."""

    ticket: str


class VersionInfo(Answer):
    """What this is."""

    version: str
    python: str
    store: str
    revision: str | None
    node: str | None


class SettingsOut(Answer):
    """The settings in effect; secrets are hidden."""

    settings: dict[str, Any]


class HealthCounters(Answer):
    """Since this process began; times in seconds, of all attempts."""

    tasks_executed: int
    tasks_succeeded: int
    tasks_failed: int
    tasks_retried: int
    tasks_cancelled: int
    total_execution_time: float
    lock_acquisitions: int
    lock_failures: int


class HealthError(Answer):
    """A failed attempt of late."""

    task_name: str
    error: str | None
    task_id: str
    execution_id: str
    time: datetime


class QueueStats(Answer):
    """What waits, by the name of its priority."""

    total_queued: int
    by_priority: dict[str, int]


class HealthOut(Answer):
    """The report of document 003; rates in percent, 100 where there is nothing to count."""

    status: Literal["healthy", "degraded", "unhealthy"]
    reasons: list[str]
    started: bool
    uptime_seconds: float
    success_rate: float
    average_execution_time: float
    lock_success_rate: float
    running_tasks: int
    max_concurrent_tasks: int
    queue_stats: QueueStats
    metrics: HealthCounters
    recent_errors: list[HealthError]
    parked: dict[str, int]
    ledger_gaps: int


class DeadLetterGroup(Answer):
    """Executions of one task that failed for good with one kind of error."""

    id: str
    task_id: str
    error_type: str
    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    sample: str
    sample_error: str | None


class DeadLetterPage(Page):
    """Groups, the largest first."""

    items: list[DeadLetterGroup]
    complete: bool
