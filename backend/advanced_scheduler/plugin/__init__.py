"""What APScheduler finds by its entry points: executor and job store ``advanced``."""

from __future__ import annotations

from .executor import AdvancedExecutor
from .job_functions import UnknownFunction
from .job_store import AdvancedJobStore

__all__ = ["AdvancedExecutor", "AdvancedJobStore", "UnknownFunction"]
