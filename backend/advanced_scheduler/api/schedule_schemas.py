"""How schedules and their ledger look from outside: what is answered, and what is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .fields import Answer, Asked, Id, Instant, JsonList, JsonObject, Page, PriorityName, Text

MisfireName = Literal["skip", "run_latest", "run_all"]
OverlapName = Literal["skip", "queue_one", "queue_all", "cancel_running", "allow"]
StateName = Literal["active", "paused", "ended"]


class RunOut(Answer):
    """An instant to come, in UTC and on the clock of the schedule; ``note`` tells a clash."""

    instant: datetime
    local: str
    note: str | None


class ScheduleOut(Answer):
    """A schedule as it is now; ``etag`` is what ``If-Match`` takes."""

    id: str
    name: str | None
    task_id: str
    status: StateName
    trigger: dict[str, Any]
    words: str
    timezone: str | None
    next_run: datetime | None
    last_run: datetime | None
    version: int
    etag: str
    args: list[Any]
    kwargs: dict[str, Any]
    priority: PriorityName | None
    queue: str | None
    timeout: float | None
    tags: list[str]
    metadata: dict[str, Any]
    misfire: MisfireName
    max_catch_up: int
    grace_seconds: float | None
    overlap: OverlapName
    max_runs: int | None
    run_count: int
    pause_on_failure: int | None
    event: str | None
    created_time: datetime | None
    changed_time: datetime | None
    changelog: str | None


class ScheduleDetail(ScheduleOut):
    """The same with its next runs and how it has been doing; rates in percent."""

    next_runs: list[RunOut]
    lint: list[str]
    last_result: str | None
    success_count: int
    error_count: int
    average_duration: float | None


class SchedulePage(Page):
    """Schedules by id."""

    items: list[ScheduleOut]


class ScheduleFields(Asked):
    """What a user decides of a schedule; what is left out is the default, or stays."""

    trigger: JsonObject | None = None
    cron: Text | None = None
    timezone: Text | None = None
    args: JsonList | None = None
    kwargs: JsonObject | None = None
    name: Text | None = None
    priority: PriorityName | None = None
    queue: Id | None = None
    timeout: float | None = Field(default=None, gt=0, strict=True)
    tags: list[Id] | None = None
    metadata: JsonObject | None = None
    misfire: MisfireName | None = None
    max_catch_up: int | None = Field(default=None, ge=1, le=1000, strict=True)
    grace_seconds: float | None = Field(default=None, ge=0, strict=True)
    overlap: OverlapName | None = None
    max_runs: int | None = Field(default=None, ge=1, strict=True)
    pause_on_failure: int | None = Field(default=None, ge=1, strict=True)
    changelog: Text | None = None


class ScheduleAsked(ScheduleFields):
    """A new schedule: a registered task, and a ``trigger`` or a ``cron`` text."""

    task_id: Id
    id: Annotated[Id, Field(pattern=r"^[^/\x00]*$")] | None = None


class ResumeAsked(Asked):
    """``catch_up``: what was due in the pause counts as missed, and is not left out."""

    catch_up: bool = Field(default=False, strict=True)


class RunScheduleAsked(Asked):
    """Other arguments for one run by hand."""

    args: JsonList | None = None
    kwargs: JsonObject | None = None


class PreviewAsked(Asked):
    """A trigger that is not a schedule yet."""

    trigger: JsonObject | None = None
    cron: Text | None = None
    timezone: Text | None = None
    count: int = Field(default=10, ge=1, le=1000, strict=True)
    start: Instant | None = None


class PreviewOut(Answer):
    """What it means, when it would run, and what clock changes do to it."""

    words: str
    runs: list[RunOut]
    lint: list[str]


class VersionOut(Answer):
    """A version as it was put; ``changed`` are the fields that differ from the one before."""

    version: int
    changed_time: datetime | None
    changelog: str | None
    paused: bool
    changed: dict[str, list[Any]]


class VersionPage(Page):
    """Versions, the latest first."""

    items: list[VersionOut]


class TickOut(Answer):
    """What became of one instant, in words."""

    instant: datetime
    outcome: Literal["fired", "coalesced", "misfired", "overlap", "paused"] | None
    reason: str
    execution_id: str | None
    status: str | None


class LedgerOut(Answer):
    """A stretch of the ledger; ``missing`` are instants without a record: there should be none."""

    schedule_id: str
    start: datetime
    end: datetime
    ticks: list[TickOut]
    missing: list[datetime]


class BackfillAsked(Asked):
    """Run once for each instant from ``start`` up to, without, ``end``.

    What was backfilled before is left out, unless ``force`` is true.
    """

    start: Instant
    end: Instant
    dry_run: bool = Field(default=False, strict=True)
    limit: int = Field(default=1000, ge=1, le=10_000, strict=True)
    force: bool = Field(default=False, strict=True)


class BackfillOut(Answer):
    """The instants, how many they are, and the executions that were made for them.

    ``existing`` are those that an earlier backfill had made.
    """

    dry_run: bool
    matched: int
    instants: list[datetime]
    created: list[str]
    existing: list[str]
