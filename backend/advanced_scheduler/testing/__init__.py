"""What users, and we, test with: a scheduler in hand, a store that fails, a simulated cluster."""

from __future__ import annotations

from .faults import FaultyStore, Hold
from .simulation import Report, simulate
from .takeover import taken_over
from .tester import Scheduled, SchedulerTester

__all__ = [
    "FaultyStore",
    "Hold",
    "Report",
    "Scheduled",
    "SchedulerTester",
    "simulate",
    "taken_over",
]
