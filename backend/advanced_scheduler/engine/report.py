"""Collects what the health of this node is judged by, and the report that users read."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..errors import LockError, StoreError
from ..health import HealthFacts, HealthStatus, assess
from ..models import TaskPriority
from .backlog import Backlog, backlog_of
from .node import Node
from .parked import count_parked
from .parts import Parts
from .views import TaskQueueView


def facts_of(parts: Parts, node: Node | None, *, ask: bool = True) -> HealthFacts:
    """Ask the engine how it is and, unless told not to, the servers whether they answer."""
    now = parts.clock.monotonic()
    store_error = _store_error(parts) if ask else None
    backlog = Backlog()
    if ask and store_error is None and node is not None and node.home is not None:
        with suppress(StoreError):  # it went away in between; the next report says so
            backlog = backlog_of(parts, node)
    running = node is not None and node.home is not None
    passed = node.dispatcher.last_pass if node is not None else None
    beat = node.heartbeat.last_beat if node is not None and node.heartbeat is not None else None
    return HealthFacts(
        started=running,
        draining=node is not None and node.draining,
        store_error=store_error,
        lock_error=_lock_error(parts) if ask else None,
        lock_required=parts.locks.kind == "redis",
        seconds_since_pass=None if passed is None else now - passed,
        seconds_since_heartbeat=None if beat is None else now - beat,
        renewal_seconds=parts.settings.renewal,
        loop_lag=node.pulse.lag if node is not None else 0.0,
        abandoned_threads=node.abandoned if node is not None else 0,
        undrained=backlog.undrained,
        locks_waiting=backlog.locks_waiting,
        timer_alive=node.timer.alive if node is not None and node.timer is not None else True,
        ledger_gap=backlog.ledger_gap,
        gaps_found=parts.ledger.gaps,
    )


def health_report(parts: Parts, node: Node | None, running: int, limit: int) -> dict[str, Any]:
    """The keys of document 003, and ``reasons`` when the status is not ``healthy``."""
    facts = facts_of(parts, node)
    report = parts.monitor.get_health_status()
    status, reasons = assess(facts)
    reasons += report["reasons"]
    if status is HealthStatus.HEALTHY:
        status = HealthStatus(report["status"])
    return {
        **report,
        "status": status.value,
        "reasons": reasons,
        "started": facts.started,
        "queue_stats": _queue_stats(parts, reachable=facts.store_error is None),
        "parked": _parked(parts, reachable=facts.store_error is None),
        "ledger_gaps": facts.gaps_found,
        "running_tasks": running,
        "max_concurrent_tasks": limit,
    }


def _queue_stats(parts: Parts, *, reachable: bool) -> dict[str, Any]:
    waiting: dict[TaskPriority, int] = {}
    if reachable:
        with suppress(StoreError):  # it went away in between; the next report says so
            waiting = TaskQueueView(parts.store).by_priority()
    return {
        "total_queued": sum(waiting.values()),
        "by_priority": {one.name: waiting.get(one, 0) for one in TaskPriority},
    }


def _parked(parts: Parts, *, reachable: bool) -> dict[str, int]:
    if reachable:
        with suppress(StoreError):
            return count_parked(parts.store, parts.registry, len(parts.ticker.parked))
    return {}


def _store_error(parts: Parts) -> str | None:
    if parts.store.blocking:
        return parts.probe.error()
    try:
        parts.store.ping()
    except StoreError as error:
        return str(error)
    return None


def _lock_error(parts: Parts) -> str | None:
    try:
        parts.locks.ping()
    except LockError as error:
        return str(error)
    return None
