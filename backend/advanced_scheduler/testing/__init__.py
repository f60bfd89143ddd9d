"""What users, and we, test with: a store that fails when it is told to."""

from __future__ import annotations

from .faults import FaultyStore, Hold

__all__ = ["FaultyStore", "Hold"]
