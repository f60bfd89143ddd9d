"""The application of the demo: a scheduler, and what is on it where it stays up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..config import Settings, read_settings
from ..scheduler import AdvancedTaskScheduler
from .samples import register_samples, schedule_samples
from .workflow import Audit


def demo_scheduler(
    store: str | None = None, slots: int | None = None, **settings: Any
) -> AdvancedTaskScheduler:
    """Short leases, so that the work of a killed run is soon taken up; a history of many audits.

    ``slots`` is how many executions run at the same time: by default one for each processor, and
    at least 4. Raises ``ConfigurationError`` and ``StoreUnavailable``.
    """
    return AdvancedTaskScheduler(
        max_concurrent_tasks=max(4, os.cpu_count() or 1) if slots is None else slots,
        store=store,
        settings=read_settings(
            Settings,
            lease_seconds=5,
            drain_seconds=2,
            history_limit=50_000,
            result_limit_bytes=64 * 1024 * 1024,
            **settings,
        ),
    )


class Application:
    """The audit and the samples, on a scheduler that is one of any number of nodes on a store."""

    def __init__(self, scheduler: AdvancedTaskScheduler, output: Path) -> None:
        self.scheduler = scheduler
        self._audit = Audit(scheduler, output)
        register_samples(scheduler)

    def begin(self, folders: list[str]) -> None:
        """Audit the folders, now and every night, and make the schedules of the samples."""
        self._audit.every_night(folders)
        self._audit.begin(folders)
        schedule_samples(self.scheduler)
