"""What users, and we, test with: a store that fails when told to, and a cluster in one thread."""

from __future__ import annotations

from .faults import FaultyStore, Hold
from .simulation import Report, simulate

__all__ = ["FaultyStore", "Hold", "Report", "simulate"]
