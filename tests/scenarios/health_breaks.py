"""Owns the faults of the scenario of health: reports that are not true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from advanced_scheduler.engine import report
from advanced_scheduler.health import (
    HealthFacts,
    HealthStatus,
    SchedulerHealthMonitor,
    assess,
)

Patch = Callable[[Any, str, Any], None]


def tells_nothing(patch: Patch) -> None:
    """All is always well, and nothing has ever run."""
    patch(report, "assess", lambda facts: (HealthStatus.HEALTHY, []))
    patch(SchedulerHealthMonitor, "record_execution", lambda *_: None)


def tells_for_ever(patch: Patch) -> None:
    """What was wrong once is wrong for ever."""
    known: list[str] = []

    def remember(facts: HealthFacts) -> tuple[HealthStatus, list[str]]:
        status, reasons = assess(facts)
        known.extend(one for one in reasons if one not in known)
        return (HealthStatus.DEGRADED if known else status), [*known]

    patch(report, "assess", remember)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "tells-nothing": tells_nothing,
    "tells-for-ever": tells_for_ever,
}
