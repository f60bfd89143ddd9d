"""Counts how executions ended, and judges from plain facts whether this node is well."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final

from .clock import Clock, SystemClock
from .events import Event, EventType
from .forks import free_in_child
from .models import TaskExecution, TaskStatus

PASS_SECONDS: Final = 60.0
"""An engine that has made no pass for longer is dead."""

LOOP_LAG_SECONDS: Final = 1.0
"""An event loop that is so late is blocked."""

WINDOW: Final = 100  # ended executions that the success rate of late is taken from
ENOUGH: Final = 10  # fewer than these say nothing
LOWEST_RATE: Final = 0.5
ERRORS_SHOWN: Final = 10


class HealthStatus(StrEnum):
    """``unhealthy`` when the store cannot be reached, ``degraded`` by everything else."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


# A look at an enum's class takes longer than what is done with what is found there.
_CANCELLED, _COMPLETED = TaskStatus.CANCELLED, TaskStatus.COMPLETED
_RETRYING, _LOCK = TaskStatus.RETRYING, EventType.LOCK
_COUNTERS: Final = {
    TaskStatus.COMPLETED: ("tasks_executed", "tasks_succeeded"),
    TaskStatus.FAILED: ("tasks_executed", "tasks_failed"),
    TaskStatus.RETRYING: ("tasks_retried",),
    TaskStatus.CANCELLED: ("tasks_cancelled",),
}
"""What one more of each status counts for; a status that is not here counts for nothing."""


class SchedulerHealthMonitor:
    """Document 003's counters, fed by events or by calls; thread-safe.

    ``errors_kept`` is how many failures ``error_log`` remembers.
    """

    def __init__(self, clock: Clock | None = None, *, errors_kept: int = 100) -> None:
        self._clock = clock or SystemClock()
        self._born = self._clock.monotonic()
        self._lock = free_in_child(threading.Lock())
        self._errors: deque[dict[str, Any]] = deque(maxlen=errors_kept)
        self._recent: deque[bool] = deque(maxlen=WINDOW)  # whether each of them succeeded
        self._metrics = _zeros()
        self._timed = 0

    @property
    def metrics(self) -> dict[str, float]:
        """A copy of the counters; ``total_execution_time`` is in seconds, of all attempts."""
        with self._lock:
            return dict(self._metrics)

    @property
    def error_log(self) -> list[dict[str, Any]]:
        """The last failed attempts, oldest first: task_name, error, task_id, execution_id, time."""
        with self._lock:
            return list(self._errors)

    HEARD: Final = frozenset({EventType.FINISHED, EventType.RETRYING, EventType.LOCK})
    """The types of events that ``listen`` wants."""

    def listen(self, event: Event) -> None:
        """Take what counts from the events of a scheduler; a listener of ``EventBus``."""
        if event.execution is not None:
            self.record_execution(event.execution, event.data.get("duration"))
        elif event.type is _LOCK:
            self.record_lock_acquisition(event.data["result"] == "acquired")

    def record_execution(
        self, execution: TaskExecution, execution_time: float | None = None
    ) -> None:
        """Count an execution that has ended, or whose attempt failed and will be retried.

        ``execution_time`` is how many seconds the attempt took, if it ran and was measured.
        Raises ``ValueError`` if that is negative or infinite.
        """
        counters = _COUNTERS.get(execution.status)
        if counters is None:
            return
        if execution_time is not None and not 0 <= execution_time < inf:
            raise ValueError(f"execution_time={execution_time!r} must be 0 or more seconds")
        status = execution.status
        with self._lock:
            metrics = self._metrics
            for name in counters:
                metrics[name] += 1
            if status is _CANCELLED:
                return
            if execution_time is not None:
                metrics["total_execution_time"] += execution_time
                self._timed += 1
            if status is _COMPLETED:
                self._recent.append(True)
                return
            self._errors.append(self._error(execution))
            if status is not _RETRYING:
                self._recent.append(False)

    def record_lock_acquisition(self, success: bool) -> None:
        """Count one try to take a lock."""
        with self._lock:
            self._metrics["lock_acquisitions" if success else "lock_failures"] += 1

    def get_health_status(self) -> dict[str, Any]:
        """The counters with the rates that follow from them.

        Rates are percentages, 100.0 as long as there is nothing to count. The status is
        ``degraded`` while more than half of the last executions failed; ``reasons`` says so.
        """
        with self._lock:
            metrics, recent, timed = dict(self._metrics), list(self._recent), self._timed
            errors = list(self._errors)[-ERRORS_SHOWN:]
        reasons = []
        if len(recent) >= ENOUGH and sum(recent) < LOWEST_RATE * len(recent):
            failed = recent.count(False)
            reasons.append(f"{failed} of the last {len(recent)} executions failed")
        return {
            "status": (HealthStatus.DEGRADED if reasons else HealthStatus.HEALTHY).value,
            "reasons": reasons,
            "uptime_seconds": self._clock.monotonic() - self._born,
            "metrics": metrics,
            "success_rate": _percent(metrics["tasks_succeeded"], metrics["tasks_failed"]),
            "average_execution_time": metrics["total_execution_time"] / max(timed, 1),
            "lock_success_rate": _percent(metrics["lock_acquisitions"], metrics["lock_failures"]),
            "recent_errors": errors,
        }

    def reset_metrics(self) -> None:
        """Start counting anew and forget the errors; the uptime goes on."""
        with self._lock:
            self._metrics, self._timed = _zeros(), 0
            self._recent.clear()
            self._errors.clear()

    def _error(self, execution: TaskExecution) -> dict[str, Any]:
        return {
            "task_name": execution.task_name,
            "error": execution.error,
            "task_id": execution.task_id,
            "execution_id": execution.execution_id,
            "time": self._clock.now().isoformat(),
        }


def _zeros() -> dict[str, float]:
    return {
        "tasks_executed": 0,
        "tasks_succeeded": 0,
        "tasks_failed": 0,
        "tasks_retried": 0,
        "tasks_cancelled": 0,
        "total_execution_time": 0.0,
        "lock_acquisitions": 0,
        "lock_failures": 0,
    }


def _percent(good: float, bad: float) -> float:
    return 100.0 * good / (good + bad) if good + bad else 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """What a node knows of itself at one moment; times in seconds.

    ``store_error`` and ``lock_error`` are None when the server answers. ``undrained`` are
    executions that are due and that nobody takes, ``locks_waiting`` those that wait because
    the lock server is down, ``ledger_gap`` the due instants of schedules without a record,
    ``gaps_found`` instants that were passed over without one, since this process began.
    ``node`` is False for a process that shows a store and will never run a node.
    ``pass_seconds`` is how soon a pass of the engine is expected after the one before.
    """

    started: bool
    draining: bool
    store_error: str | None
    lock_error: str | None
    lock_required: bool
    seconds_since_pass: float | None
    seconds_since_heartbeat: float | None
    renewal_seconds: float
    loop_lag: float
    abandoned_threads: int
    undrained: int
    locks_waiting: int
    timer_alive: bool
    ledger_gap: int
    gaps_found: int = 0
    node: bool = True
    pass_seconds: float = PASS_SECONDS


def assess(facts: HealthFacts) -> tuple[HealthStatus, list[str]]:
    """The word for this node, with a sentence for everything that is wrong.

    A scheduler that was not started, or is stopping, is not ill for that.
    """
    reasons = _found(facts, (_store, *_DEGRADING))
    if facts.store_error is not None:
        return HealthStatus.UNHEALTHY, reasons
    return (HealthStatus.DEGRADED if reasons else HealthStatus.HEALTHY), reasons


def is_live(facts: HealthFacts) -> list[str]:
    """Why this process should be restarted: its engine stands still, whatever servers do."""
    return _found(facts, (_first_pass, _stalled))


def is_ready(facts: HealthFacts) -> list[str]:
    """Why this node should not be given work now."""
    return _found(facts, (_start, _drain, _store, _required_locks, _heartbeat, _loop))


def has_started(facts: HealthFacts) -> list[str]:
    """Why start-up is not over; a scheduler exists only once its store was reached."""
    return _found(facts, (_start, _first_pass))


_Check = Callable[[HealthFacts], str | None]


def _found(facts: HealthFacts, checks: Iterable[_Check]) -> list[str]:
    return [problem for check in checks if (problem := check(facts)) is not None]


def _start(facts: HealthFacts) -> str | None:
    return "the scheduler is not started" if facts.node and not facts.started else None


def _drain(facts: HealthFacts) -> str | None:
    return "the node drains and takes no work" if facts.draining else None


def _store(facts: HealthFacts) -> str | None:
    error = facts.store_error
    return None if error is None else f"the store does not answer: {error}"


def _locks(facts: HealthFacts) -> str | None:
    error = facts.lock_error
    return None if error is None else f"the lock server does not answer: {error}"


def _required_locks(facts: HealthFacts) -> str | None:
    return _locks(facts) if facts.node and facts.lock_required else None


def _first_pass(facts: HealthFacts) -> str | None:
    passed = facts.seconds_since_pass is not None
    return "the engine has made no pass yet" if facts.node and not passed else None


def _stalled(facts: HealthFacts) -> str | None:
    return _no_pass_within(facts, PASS_SECONDS)


def _slow(facts: HealthFacts) -> str | None:
    """A store may answer whoever reads, and hold up whoever writes."""
    return _no_pass_within(facts, facts.pass_seconds)


def _no_pass_within(facts: HealthFacts, seconds: float) -> str | None:
    age = facts.seconds_since_pass
    if age is None or age <= seconds:
        return None
    return f"the engine began its last pass {age:.0f} s ago"


def _heartbeat(facts: HealthFacts) -> str | None:
    """One missed beat is late; after the second, leases are about to run out."""
    age = facts.seconds_since_heartbeat
    if not facts.started or (age is not None and age <= 2 * facts.renewal_seconds):
        return None
    last = "there was none yet" if age is None else f"the last was {age:.1f} s ago"
    return f"no heartbeat in two renewals of {facts.renewal_seconds:g} s: {last}"


def _loop(facts: HealthFacts) -> str | None:
    if facts.loop_lag < LOOP_LAG_SECONDS:
        return None
    return f"the event loop is {facts.loop_lag:.1f} s late: something blocks it"


def _timer(facts: HealthFacts) -> str | None:
    return None if facts.timer_alive else "the timer has ended: schedules do not fire"


def _threads(facts: HealthFacts) -> str | None:
    return _some(facts.abandoned_threads, "threads still run what was cancelled or timed out")


def _queue(facts: HealthFacts) -> str | None:
    return _some(facts.undrained, "executions are due, and nobody takes them")


def _lock_waits(facts: HealthFacts) -> str | None:
    return _some(facts.locks_waiting, "executions wait for the lock server")


def _ledger(facts: HealthFacts) -> str | None:
    return _some(facts.ledger_gap, "schedules are due, and nobody fires them")


def _some(number: int, what: str) -> str | None:
    return f"{number} {what}" if number else None


_DEGRADING: Final = (
    _locks,
    _lock_waits,
    _slow,
    _heartbeat,
    _loop,
    _timer,
    _threads,
    _queue,
    _ledger,
)
