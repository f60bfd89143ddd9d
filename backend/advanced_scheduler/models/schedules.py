"""What is due when, and what became of every instant: schedules, ticks and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final, Literal, cast, get_args

from .drafts import drafts_of
from .tasks import TaskPriority, TaskStatus


class MisfirePolicy(StrEnum):
    """What to do about instants that passed while nobody looked."""

    SKIP = "skip"
    RUN_LATEST = "run_latest"
    RUN_ALL = "run_all"


class OverlapPolicy(StrEnum):
    """What to do when a schedule is due and its last execution has not ended.

    ``queue_one`` lets one execution wait for the running one, ``queue_all`` any number, one
    after the other; ``cancel_running`` cancels what has not ended and runs the new one.
    """

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    QUEUE_ALL = "queue_all"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"


class TickOutcome(StrEnum):
    """What became of one instant at which a schedule was due."""

    FIRED = "fired"
    COALESCED = "coalesced"
    MISFIRED = "misfired"
    OVERLAP = "overlap"
    PAUSED = "paused"


class Placeholder(Enum):
    """Stands in the arguments of a schedule for what is known when it fires."""

    TICK_INDEX = "tick_index"
    """Which instant of its sequence it is, from 0; None for triggers that count nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Trigger, task, arguments and policies; ``trigger`` is what the trigger says of itself.

    ``grace_seconds=None`` means half the time to the next tick. ``version`` counts edits.
    ``ledger_from`` is when this version began: from there up to ``next_fire_time`` the ledger
    has a tick for every instant. ``last_fire_time`` is the latest instant that was recorded;
    instants before ``resumed_time`` fell into a pause. ``next_fire_time=None``: it has ended,
    or waits for an event, whose name is then ``event``.

    ``name`` is unique among the schedules of a store. ``run_count`` is how many instants have
    run (not those that somebody ran by hand); after ``max_runs`` of them it has ended. After
    ``pause_on_failure`` failures in a row it pauses itself. ``changelog`` says what the edit at
    ``changed_time`` that made this version was for.
    """

    schedule_id: str
    task_id: str
    trigger: Mapping[str, Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: TaskPriority | None = None
    next_fire_time: datetime | None = None
    last_fire_time: datetime | None = None
    ledger_from: datetime | None = None
    resumed_time: datetime | None = None
    paused: bool = False
    version: int = 1
    misfire: MisfirePolicy = MisfirePolicy.RUN_LATEST
    max_catch_up: int = 10
    grace_seconds: float | None = None
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    tags: tuple[str, ...] = ()
    name: str | None = None
    event: str | None = None
    queue: str | None = None
    timeout: float | None = None
    retry: Mapping[str, Any] = field(default_factory=dict)  # as in an execution's ``extras``
    metadata: Mapping[str, Any] = field(default_factory=dict)
    max_runs: int | None = None
    run_count: int = 0
    pause_on_failure: int | None = None
    created_time: datetime | None = None
    changed_time: datetime | None = None
    changelog: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it will never fire again by itself."""
        spent = self.max_runs is not None and self.run_count >= self.max_runs
        return spent or (self.next_fire_time is None and self.event is None)

    @property
    def state(self) -> ScheduleState:
        """In one word; one that has ended may be paused as well."""
        if self.ended:
            return "ended"
        return "paused" if self.paused else "active"

    def with_changes(self, **changes: Any) -> Schedule:
        """A copy with some fields changed; see ``drafts``."""
        draft = _thawed(self)
        for name, value in changes.items():
            setattr(draft, name, value)
        draft.__class__ = Schedule
        return cast(Schedule, draft)


_, _thawed = drafts_of(Schedule)

DEFINITION: Final = (
    "task_id",
    "args",
    "kwargs",
    "name",
    "priority",
    "misfire",
    "max_catch_up",
    "grace_seconds",
    "overlap",
    "tags",
    "queue",
    "timeout",
    "retry",
    "metadata",
    "max_runs",
    "pause_on_failure",
)
"""The fields that a user decides, beside the trigger."""


ScheduleState = Literal["active", "paused", "ended"]
SCHEDULE_STATES: Final[tuple[ScheduleState, ...]] = get_args(ScheduleState)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFilter:
    """Which schedules ``find_schedules`` answers, by id; all conditions must hold.

    ``cursor`` is the id after which a page begins; ``limit=None`` answers all.
    """

    name: str | None = None
    event: str | None = None
    task_id: str | None = None
    cursor: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many executions ended alike, and how many seconds they ran in all."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The one record of one instant at which a schedule was due."""

    schedule_id: str
    instant: datetime
    version: int
    outcome: TickOutcome
    execution_id: str | None = None
    reason: str | None = None
    recorded_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What became of one instant of a schedule, in words.

    ``outcome`` is None where the ledger has no row, and ``reason`` then says why. ``status`` is
    that of the execution, if there was one and the history still has it. What did not run, and was
    backfilled, has the execution that did so.
    """

    schedule_id: str
    instant: datetime
    outcome: TickOutcome | None
    reason: str
    execution_id: str | None = None
    status: TaskStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A stretch of the ledger: from ``start`` up to, without, ``end``.

    ``ticks`` are all that was recorded, by instant. ``missing`` are instants that were passed
    over without a record: there should never be one.
    """

    schedule_id: str
    start: datetime
    end: datetime
    ticks: Sequence[Explanation]
    missing: Sequence[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """How a schedule is doing; durations are seconds.

    ``last_run`` is when its latest execution began, ``last_result`` how the latest one that
    has ended did: ``success``, ``error``, ``cancelled`` or ``skipped``. The counts go back to
    its beginning, whatever the history: ``run_count`` is what has ended either way or runs now.
    ``average_duration`` is None before anything has ended.
    """

    schedule_id: str
    name: str | None
    status: ScheduleState
    last_run: datetime | None
    last_result: str | None
    next_run: datetime | None
    run_count: int
    success_count: int
    error_count: int
    average_duration: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatistics:
    """All schedules of a store together.

    ``triggered_total`` and ``missed`` go back as far as the ledger does (30 days, unless the
    setting ``history_days`` says otherwise). ``success_rate`` is from 0 to 1, of what the
    history has; 1 before anything has ended. ``uptime`` is of this process, in seconds.
    """

    total: int
    active: int
    paused: int
    ended: int
    triggered_total: int
    triggered_last_24h: int
    success_rate: float
    missed: int
    uptime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Something stored that this node cannot use; it is kept for one that can.

    ``kind`` is ``task`` (executions wait for a task that is not registered here; ``id`` is the
    task id and ``count`` how many wait), ``execution`` or ``schedule`` (``id`` is its own).
    """

    kind: Literal["task", "execution", "schedule"]
    id: str
    reason: str
    count: int = 1
