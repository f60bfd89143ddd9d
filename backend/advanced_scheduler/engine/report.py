"""Collects what the health of this node is judged by, and the report that users read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..health import HealthFacts, HealthStatus, assess
from ..models import TaskPriority
from .backlog import Backlog
from .loop import MAX_BACKOFF
from .node import Node
from .parts import Parts

PASS_SECONDS: Final = 1.0
"""How long a pass of the engine may take."""


class _Told(NamedTuple):
    """What the servers answered: None is nothing, or that nothing is wrong, or not asked."""

    backlog: Backlog | None = None
    store_error: str | None = None
    lock_error: str | None = None


def facts_of(parts: Parts, node: Node | None, *, ask: bool = True) -> HealthFacts:
    """Ask the engine how it is and, unless told not to, the servers whether they answer."""
    return _facts(parts, node, _ask(parts) if ask else _Told())


def _ask(parts: Parts) -> _Told:
    """Both at once, so that two that hang take no longer than one."""
    store, locks = parts.probe.begin(), parts.lock_probe.begin()
    backlog, store_error = store()
    if store_error is not None and not parts.locks_apart:
        return _Told(None, store_error)  # the locks are where the store is, which is told already
    _, lock_error = locks()
    return _Told(backlog, store_error, lock_error)


def _facts(parts: Parts, node: Node | None, told: _Told) -> HealthFacts:
    now = parts.clock.monotonic()
    running = node is not None and node.home is not None
    backlog = told.backlog if told.backlog is not None and running else Backlog()
    passed = node.dispatcher.last_pass if node is not None else None
    beat = node.heartbeat.last_beat if node is not None and node.heartbeat is not None else None
    refused = node.presence.refused if node is not None else None  # one that is only read from
    return HealthFacts(
        started=running,
        draining=node is not None and (node.draining or node.dispatcher.draining),
        store_error=told.store_error or refused,
        lock_error=told.lock_error,
        lock_required=parts.locks.kind == "redis",
        seconds_since_pass=None if passed is None else now - passed,
        seconds_since_heartbeat=None if beat is None else now - beat,
        renewal_seconds=parts.settings.renewal,
        loop_lag=node.pulse.lag if node is not None else 0.0,
        abandoned_threads=node.abandoned if node is not None else 0,
        undrained=_undrained(backlog, node) if node is not None else 0,
        locks_waiting=backlog.locks_waiting,
        timer_alive=node.timer.alive if node is not None and node.timer is not None else True,
        ledger_gap=backlog.ledger_gap,
        gaps_found=parts.ledger.gaps,
        pass_seconds=max(parts.settings.poll_seconds, MAX_BACKOFF) + PASS_SECONDS,
    )


def _undrained(backlog: Backlog, node: Node) -> int:
    dispatcher = node.dispatcher
    spare = dispatcher.spare and dispatcher.free_slots > 0
    return backlog.undrained(node.id, dispatcher.serving, spare=spare)


def health_report(parts: Parts, node: Node | None, running: int, limit: int) -> dict[str, Any]:
    """The keys of document 003, and ``reasons`` when the status is not ``healthy``."""
    told = _ask(parts)
    backlog = told.backlog or Backlog()
    facts = _facts(parts, node, told)
    parked, _ = parts.parked.answer() if told.store_error is None else (None, None)
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
        "queue_stats": {
            "total_queued": sum(backlog.waiting.values()),
            "by_priority": {one.name: backlog.waiting.get(one, 0) for one in TaskPriority},
        },
        "parked": parked or {},
        "ledger_gaps": facts.gaps_found,
        "running_tasks": running,
        "max_concurrent_tasks": limit,
    }
