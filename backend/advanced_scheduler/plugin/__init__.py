"""What APScheduler finds by its entry points: the executor ``advanced``."""

from __future__ import annotations

from .executor import AdvancedExecutor

__all__ = ["AdvancedExecutor"]
